"""The record of every request between the sandbox and the application, for the inspector and for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

EXCHANGES_KEPT = 1_000

Kind = Literal[
    "ping", "probe", "interaction", "duplicate", "gateway", "callback", "follow-up", "webhook-event"
]


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `at` is Unix milliseconds, `elapsed_ms` the time until the answer."""

    kind: Kind
    summary: str
    at: int
    number: int = 0
    interaction_id: str | None = None
    user_id: str | None = None
    guild_id: str | None = None
    channel_id: str | None = None
    url: str | None = None
    request_headers: dict[str, str] = field(default_factory=dict)
    request: Any = None
    status: int | None = None
    response: Any = None
    elapsed_ms: float | None = None
    verdict: str = "pending"
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All fields; the interaction token is masked in the request."""
        shown = asdict(self)
        if isinstance(self.request, dict) and "token" in self.request:
            shown["request"] = self.request | {"token": mask(str(self.request["token"]))}
        return shown


def mask(token: str) -> str:
    """Enough of a token to tell two apart, not enough to use it."""
    return f"{token[:6]}…" if len(token) > 12 else "…"


class ExchangeLog:
    """The last exchanges, oldest first. Listeners are told of every new or changed one."""

    def __init__(self) -> None:
        self._kept: deque[Exchange] = deque(maxlen=EXCHANGES_KEPT)
        self._number = 0
        self._listeners: list[Callable[[Exchange], None]] = []

    def __iter__(self) -> Iterator[Exchange]:
        return iter(tuple(self._kept))

    def subscribe(self, listener: Callable[[Exchange], None]) -> Callable[[], None]:
        """Call `listener` for each exchange that is recorded or completed; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def add(self, exchange: Exchange) -> Exchange:
        """Keep an exchange under the next number."""
        self._number += 1
        exchange.number = self._number
        self._kept.append(exchange)
        self.changed(exchange)
        return exchange

    def changed(self, exchange: Exchange) -> None:
        """Tell the listeners that an exchange has its answer."""
        for listener in tuple(self._listeners):
            listener(exchange)

    def clear(self) -> None:
        """Forget everything; numbers go on rising."""
        self._kept.clear()
