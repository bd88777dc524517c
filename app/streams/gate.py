"""When a group must pause: what it depends on is gone, or everything it handles fails.

    Gate             open → paused (doubling, up to a cap) → ajar: one event at a time → open after a success
    DeadLetterLimit  refuses further dead letters when too many of the last events ended as one: then the
                     fault is ours (a bad deploy), not theirs, and the events are better kept in the stream

Both are per group and process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

Clock = Callable[[], float]


class Gate:
    """Says how many handlers may run now. `clock` returns monotonic seconds."""

    def __init__(
        self, *, width: int, first: float = 0.5, cap: float = 15.0, clock: Clock = time.monotonic
    ) -> None:
        self._width = width
        self._first, self._cap = first, cap
        self._clock = clock
        self._until = 0.0
        self._pauses = 0
        self.reason = ""

    def allows(self, running: int) -> bool:
        """Tell whether one more handler may start while `running` are at work."""
        if self._pauses == 0:
            return running < self._width
        return self.remaining() == 0.0 and running == 0

    def remaining(self) -> float:
        """Return the seconds until the next attempt; 0 when not paused."""
        return max(0.0, self._until - self._clock()) if self._pauses else 0.0

    @property
    def paused(self) -> bool:
        """True from a pause until the next success."""
        return self._pauses > 0

    def pause(self, reason: str) -> float:
        """Close the gate and return for how many seconds. Further calls while it is closed change nothing."""
        if self.remaining() == 0.0:
            self._until = self._clock() + min(self._cap, self._first * 2.0 ** min(self._pauses, 32))
            self._pauses += 1
            self.reason = reason
        return self.remaining()

    def success(self) -> None:
        """Open it: something was handled."""
        self._pauses = 0
        self.reason = ""


class DeadLetterLimit:
    """At most `most` dead letters among the last `window` events that ended, until one succeeds again."""

    def __init__(self, *, most: int = 20, window: int = 40) -> None:
        self._most = most
        self._outcomes: deque[bool] = deque(maxlen=window)
        self._dead = 0

    def success(self) -> None:
        """Count an event that was handled. One success after the limit was reached ends the refusal."""
        if self._dead >= self._most:
            self._outcomes.clear()
            self._dead = 0
        self._add(dead=False)

    def allow(self) -> bool:
        """Count a dead letter and return True, or return False: keep the event and pause."""
        if self._dead >= self._most:
            return False
        self._add(dead=True)
        return True

    def _add(self, *, dead: bool) -> None:
        if len(self._outcomes) == self._outcomes.maxlen and self._outcomes[0]:
            self._dead -= 1
        self._outcomes.append(dead)
        self._dead += dead
