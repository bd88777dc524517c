"""Rate limits as Discord enforces them (contract section 4.2).

Three counters: requests per second of an identity (global, 50), requests per bucket and top-level resource,
and bad answers per IP address (10,000 in ten minutes, then Cloudflare blocks the address). All are fixed
windows that open with their first request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

from sandbox.rest.declare import Bucket
from sandbox.settings import SandboxSettings

GLOBAL_WINDOW_SECONDS = 1.0
K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Window:
    """A running count. `started` is on the monotonic clock."""

    started: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of a bucket after this request. `retry_after` is set when the request exceeds it."""

    bucket: Bucket
    limit: int
    remaining: int
    reset_after: float
    retry_after: float | None

    def headers(self, wall_seconds: float) -> dict[str, str]:
        """The X-RateLimit headers; `wall_seconds` is the present Unix time."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{wall_seconds + self.reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after:.3f}",
            "X-RateLimit-Bucket": self.bucket.hash,
        }


class RateLimits:
    """All counters of one sandbox."""

    def __init__(self, settings: SandboxSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self.global_limit = settings.global_limit
        self.scale = settings.limits_scale
        self._globals: dict[str, Window] = {}
        self._buckets: dict[tuple[str, str, str], Window] = {}
        self._invalid: dict[str, Window] = {}

    def take_global(self, identity: str) -> float | None:
        """Count a request; seconds to wait when the identity has used its second up."""
        if self.global_limit <= 0:
            return None
        window = self._open(self._globals, identity, GLOBAL_WINDOW_SECONDS)
        if window.used >= self.global_limit:
            return max(0.001, window.started + GLOBAL_WINDOW_SECONDS - self._clock())
        window.used += 1
        return None

    def take(self, identity: str, bucket: Bucket, resource: str) -> Verdict:
        """Count a request in its bucket. `resource` names the top-level resource."""
        limit = max(1, math.ceil(bucket.limit * self.scale)) if self.scale > 0 else 1_000_000
        if len(self._buckets) > 10_000:
            self._sweep()
        window = self._open(self._buckets, (identity, bucket.name, resource), bucket.seconds)
        reset_after = max(0.001, window.started + bucket.seconds - self._clock())
        if window.used >= limit:
            return Verdict(bucket, limit, 0, reset_after, reset_after)
        window.used += 1
        return Verdict(bucket, limit, limit - window.used, reset_after, None)

    def _open(self, table: dict[K, Window], key: K, seconds: float) -> Window:
        now = self._clock()
        window = table.get(key)
        if window is None or now >= window.started + seconds:
            window = table[key] = Window(now)
        return window

    def _sweep(self) -> None:
        now = self._clock()
        self._buckets = {key: w for key, w in self._buckets.items() if now < w.started + 60}

    def note_invalid(self, ip: str) -> None:
        """Count an answer of 401, 403 or 429 (not those of scope shared)."""
        self._open(self._invalid, ip, self._settings.invalid_window_seconds).used += 1

    def invalid_count(self, ip: str) -> int:
        """Return how many bad answers the address has had in its present window."""
        return self._open(self._invalid, ip, self._settings.invalid_window_seconds).used

    def blocked_for(self, ip: str) -> float | None:
        """Seconds that Cloudflare still blocks the address; None when it does not."""
        window = self._open(self._invalid, ip, self._settings.invalid_window_seconds)
        if window.used < self._settings.invalid_limit:
            return None
        return max(1.0, window.started + self._settings.invalid_window_seconds - self._clock())

    def reset(self) -> None:
        """Forget every count."""
        self._globals.clear()
        self._buckets.clear()
        self._invalid.clear()
