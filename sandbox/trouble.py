"""Switches for trouble: what the sandbox does to its clients on purpose.

A switch stays on until it has hit `count` times, until `seconds` have passed, or until it is switched off.
Single events (drop a socket, send op 7, close with a code) are calls of the gateway, not switches.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class RestKind(StrEnum):
    """What can be done to a REST request."""

    RATE_LIMIT = "rate_limit"
    """Answer 429 with `scope` and `retry_after`."""
    SERVER_ERROR = "server_error"
    """Answer `status` with an HTML page, as a proxy does."""
    LATENCY = "latency"
    """Wait `milliseconds` before handling the request."""
    LOST_ANSWER = "lost_answer"
    """Do what was asked, then close the connection without an answer."""
    CLOUDFLARE = "cloudflare"
    """Answer 429 as Cloudflare does when an IP address is blocked: plain text, no `Via` header."""


class GatewayKind(StrEnum):
    """What can be done to gateway traffic."""

    NO_ACK = "no_ack"
    """Zombie: the socket stays open, heartbeats are not acknowledged and events are held back."""
    DUPLICATE = "duplicate"
    """Dispatch an event twice, each time with its own sequence number."""
    OUT_OF_ORDER = "out_of_order"
    """Hold an event back and dispatch it after the next one."""
    MALFORMED = "malformed"
    """Send a broken frame instead of an event; `form` says how it is broken, `lasting` whether RESUME brings it
    broken again.
    """
    HUGE = "huge"
    """Add `kilobytes` of undocumented padding to an event."""
    DELAY = "delay"
    """Dispatch an event `milliseconds` later; order is kept."""
    REFUSE_CONNECT = "refuse_connect"
    """Answer a WebSocket handshake with 503."""
    SLOW_ACK = "slow_ack"
    """Acknowledge a heartbeat `milliseconds` late: the latency that clients measure."""
    REFUSE_SESSION = "refuse_session"
    """Answer IDENTIFY or RESUME with close code `code`."""
    INVALID_SESSION = "invalid_session"
    """Answer IDENTIFY or RESUME with op 9; `resumable` is its data."""
    OP7_BEFORE_HELLO = "op7_before_hello"
    """Send RECONNECT as the first frame of a connection (contract section 5.3)."""


class BrokenForm(StrEnum):
    """How a malformed frame is broken."""

    TEXT = "text"
    """Half a JSON object as plain text, past the agreed compression."""
    JSON = "json"
    """Half a JSON object in the agreed compression."""
    SHAPE = "shape"
    """A dispatch whose data is a list, in the agreed compression."""
    COMPRESSION = "compression"
    """Binary noise that the agreed compression cannot read."""


class _Switch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int = 0
    share: float = Field(default=1.0, gt=0, le=1, description="Share of the events or requests that are hit.")
    count: int | None = Field(default=None, ge=1, description="Hits left; null means no end.")
    seconds: float | None = Field(default=None, gt=0, description="Seconds until it switches itself off.")
    until: float | None = Field(default=None, exclude=True)
    hits: int = 0


S = TypeVar("S", bound=_Switch)


class RestTrouble(_Switch):
    """A switch for REST requests."""

    kind: RestKind
    route: str = Field(
        default="*",
        description="Which requests, as a pattern over method and template, for example"
        " `DELETE /channels/{channel_id}/messages/*`; `*` matches everything.",
    )
    scope: Literal["user", "global", "shared"] = "user"
    retry_after: float = Field(default=1.0, gt=0)
    status: int = Field(default=502, ge=500, le=599)
    milliseconds: int = Field(default=1000, ge=0)


class GatewayTrouble(_Switch):
    """A switch for gateway connections; `shard` null means all."""

    kind: GatewayKind
    shard: int | None = Field(default=None, ge=0)
    event: str = Field(default="*", description="Which events, as a pattern over their name.")
    resumable: bool = False
    milliseconds: int = Field(default=1000, ge=0)
    kilobytes: int = Field(default=512, ge=1, le=16_384)
    code: int = Field(default=4000, ge=1000, le=4999, description="For refuse_session.")
    form: BrokenForm = Field(default=BrokenForm.TEXT, description="For malformed.")
    lasting: bool = Field(default=False, description="For malformed: the replay is broken too (as `json`).")


class Trouble:
    """All switches. `random` may be seeded for repeatable tests."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, rng: random.Random | None = None
    ) -> None:
        self._clock = clock
        self.random = rng or random.Random()
        self._ids = itertools.count(1)
        self._rest: dict[int, RestTrouble] = {}
        self._gateway: dict[int, GatewayTrouble] = {}

    def add(self, switch: RestTrouble | GatewayTrouble) -> RestTrouble | GatewayTrouble:
        """Switch something on; the returned switch carries its id."""
        made = switch.model_copy(update={"id": next(self._ids), "hits": 0})
        made.until = None if made.seconds is None else self._clock() + made.seconds
        if isinstance(made, RestTrouble):
            self._rest[made.id] = made
        else:
            self._gateway[made.id] = made
        return made

    def remove(self, switch_id: int) -> bool:
        """Switch one off; False when there is none of that id."""
        gone = self._rest.pop(switch_id, None) or self._gateway.pop(switch_id, None)
        return gone is not None

    def clear(self) -> None:
        """Switch everything off."""
        self._rest.clear()
        self._gateway.clear()

    @property
    def switches(self) -> list[RestTrouble | GatewayTrouble]:
        """All that is on."""
        return [*self._live(self._rest), *self._live(self._gateway)]

    def for_request(self, route: str) -> list[RestTrouble]:
        """Return the switches that hit this request (`GET /users/@me`), and count the hits."""
        if not self._rest:
            return []
        matching = (s for s in self._live(self._rest) if matches(s.route, route))
        return [s for s in matching if self._hits(s, self._rest)]

    def for_gateway(self, kind: GatewayKind, shard: int | None, event: str = "") -> GatewayTrouble | None:
        """Return the first switch of that kind that hits, and count the hit."""
        if not self._gateway:
            return None
        for switch in self._live(self._gateway):
            if switch.kind != kind or switch.shard not in {None, shard}:
                continue
            if event and not fnmatchcase(event, switch.event):
                continue
            if self._hits(switch, self._gateway):
                return switch
        return None

    def is_on(self, kind: GatewayKind, shard: int | None) -> bool:
        """Whether a switch of that kind is on for the shard; counts no hit."""
        return any(s.kind == kind and s.shard in {None, shard} for s in self._live(self._gateway))

    def _live(self, table: dict[int, S]) -> Iterator[S]:
        now = self._clock()
        for switch in list(table.values()):
            if switch.until is not None and now >= switch.until:
                del table[switch.id]
            else:
                yield switch

    def _hits(self, switch: S, table: dict[int, S]) -> bool:
        if switch.share < 1 and self.random.random() >= switch.share:
            return False
        switch.hits += 1
        if switch.count is not None:
            switch.count -= 1
            if switch.count == 0:
                table.pop(switch.id, None)
        return True


def matches(pattern: str, route: str) -> bool:
    """Whether a route (`METHOD /template`) fits a pattern; a pattern without a method fits every method."""
    if pattern.startswith("/"):
        route = route.partition(" ")[2]
    escaped = pattern.replace("[", "[[]")
    return fnmatchcase(route, escaped)
