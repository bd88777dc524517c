"""How often a failed handler is tried again, and how a handler says what kind of failure it is.

    (any exception)   counted; tried again after `Retry.delay(failures)`, a dead letter after `Retry.attempts`
    Poison            can never succeed: a dead letter at once
    TryLater          cannot be done yet: tried again after `after` seconds, not counted as a failure

What is tried again steps aside: later events of the same guild are handled meanwhile. So order within a guild
holds for what succeeds at the first attempt; a handler must not rely on it for what it raised an error for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random

PATIENCE_SECONDS = 3600.0
"""How long TryLater may put an event off before it counts as a failure like any other."""


class Poison(Exception):
    """Can never be handled: a dead letter at once. The message must not quote the event."""


class TryLater(Exception):
    """Cannot be handled yet; not a failure."""

    def __init__(self, message: str = "", *, after: float = 5.0) -> None:
        super().__init__(message)
        self.after = after
        """Seconds until the next attempt."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A strategy is a value: `delay` answers in how many seconds, or None for "give up".

    `attempts` counts all tries, the first included. `first` is the wait in seconds after the first failure;
    it doubles with each further one up to `cap`. Half of it is random, so that what failed together does not
    come back together.
    """

    attempts: int = 5
    first: float = 2.0
    cap: float = 300.0
    patience: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first <= 0 or self.cap < self.first:
            message = f"a retry needs attempts >= 1 and 0 < first <= cap, not {self}"
            raise ValueError(message)

    def delay(self, failures: int, rand: Callable[[], float] = random) -> float | None:
        """Return the seconds to wait after the `failures`-th failure (from 1); None: give up."""
        if failures >= self.attempts:
            return None
        full = min(self.cap, self.first * 2.0 ** min(failures - 1, 64))
        return full * (0.5 + 0.5 * rand())
