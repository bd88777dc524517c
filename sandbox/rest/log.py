"""The last REST calls, for the inspector: never a token, never an interaction token, long texts cut."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

CALLS_KEPT = 1000
TEXT_KEPT = 2000
_SECRETS = frozenset({"token", "access_token", "refresh_token", "client_secret", "signing_seed"})


@dataclass(slots=True)
class LoggedCall:
    """One request and its answer. `seconds` is how long the sandbox took."""

    id: int
    at_ms: int
    method: str
    route: str
    path: str
    status: int
    seconds: float
    identity: str
    reason: str | None = None
    bucket: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    request: Any = None
    response: Any = None
    files: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


class RestLog:
    """A ring of calls, and listeners who hear of each."""

    def __init__(self) -> None:
        self.calls: deque[LoggedCall] = deque(maxlen=CALLS_KEPT)
        self._ids = itertools.count(1)
        self._listeners: list[Callable[[LoggedCall], None]] = []
        self.total = 0

    def subscribe(self, listener: Callable[[LoggedCall], None]) -> Callable[[], None]:
        """Call `listener` for every call from now on; returns what ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def next_id(self) -> int:
        """Return the id of the next entry."""
        return next(self._ids)

    def add(self, call: LoggedCall) -> None:
        """Keep a call."""
        self.calls.append(call)
        self.total += 1
        for listener in tuple(self._listeners):
            listener(call)


def redact(value: Any) -> Any:
    """Return JSON without secrets and with long texts cut."""
    if isinstance(value, dict):
        return {k: "[secret]" if k in _SECRETS and v else redact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value[:200]]
    if isinstance(value, str) and len(value) > TEXT_KEPT:
        return value[:TEXT_KEPT] + "…"
    return value
