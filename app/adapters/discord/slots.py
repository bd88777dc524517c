"""What the callers and the limiters say to one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from app.adapters.discord.priority import Priority
from app.adapters.discord.routes import Target


class Scope(StrEnum):
    """Whose limit a 429 tells of (contract 4.2)."""

    USER = "user"
    """This bot in this bucket."""
    GLOBAL = "global"
    """This bot everywhere."""
    SHARED = "shared"
    """A resource that others use too; not counted among the bad answers."""
    EDGE = "edge"
    """Not from Discord's API but from the network in front of it: the address is blocked."""


class Answer(StrEnum):
    """What a limiter says to a call."""

    GO = "go"
    WAIT = "wait"
    """Not yet; ask again after `wait`."""
    LATE_BUCKET = "late_bucket"
    """The route's bucket frees no slot before the deadline."""
    LATE_GLOBAL = "late_global"
    """The global limit frees no slot before the deadline."""
    BAD = "bad"
    """The budget for bad answers is half used, and stays so until after the deadline."""
    OUT = "out"
    """The token is refused by Discord."""
    GONE = "gone"
    """The webhook or interaction token was unknown to Discord."""


@dataclass(slots=True)
class Ticket:
    """A call that wants a slot. `position` is its place in the queues, 0 before it has one."""

    id: str
    target: Target
    priority: Priority
    position: int = 0
    checks_token: bool = False
    """It goes out even if the token counts as refused, to find out whether it still is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a ticket.

    `wait` in seconds; `lane` and `epoch` name the bucket's window that the slot was taken from; `processes` share
    the limits; `bad_answers` were counted in the last ten minutes. `counted_here`: by this process's own limiter.
    """

    answer: Answer
    wait: float = 0.0
    lane: str = ""
    epoch: int = 0
    processes: int = 1
    bad_answers: int = 0
    counted_here: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """The rate-limit headers of an answer: `reset_after` in seconds."""

    id: str
    limit: int
    remaining: int
    reset_after: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, as far as limits are concerned.

    `answered` is False after network errors and answers that did not come from the API itself. `retry_after` in
    seconds. `bad` counts towards the budget for bad answers. `webhook_gone` stops all calls by that webhook,
    `logged_out` all by the bot token, until a check tells that it is not (False).
    """

    answered: bool = False
    bucket: Bucket | None = None
    scope: Scope | None = None
    retry_after: float = 0.0
    bad: bool = False
    webhook_gone: bool = False
    logged_out: bool | None = None

    def logging_out(self, *, out: bool) -> Outcome:
        """Return the same outcome, which also tells whether the token is refused."""
        return replace(self, logged_out=out)


class Limiter(Protocol):
    """Gives slots. Implemented over Redis for all processes of a bot, and within one process."""

    async def take(self, ticket: Ticket, left: float) -> Verdict:
        """Take a slot, or say how long to wait; `left` seconds remain until the call's deadline."""

    async def settle(self, ticket: Ticket, verdict: Verdict, outcome: Outcome) -> None:
        """Learn from the end of a call that had its slot by `verdict`."""
