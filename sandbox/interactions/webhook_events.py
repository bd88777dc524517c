"""Webhook events (contract 7): signed POSTs that want 204, repeated with growing pauses for ten minutes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson

from sandbox.interactions.delivery import deliver
from sandbox.interactions.exchanges import Exchange, ExchangeLog
from sandbox.interactions.signing import RequestSigner
from sandbox.world.payloads import guild_payload, user_payload
from sandbox.world.snowflakes import iso
from sandbox.world.world import World

Json = dict[str, Any]

ENABLED, DISABLED_BY_DISCORD = 2, 3
DEADLINE_SECONDS = 3.0
GIVE_UP_SECONDS = 600.0
FIRST_PAUSE_SECONDS = 1.0
"""The pauses double from here; Discord documents the kind of growth, not its numbers."""
FAILURES_UNTIL_OFF = 5
"""Events in a row that nobody took before delivery is switched off; the real number is not documented."""


class WebhookEvents:
    """Queues events and delivers them to `event_webhooks_url`."""

    def __init__(
        self, world: World, client: httpx.AsyncClient, signer: RequestSigner, exchanges: ExchangeLog
    ) -> None:
        self._world = world
        self._client = client
        self._signer = signer
        self._exchanges = exchanges
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed_in_a_row = 0
        self.first_pause_seconds = FIRST_PAUSE_SECONDS

    async def aclose(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def authorized(self, user_id: int, *, guild_id: int | None, scopes: list[str]) -> bool:
        """APPLICATION_AUTHORIZED: into a guild, or (guild None) by a user for himself."""
        data: Json = {
            "integration_type": 0 if guild_id is not None else 1,
            "user": user_payload(self._world.user(user_id)),
            "scopes": scopes,
        }
        if guild_id is not None:
            data["guild"] = guild_payload(self._world, self._world.guild(guild_id))
        return self.send("APPLICATION_AUTHORIZED", data)

    def deauthorized(self, user_id: int) -> bool:
        """APPLICATION_DEAUTHORIZED: says who, never which guild."""
        return self.send("APPLICATION_DEAUTHORIZED", {"user": user_payload(self._world.user(user_id))})

    def send(self, event_type: str, data: Json) -> bool:
        """Deliver in the background, if the application subscribed; says whether it did."""
        application = self._world.application
        url = application.event_webhooks_url
        if not url or application.event_webhooks_status != ENABLED:
            return False
        if event_type not in application.event_webhooks_types:
            return False
        body = {
            "version": 1,
            "application_id": str(application.id),
            "type": 1,
            "event": {
                "type": event_type,
                "timestamp": iso(self._world.clock()).removesuffix("+00:00"),
                "data": data,
            },
        }
        task = asyncio.create_task(self._deliver(url, event_type, orjson.dumps(body)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _deliver(self, url: str, event_type: str, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        gives_up, pause, attempt = loop.time() + GIVE_UP_SECONDS, self.first_pause_seconds, 1
        while True:
            if await self._attempt(url, event_type, body, attempt):
                self._failed_in_a_row = 0
                return
            if loop.time() + pause > gives_up:
                break
            await asyncio.sleep(pause)
            pause, attempt = pause * 2, attempt + 1
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= FAILURES_UNTIL_OFF:
            self._world.application.event_webhooks_status = DISABLED_BY_DISCORD
            self._world.save_application()

    async def _attempt(self, url: str, event_type: str, body: bytes, attempt: int) -> bool:
        headers = self._signer.headers(body)
        exchange = self._exchanges.add(
            Exchange(
                "webhook-event",
                event_type if attempt == 1 else f"{event_type} (attempt {attempt})",
                self._world.clock(),
                url=url,
                request_headers=headers,
                request=orjson.loads(body),
            )
        )
        answer = await deliver(self._client, url, body, headers, deadline=DEADLINE_SECONDS)
        taken = answer.status == 204
        exchange.status, exchange.elapsed_ms = answer.status, answer.elapsed_ms
        exchange.response = answer.shown()
        exchange.verdict = "answered" if taken else "failed"
        if not taken:
            exchange.problems = [answer.failure or f"HTTP {answer.status} instead of 204"]
        self._exchanges.changed(exchange)
        return taken
