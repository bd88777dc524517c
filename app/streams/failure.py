"""What an error of a handler means, and how it is told without quoting an event.

    Again        try again in some seconds
    Dead         a dead letter
    Unavailable  a store is gone: nobody's fault; the group pauses and the event keeps its place
    Lost         the partition belongs to another worker: drop it, that worker has it

An error's own message is told only where we wrote it: another one may quote what a member said.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from random import random
from types import TracebackType

import psycopg
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.errors import AppError, DatabaseUnavailable, PoolExhausted, UserError
from app.events.event import MalformedEvent
from app.streams.fencing import StaleLease
from app.streams.retry import Poison, Retry, TryLater


@dataclass(frozen=True, slots=True)
class Again:
    """Try again in `seconds`; `failures` is the new count."""

    seconds: float
    failures: int


@dataclass(frozen=True, slots=True)
class Dead:
    """Make it a dead letter; `why` is poison, malformed, attempts, crash or handler-gone."""

    why: str
    failures: int


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Pause the group."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Forget the entry: another worker has the partition."""


Verdict = Again | Dead | Unavailable | Lost


def judge(
    error: Exception, retry: Retry, *, failures: int, age: float, rand: Callable[[], float] = random
) -> Verdict:
    """Decide what follows from `error`. `failures` so far; `age` of the event in seconds."""
    if isinstance(error, StaleLease):
        return Lost()
    if isinstance(error, MalformedEvent):
        return Dead("malformed", failures + 1)
    if isinstance(error, Poison):
        return Dead("poison", failures + 1)
    if isinstance(error, TryLater) and age < retry.patience:
        return Again(max(0.0, error.after), failures)
    if is_unavailable(error):
        return Unavailable(describe(error))
    delay = retry.delay(failures + 1, rand)
    return Dead("attempts", failures + 1) if delay is None else Again(delay, failures + 1)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether a store could not be reached, as against a statement that it refused."""
    if isinstance(
        error, DatabaseUnavailable | PoolExhausted | PoolTimeout | RedisConnectionError | RedisTimeoutError
    ):
        return True
    if isinstance(error, psycopg.OperationalError):
        # No state: the connection broke. 08: connection, 57P: the server is stopping or starting, 53: it is
        # out of connections, memory or disk. Deadlocks (40P01) and timeouts (57014) are not among them.
        return error.sqlstate is None or error.sqlstate.startswith(("08", "57P", "53"))
    return False


def describe(error: BaseException) -> str:
    """Return the error's type, and its message where we wrote it: others may quote what a member said."""
    name = type(error).__name__
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return f"{name} ({error.sqlstate})"
    ours = isinstance(error, Poison | TryLater | MalformedEvent | AppError)
    return f"{name}: {error}" if ours and str(error) and not isinstance(error, UserError) else name


def frames(error: BaseException) -> str:
    """Return where the error and its causes arose: files, lines and code, no values and no messages."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append("".join(_lines(current.__traceback__)) + describe(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\n\n".join(reversed(parts))


def _lines(trace: TracebackType | None) -> list[str]:
    return traceback.format_list(traceback.extract_tb(trace))
