"""Sliding windows of one process: what stands in while Redis is away.

They are those of admission.lua, so the two agree on what a limit means; only the reach differs: each process
counts for itself. Memory is bounded by the number of windows times their limits; the oldest windows give way.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from app.admission.limits import Charge

MOST_WINDOWS = 20_000
"""About 10 MB when every one is used to the full."""


class Windows:
    """Windows by key. Times are microseconds of any clock that does not go back."""

    def __init__(self, most: int = MOST_WINDOWS) -> None:
        self._logs: OrderedDict[bytes, deque[int]] = OrderedDict()
        self._most = most

    def charge(self, charges: Sequence[Charge], now: int) -> tuple[int, int] | None:
        """Charge all windows and return None, or none and return (index of the fullest, µs left)."""
        worst: tuple[int, int] | None = None
        for index, charge in enumerate(charges):
            log = self._logs.get(charge.key)
            if log is None or len(log) < charge.limit.count:
                continue
            left = log[-charge.limit.count] + charge.limit.microseconds - now
            if left > 0 and (worst is None or left >= worst[1]):
                worst = index, left
        if worst is not None:
            return worst
        for charge in charges:
            log = self._logs.get(charge.key)
            if log is None:
                log = self._logs[charge.key] = deque(maxlen=charge.limit.count)
                if len(self._logs) > self._most:
                    self._logs.popitem(last=False)
            else:
                self._logs.move_to_end(charge.key)
            log.append(now)
        return None

    def room(self, charge: Charge, now: int) -> int:
        """How many more admissions fit at once."""
        since = now - charge.limit.microseconds
        return charge.limit.count - sum(1 for at in self._logs.get(charge.key, ()) if at > since)

    def clear(self) -> None:
        """Forget everything."""
        self._logs.clear()
