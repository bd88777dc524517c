"""Interactions end to end: sign, deliver, judge the answer, carry it out, keep the token alive (contract 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import httpx
import orjson
import structlog

from sandbox.interactions.delivery import Answer, deliver
from sandbox.interactions.endpoint import Endpoint
from sandbox.interactions.exchanges import Exchange, ExchangeLog
from sandbox.interactions.files import Files, Upload
from sandbox.interactions.invocations import Invocation, Invocations, State
from sandbox.interactions.outcome import Outcome, outcome_of
from sandbox.interactions.replies import Replies
from sandbox.interactions.rules.callback import InteractionType, ResponseType, check_callback
from sandbox.interactions.rules.form import InvalidForm
from sandbox.interactions.selects import BUTTON, find_component
from sandbox.interactions.signing import RequestSigner
from sandbox.interactions.trouble import InteractionTrouble
from sandbox.interactions.webhook_events import WebhookEvents
from sandbox.world.payloads import message_payload
from sandbox.world.state import Unknown
from sandbox.world.world import World

log = structlog.get_logger("sandbox.interactions")


class AlreadyAcknowledged(Exception):
    """A second first response (40060)."""


class TooLate(Exception):
    """A first response after the deadline, or for an interaction that failed (10062)."""


class Interactions:
    """The interactions side of one sandbox. `open` starts its background work, `aclose` ends it."""

    def __init__(self, world: World, files: Files, *, client: httpx.AsyncClient | None = None) -> None:
        self.world = world
        self.files = files
        self.trouble = InteractionTrouble.model_validate({})
        self.exchanges = ExchangeLog()
        self.invocations = Invocations()
        self.replies = Replies(world, files)
        self.signer = RequestSigner(world.application.signing_seed)
        self.client = client or httpx.AsyncClient(
            timeout=60, follow_redirects=False, limits=httpx.Limits(max_connections=200), trust_env=False
        )
        self.endpoint = Endpoint(world, self.client, self.signer, self.exchanges, lambda: self.trouble)
        self.webhook_events = WebhookEvents(world, self.client, self.signer, self.exchanges)
        self.user_installs: set[int] = set()
        self.dismissed: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Start the automated checks. Needs a running loop."""
        self._spawn(self.endpoint.keep_probing())

    async def aclose(self) -> None:
        """Stop everything that is under way and close the connections."""
        await self.webhook_events.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()

    def reset(self) -> None:
        """Forget interactions, records and trouble; the application's URLs stay."""
        self.trouble = InteractionTrouble.model_validate({})
        self.exchanges.clear()
        self.invocations.clear()
        self.user_installs.clear()
        self.dismissed.clear()
        self.endpoint.notices.clear()
        self.world.ephemeral.clear()

    # -- from the person to the application

    async def perform(self, invocation: Invocation, *, wait_seconds: float = 0) -> Outcome:
        """Deliver an interaction and wait for its first response; never raises for what the application does.

        `wait_seconds` > 0 also waits that long for a deferred answer to be completed.
        """
        self.invocations.add(invocation)
        started = asyncio.get_running_loop().time()
        url = self.world.application.interactions_endpoint_url
        exchange = self._spawn(
            self._over_gateway(invocation) if url is None else self._over_http(invocation, url)
        )
        answered = asyncio.ensure_future(invocation.answered.wait())
        await asyncio.wait({exchange, answered}, return_when=asyncio.FIRST_COMPLETED)
        answered.cancel()
        if invocation.elapsed_ms is None:
            invocation.elapsed_ms = round((asyncio.get_running_loop().time() - started) * 1000, 2)
        if wait_seconds > 0 and invocation.state is State.ANSWERED:
            try:
                await asyncio.wait_for(invocation.finished.wait(), wait_seconds)
            except TimeoutError:
                log.info("still deferred", interaction=str(invocation.id), waited=wait_seconds)
        return outcome_of(self.world, invocation)

    async def _over_http(self, invocation: Invocation, url: str) -> None:
        body = orjson.dumps(invocation.payload)
        headers = self.signer.headers(body, skew_seconds=self.trouble.timestamp_skew_seconds)
        exchange = self._record("interaction", invocation, url, headers)
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.trouble.deadline_seconds
        if self.trouble.strikes(self.trouble.duplicate_percent):
            self._spawn(self._deliver_again(invocation, url, body, headers))
        if self.trouble.delivery_delay_ms:
            await asyncio.sleep(self.trouble.delivery_delay_ms / 1000)
        answer = await deliver(self.client, url, body, headers, deadline=max(0.001, ends - loop.time()))
        exchange.status, exchange.response = answer.status, answer.shown()
        exchange.elapsed_ms = invocation.elapsed_ms = answer.elapsed_ms
        invocation.http_status = answer.status
        if self.trouble.strikes(self.trouble.lost_answer_percent):
            answer = Answer(None, "", b"", answer.elapsed_ms, "the answer was lost (trouble switch)")
        try:
            await self._judge(invocation, answer, ends)
        except InvalidForm as refusal:
            self._fail(invocation, refusal.message, refusal.lines())
        except Unknown as gone:
            self._fail(invocation, f"the answer refers to something that is gone: {gone}")
        exchange.verdict = "answered" if invocation.state is State.ANSWERED else "failed"
        if invocation.failure:
            exchange.problems = [invocation.failure, *invocation.problems]
        self.exchanges.changed(exchange)

    async def _judge(self, invocation: Invocation, answer: Answer, ends: float) -> None:
        """Take the HTTP answer as the first response. Raises InvalidForm for one that Discord refuses."""
        if answer.status == 202 and not answer.failure:
            await self._await_callback(invocation, ends)
            return
        if invocation.state is State.ANSWERED:
            return
        if answer.failure:
            self._fail(invocation, answer.failure)
        elif answer.status != 200:
            self._fail(invocation, f"HTTP {answer.status} instead of 200 (or 202 with a callback)")
        elif not answer.is_json:
            self._fail(
                invocation, f"Content-Type must be application/json, not {answer.content_type or 'none'!r}"
            )
        else:
            try:
                body = answer.json()
            except ValueError:
                self._fail(invocation, "the answer is not JSON")
            else:
                self.take_first_response(invocation, body, ())

    async def _await_callback(self, invocation: Invocation, ends: float) -> None:
        try:
            async with asyncio.timeout_at(ends):
                await invocation.answered.wait()
        except TimeoutError:
            self._fail(invocation, f"202, but no callback came within {self.trouble.deadline_seconds:g} s")

    async def _deliver_again(
        self, invocation: Invocation, url: str, body: bytes, headers: dict[str, str]
    ) -> None:
        """The same bytes a second time; Discord's answer to a second first response is 40060."""
        await asyncio.sleep(self.trouble.duplicate_delay_ms / 1000)
        exchange = self._record("duplicate", invocation, url, headers)
        answer = await deliver(self.client, url, body, headers, deadline=self.trouble.deadline_seconds)
        exchange.status, exchange.response = answer.status, answer.shown()
        exchange.elapsed_ms = answer.elapsed_ms
        exchange.verdict = "ignored"
        exchange.problems = [answer.failure] if answer.failure else []
        self.exchanges.changed(exchange)

    async def _over_gateway(self, invocation: Invocation) -> None:
        """Without an endpoint URL interactions come as INTERACTION_CREATE and are answered by callback."""
        exchange = self._record("gateway", invocation, None, {})
        self.world.emit("INTERACTION_CREATE", invocation.payload, invocation.guild_id)
        try:
            async with asyncio.timeout(self.trouble.deadline_seconds):
                await invocation.answered.wait()
        except TimeoutError:
            self._fail(
                invocation,
                "no interactions endpoint URL is set, and nobody answered INTERACTION_CREATE on the gateway",
            )
        exchange.verdict = "answered" if invocation.state is State.ANSWERED else "failed"
        exchange.problems = [invocation.failure] if invocation.failure else []
        self.exchanges.changed(exchange)

    # -- from the application

    def take_first_response(self, invocation: Invocation, body: Any, uploads: Sequence[Upload]) -> None:
        """Judge a first response and carry it out. Raises InvalidForm, AlreadyAcknowledged, TooLate."""
        if invocation.state is State.ANSWERED:
            raise AlreadyAcknowledged
        age_ms = self.world.clock() - invocation.created_ms
        if invocation.state is State.FAILED or age_ms > self.trouble.deadline_seconds * 1000:
            raise TooLate
        source = None
        if invocation.source_id is not None:
            found = self.world.messages.get(invocation.channel_id, {}).get(invocation.source_id)
            found = found or self.world.ephemeral.get(invocation.source_id)
            source = message_payload(self.world, found) if found is not None else None
        callback = check_callback(
            body,
            invocation.type,
            from_component=invocation.opened_by_component,
            focused_type=invocation.focused_type,
            source=source,
            files=[upload.filename for upload in uploads],
        )
        if callback.type is ResponseType.LAUNCH_ACTIVITY:
            raise InvalidForm({}, message="the application has no Activity to launch")
        self.replies.apply(invocation, callback, uploads)

    def token_is_alive(self, invocation: Invocation) -> bool:
        """Whether edits and follow-ups are still taken (15 minutes, contract 1.3)."""
        age_ms = self.world.clock() - invocation.created_ms
        return age_ms <= self.trouble.token_life_seconds * 1000

    # -- shared

    def _fail(self, invocation: Invocation, reason: str, problems: Sequence[str] = ()) -> None:
        if invocation.state is State.ANSWERED:
            return
        invocation.state = State.FAILED
        invocation.failure = reason
        invocation.problems = list(problems)
        invocation.answered.set()
        invocation.finished.set()

    def _record(
        self, kind: Any, invocation: Invocation, url: str | None, headers: dict[str, str]
    ) -> Exchange:
        return self.exchanges.add(
            Exchange(
                kind,
                summary_of(invocation),
                self.world.clock(),
                interaction_id=str(invocation.id),
                user_id=str(invocation.user_id),
                guild_id=None if invocation.guild_id is None else str(invocation.guild_id),
                channel_id=str(invocation.channel_id),
                url=url,
                request_headers=headers,
                request=invocation.payload,
            )
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def summary_of(invocation: Invocation) -> str:
    """One line that says what the person did, in the words that the person saw."""
    payload = invocation.payload
    data = payload["data"]
    match invocation.type:
        case InteractionType.COMMAND | InteractionType.AUTOCOMPLETE:
            names = [str(data["name"])]
            options = data.get("options") or []
            while options and options[0]["type"] in {1, 2}:
                names.append(str(options[0]["name"]))
                options = options[0].get("options") or []
            sign = "/" if data.get("type", 1) == 1 else ""
            tail = " (autocomplete)" if invocation.type is InteractionType.AUTOCOMPLETE else ""
            return f"{sign}{' '.join(names)}{tail}"
        case InteractionType.COMPONENT:
            component = find_component(payload["message"]["components"], data["custom_id"])
            emoji = (component.get("emoji") or {}).get("name")
            shown = component.get("label") or component.get("placeholder") or emoji or data["custom_id"]
            return f"{'button' if data['component_type'] == BUTTON else 'menu'} “{shown}”"
        case InteractionType.MODAL_SUBMIT:
            opened = invocation.parent.callback if invocation.parent is not None else None
            return f"form “{opened.data['title'] if opened is not None else data['custom_id']}”"
        case _:
            return "PING"
