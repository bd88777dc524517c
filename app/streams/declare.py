"""Declare what handles which event.

    @consumes(MessageCreated, MessageUpdated, group="moderation", retry=Retry(attempts=5, first=2.0))
    async def check_message(event: MessageCreated | MessageUpdated, *, automod: Automod) -> None: ...

    @scheduled("moderation.unban")
    async def unban(job: Scheduled, *, cases: Cases) -> None: ...

The function itself is returned unchanged, so a test calls it; the declaration hangs on it and is found by
`app.streams.discovery`. Keyword-only parameters are services, found by their type (`app.services`).

All handlers of a group share the group's place in the streams; each handler is retried on its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from app.events.event import Event
from app.streams.retry import Retry

ATTRIBUTE = "__gatehouse_stream__"
HANDLER_SECONDS = 60.0
"""How long a handler may take before it counts as failed; a hanging one must not hold its guild for ever."""

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[None]])


@dataclass(frozen=True, slots=True)
class Consumer:
    """A handler of events."""

    name: str
    function: Callable[..., Awaitable[None]]
    events: tuple[type[Event], ...]
    group: str
    retry: Retry
    seconds: float
    parallel: int


@dataclass(frozen=True, slots=True)
class Job:
    """A handler of scheduled work."""

    name: str
    function: Callable[..., Awaitable[None]]
    kind: str
    retry: Retry
    seconds: float


def consumes(
    *events: type[Event],
    group: str,
    retry: Retry | None = None,
    seconds: float = HANDLER_SECONDS,
    parallel: int = 1,
) -> Callable[[Handler], Handler]:
    """Handle these events in the consumer group `group`, each call within `seconds`.

    `parallel`: how many events of one guild may be in the handler at once. 1 keeps their order; more lets a
    busy guild wait for slow answers side by side: events then start in order but may end out of it. The
    smallest number among the handlers of a group counts for the group.
    """
    if not events or parallel < 1:
        message = "@consumes needs at least one event type, and parallel >= 1"
        raise ValueError(message)
    _check_name(group)

    def declare(function: Handler) -> Handler:
        name = _name(function)
        declared = Consumer(name, function, events, group, retry or Retry(), seconds, parallel)
        setattr(function, ATTRIBUTE, declared)
        return function

    return declare


def scheduled(
    kind: str, *, retry: Retry | None = None, seconds: float = HANDLER_SECONDS
) -> Callable[[Handler], Handler]:
    """Handle scheduled work of this kind, each call within `seconds`."""
    _check_name(kind)

    def declare(function: Handler) -> Handler:
        setattr(function, ATTRIBUTE, Job(_name(function), function, kind, retry or Retry(), seconds))
        return function

    return declare


def declaration_of(function: Any) -> Consumer | Job | None:
    """Return what was declared on the function, or None."""
    found = getattr(function, ATTRIBUTE, None)
    return found if isinstance(found, Consumer | Job) else None


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _check_name(name: str) -> None:
    if not name or not all(character.isalnum() or character in "._-" for character in name):
        message = f"{name!r}: groups and kinds are letters, digits, dots, underscores and dashes"
        raise ValueError(message)
