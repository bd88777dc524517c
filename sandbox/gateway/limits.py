"""How often bots may identify: `max_concurrency` starts per window, and a daily number of starts (contract
5.3, 5.4).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from sandbox.settings import SandboxSettings

DAY_SECONDS = 24 * 3600
TOLERANCE_SECONDS = 0.1
"""Clients measure the five seconds at their end; a start this much early is forgiven."""


class IdentifyLimits:
    """Counts IDENTIFYs of one application."""

    def __init__(self, settings: SandboxSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._starts: deque[float] = deque()
        self._last: dict[int, float] = {}

    def too_fast(self, shard: int) -> bool:
        """Whether the shard's start bucket (shard % max_concurrency) was used within the window."""
        last = self._last.get(shard % self._settings.max_concurrency)
        window = self._settings.identify_window_seconds
        return last is not None and self._clock() - last < window - min(TOLERANCE_SECONDS, window / 2)

    def note(self, shard: int) -> None:
        """Count a start."""
        now = self._clock()
        self._last[shard % self._settings.max_concurrency] = now
        self._starts.append(now)

    @property
    def remaining(self) -> int:
        """Starts left today."""
        self._forget_old()
        return max(0, self._settings.identify_limit - len(self._starts))

    def session_start_limit(self) -> dict[str, int]:
        """Return `session_start_limit` of `GET /gateway/bot`; `reset_after` in milliseconds."""
        remaining = self.remaining
        seconds = DAY_SECONDS - (self._clock() - self._starts[0]) if self._starts else 0
        return {
            "total": self._settings.identify_limit,
            "remaining": remaining,
            "reset_after": int(seconds * 1000),
            "max_concurrency": self._settings.max_concurrency,
        }

    def reset(self) -> None:
        """Forget every start."""
        self._starts.clear()
        self._last.clear()

    def _forget_old(self) -> None:
        since = self._clock() - DAY_SECONDS
        while self._starts and self._starts[0] <= since:
            self._starts.popleft()
