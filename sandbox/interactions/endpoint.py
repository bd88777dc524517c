"""The application's endpoint URL: checked before it is saved, probed afterwards (contract 1.2, 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from sandbox.interactions.delivery import Answer, deliver
from sandbox.interactions.exchanges import Exchange, ExchangeLog
from sandbox.interactions.invocations import new_token
from sandbox.interactions.payloads import ping_payload
from sandbox.interactions.rules.form import Problems
from sandbox.interactions.signing import RequestSigner
from sandbox.interactions.trouble import InteractionTrouble
from sandbox.world.world import World

log = structlog.get_logger("sandbox.interactions")

CHECK_DEADLINE_SECONDS = 3.0
"""How long a PING or probe may take (contract 1.3; that it counts for PINGs too is our reading)."""

MAIL_LOST_URL = (
    "Discord removed the interactions endpoint URL: a badly signed request must be answered with 401."
)


@dataclass(slots=True)
class Notice:
    """What Discord would mail to the owner. `at` is Unix milliseconds."""

    at: int
    text: str


class Endpoint:
    """Saves, checks and probes `interactions_endpoint_url` and `event_webhooks_url`."""

    def __init__(
        self,
        world: World,
        client: httpx.AsyncClient,
        signer: RequestSigner,
        exchanges: ExchangeLog,
        trouble: Callable[[], InteractionTrouble],
    ) -> None:
        self._world = world
        self._client = client
        self._signer = signer
        self._exchanges = exchanges
        self._trouble = trouble
        self.notices: list[Notice] = []

    async def save_interactions_url(self, url: str | None) -> None:
        """Set the URL after both checks, None removes it. Raises InvalidForm with Discord's words."""
        if url:
            await self.check_interactions_url(url)
        self._world.application.interactions_endpoint_url = url or None
        self._world.save_application()

    async def save_webhooks_url(self, url: str | None) -> None:
        """The same for webhook events, whose PING is answered with 204. Raises InvalidForm."""
        if url:
            await self.check_webhooks_url(url)
        self._world.application.event_webhooks_url = url or None
        self._world.save_application()

    async def check_interactions_url(self, url: str) -> None:
        """Send a PING, then a badly signed request, to a URL that is about to be saved. Raises InvalidForm."""
        await self._check(url, "interactions_endpoint_url", self._ping)

    async def check_webhooks_url(self, url: str) -> None:
        """The same for a webhook events URL. Raises InvalidForm."""
        await self._check(url, "event_webhooks_url", self._webhook_ping)

    async def probe(self) -> bool:
        """Send a badly signed request to the saved URL; removes the URL and says False unless 401 came."""
        application = self._world.application
        url = application.interactions_endpoint_url
        if url is None:
            return True
        answer = await self._probe(url, self._ping_body())
        if answer.status == 401:
            return True
        application.interactions_endpoint_url = None
        self._world.save_application()
        self.notices.append(Notice(self._world.clock(), MAIL_LOST_URL))
        log.warning("endpoint removed", url=url, status=answer.status, failure=answer.failure)
        return False

    async def keep_probing(self) -> None:
        """Probe in the interval of the trouble switches until cancelled."""
        while True:
            await asyncio.sleep(self._trouble().probe_interval_seconds)
            if self._trouble().bad_signature_probes:
                await self.probe()

    async def _check(self, url: str, field: str, ping: Callable[[str], Awaitable[str | None]]) -> None:
        problem = _address_problem(url) or await ping(url)
        if problem is None:
            body = self._ping_body() if field == "interactions_endpoint_url" else self._webhook_body()
            answer = await self._probe(url, body)
            if answer.status != 401:
                came = answer.failure or f"HTTP {answer.status}"
                problem = f"The endpoint did not reject a badly signed request with 401 (it gave: {came})."
        if problem is not None:
            problems = Problems()
            problems.add(
                (field,),
                "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID",
                f"The specified interactions endpoint url could not be verified. {problem}",
            )
            problems.raise_if_any()

    async def _ping(self, url: str) -> str | None:
        answer = await self._send("ping", "PING", url, self._ping_body(), forged=False)
        if answer.failure:
            return answer.failure
        if answer.status != 200:
            return f"PING must be answered with 200, not {answer.status}."
        if not answer.is_json:
            return f"PING needs Content-Type application/json, not {answer.content_type or 'none'!r}."
        try:
            body = answer.json()
        except ValueError:
            return "The answer to PING is not JSON."
        if not isinstance(body, dict) or body.get("type") != 1:
            return 'PING must be answered with {"type": 1}.'
        return None

    async def _webhook_ping(self, url: str) -> str | None:
        answer = await self._send("ping", "webhook PING", url, self._webhook_body(), forged=False)
        if answer.failure:
            return answer.failure
        if answer.status != 204 or answer.body:
            return f"A webhook PING must be answered with 204 and no body, not {answer.status}."
        return None

    async def _probe(self, url: str, body: bytes) -> Answer:
        return await self._send("probe", "badly signed check", url, body, forged=True)

    async def _send(self, kind: Any, summary: str, url: str, body: bytes, *, forged: bool) -> Answer:
        headers = self._signer.forged_headers(body) if forged else self._signer.headers(body)
        exchange = self._exchanges.add(
            Exchange(kind, summary, self._world.clock(), url=url, request_headers=headers)
        )
        exchange.request = orjson.loads(body)
        answer = await deliver(self._client, url, body, headers, deadline=CHECK_DEADLINE_SECONDS)
        exchange.status, exchange.response = answer.status, answer.shown()
        exchange.elapsed_ms = answer.elapsed_ms
        right = answer.status == 401 if forged else answer.status in {200, 204}
        exchange.verdict = "ok" if right else "refused"
        if not right:
            exchange.problems = [answer.failure or f"HTTP {answer.status} is not what Discord wants here"]
        self._exchanges.changed(exchange)
        return answer

    def _ping_body(self) -> bytes:
        return orjson.dumps(ping_payload(self._world, self._world.ids.next(), new_token()))

    def _webhook_body(self) -> bytes:
        return orjson.dumps(webhook_ping(self._world))


def webhook_ping(world: World) -> dict[str, Any]:
    """The PING of webhook events: type 0 (contract 7)."""
    return {"version": 1, "application_id": str(world.application.id), "type": 0}


def _address_problem(url: str) -> str | None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "Not a well formed URL."
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        return "Not a well formed URL."
    return None
