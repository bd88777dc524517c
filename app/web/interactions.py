"""POST /interactions, without a framework: the way of an interaction as design section 2 draws it.

    body → signature and age → parse → route → gate (one Redis round trip) → handler → answer

Everything before the gate is pure computation. The gate's `settle` posts the answer to Redis without waiting.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

import orjson

from app.admission.gate import ADMITTED, UNDER_WAY, Gate, Limited, Repeated
from app.admission.limits import Charge, InteractionLimits, Limit, charge
from app.errors import UserError
from app.interactions.dispatch import Dispatcher
from app.interactions.errors import BadSignature, InvalidInteraction
from app.interactions.interaction import Interaction, parse_interaction
from app.interactions.payloads import InteractionType
from app.interactions.replies import Reply
from app.interactions.responses import PONG, Response
from app.interactions.routing import Route
from app.interactions.signature import Verifier
from app.jobs.late_answers import LateAnswers
from app.jobs.queue import JobQueue
from app.locale.text import Text, t
from app.observability import metrics
from app.web.asgi import Receive, Scope, Send, refuse, respond, signed_body
from app.web.flights import Flight, Flights
from app.web.server import answer_at_once
from app.web.unsigned import Unsigned

_COMMAND = InteractionType.APPLICATION_COMMAND
_AUTOCOMPLETE = InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE


class TooFast(UserError):
    """A limit is reached; says when to come back."""

    def __init__(self, limited: Limited) -> None:
        # Discord shows <t:…:R> as a countdown in the reader's language (contract section 0).
        when = f"<t:{math.ceil(time.time() + limited.wait_ms / 1000)}:R>"
        super().__init__(_too_fast(limited.scope, when))


def _too_fast(scope: str, when: str) -> Text:
    match scope:
        case "guild":
            return t("This server is using me very often right now. Please try again {when}.", when=when)
        case "command":
            return t("You have used this often enough for now. Please try again {when}.", when=when)
        case _:
            return t("You are going too fast. Please try again {when}.", when=when)


class StillWorking(UserError):
    """The same interaction came again, and the first one is not answered."""

    def __init__(self) -> None:
        super().__init__(t("I am still working on this."))


class InteractionsEndpoint:
    """The endpoint of one process. An ASGI application for one path."""

    def __init__(
        self,
        verifier: Verifier,
        dispatcher: Dispatcher,
        gate: Gate,
        limits: InteractionLimits,
        unsigned: Unsigned,
        jobs: JobQueue,
        late: LateAnswers,
    ) -> None:
        self._verifier = verifier
        self._dispatcher = dispatcher
        self._gate = gate
        self._limits = limits
        self._unsigned = unsigned
        self._jobs = jobs
        self._late = late
        self._cooldowns: dict[tuple[int, float], Limit] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self.flights = Flights(self._deferral, self._prolong, self._answer_in_its_place)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        body = await signed_body(scope, receive, send)
        if body is None:
            return
        try:
            self._verifier.verify(scope["headers"], body)
        except BadSignature:
            _UNSIGNED.observe((time.perf_counter() - started) * 1000)
            await self._unsigned(scope, send)
            return
        try:
            interaction = parse_interaction(body)
            route = self._dispatcher.route(interaction)
            if route.kind is InteractionType.PING:
                await _answer(send, PONG)
                _PING.observe((time.perf_counter() - started) * 1000)
                return
            await self._guarded(route, interaction, send, started)
        except InvalidInteraction as error:
            _INVALID.observe((time.perf_counter() - started) * 1000)
            await refuse(send, 400, str(error))

    async def _guarded(self, route: Route, interaction: Interaction, send: Send, started: float) -> None:
        """Pass the gate, then handle; or send what the gate says. Raises InvalidInteraction."""
        verdict = await self._gate.admit(interaction.id, self._charges(route, interaction))
        if verdict is ADMITTED:
            await self._handle(route, interaction, send, started)
        elif isinstance(verdict, Repeated):
            await _answer(send, verdict.answer)
            _observe(route, "repeated", started)
        elif isinstance(verdict, Limited):
            answer = self._dispatcher.refuse(TooFast(verdict), route, interaction)
            self._gate.settle(interaction.id, answer.body)
            await _answer(send, answer.body)
            _observe(route, "limited", started)
        else:
            assert verdict is UNDER_WAY
            await _answer(send, self._dispatcher.refuse(StillWorking(), route, interaction).body)
            _observe(route, "under_way", started)

    async def _handle(self, route: Route, interaction: Interaction, send: Send, started: float) -> None:
        flight = self.flights.start(route, interaction, send, started)
        try:
            answer = await self._dispatcher.handle(route, interaction)
            if answer.deferral is not None:
                answer = await self._enqueue(answer, route, interaction)
        except asyncio.CancelledError:
            # The process stops and this handler was not done in time.
            self._gate.abandon(interaction.id)
            if flight.waiting is not None:
                self._deliver(flight, flight.waiting, self._interrupted(interaction))
            raise
        except InvalidInteraction:
            self._gate.abandon(interaction.id)
            if flight.waiting is not None:
                return
            raise
        except Exception:
            self._gate.abandon(interaction.id)
            raise
        finally:
            self.flights.end(flight)
        if flight.waiting is None:
            self._gate.settle(interaction.id, answer.body)
            await _answer(send, answer.body)
            _observe(route, "answered" if answer.deferral is None else "job", started)
        else:
            self._deliver(flight, flight.waiting, answer)
        if answer.disable is not None:
            self._late.disable(answer.disable)

    async def _enqueue(self, answer: Response, route: Route, interaction: Interaction) -> Response:
        """Put the job into the stream; answer with the reason when that is impossible."""
        assert answer.deferral is not None
        assert route.defer is not None
        try:
            await self._jobs.enqueue(
                answer.deferral, interaction, self._dispatcher.renderer.audience(interaction), route.defer
            )
        except UserError as error:
            return self._dispatcher.refuse(error, route, interaction)
        return answer

    # The limits

    def _charges(self, route: Route, interaction: Interaction) -> list[Charge]:
        limits, user = self._limits, interaction.user_id
        charges: list[Charge] = []
        if route.kind is _AUTOCOMPLETE:
            if limits.autocomplete is not None:
                charges.append(charge("autocomplete", user, limits.autocomplete))
            return charges
        if limits.user is not None:
            charges.append(charge("user", user, limits.user))
        own = limits.user_command if route.kind is _COMMAND else None
        if (cooldown := route.cooldown) is not None:
            key = (cooldown.uses, cooldown.seconds)
            own = self._cooldowns.get(key)
            if own is None:
                own = self._cooldowns[key] = Limit(*key)
        if own is not None:
            charges.append(charge("command", f"{user}:{route.name}", own))
        if limits.guild is not None and interaction.guild_id is not None:
            charges.append(charge("guild", interaction.guild_id, limits.guild))
        return charges

    # Slow handlers

    def _deferral(self, flight: Flight) -> Response | None:
        return self._dispatcher.deferral(flight.route, flight.interaction)

    def _prolong(self, flight: Flight) -> None:
        self._gate.prolong(flight.interaction.id)

    def _answer_in_its_place(self, flight: Flight) -> None:
        assert flight.waiting is not None
        self._gate.settle(flight.interaction.id, flight.waiting.body)
        _observe(flight.route, "deferred", flight.started)
        metrics.AUTOMATIC_DEFERRALS.labels(flight.route.kind.name.lower()).inc()
        sending = asyncio.create_task(_answer(flight.send, flight.waiting.body))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    def _deliver(self, flight: Flight, waiting: Response, answer: Response) -> None:
        """Send over REST what the handler returned after its deferral."""
        interaction = flight.interaction
        if flight.route.kind is _AUTOCOMPLETE:
            return
        calls = self._dispatcher.late_calls(waiting, answer, interaction)
        self._late.deliver(interaction.id, interaction.token, calls, lambda: self._blocked(interaction))

    def _blocked(self, interaction: Interaction) -> Mapping[str, Any]:
        text = t("Discord blocked my answer: this server's AutoMod does not allow what it says.")
        return self._data(Reply.private(text), interaction)

    def _interrupted(self, interaction: Interaction) -> Response:
        renderer = self._dispatcher.renderer
        reply = Reply.private(t("I was restarted while I worked on this. Please try again."))
        return renderer.message(reply, renderer.audience(interaction))

    def _data(self, reply: Reply, interaction: Interaction) -> dict[str, Any]:
        renderer = self._dispatcher.renderer
        payload: dict[str, Any] = orjson.loads(renderer.message(reply, renderer.audience(interaction)).body)
        return {key: value for key, value in payload["data"].items() if key != "flags"}


_OUTCOMES = ("answered", "job", "deferred", "repeated", "limited", "under_way")
_OBSERVED = {
    (kind, outcome): metrics.INTERACTION_MS.labels(kind.name.lower(), outcome)
    for kind in list(InteractionType)
    for outcome in _OUTCOMES
}
_PING = _OBSERVED[InteractionType.PING, "answered"]
_UNSIGNED = metrics.INTERACTION_MS.labels("unknown", "unsigned")
_INVALID = metrics.INTERACTION_MS.labels("unknown", "invalid")


async def _answer(send: Send, body: bytes) -> None:
    if not answer_at_once(send, body):
        await respond(send, 200, body)


def _observe(route: Route, outcome: str, started: float) -> None:
    _OBSERVED[route.kind, outcome].observe((time.perf_counter() - started) * 1000)
