"""Sliding windows: in Redis for messages as they come, in memory for a replay."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from importlib.resources import files

from redis.asyncio import Redis

MOST_KEPT = 2_000
"""Members of a window; more than any rule counts."""


class RedisWindows:
    """One atomic script per happening; a message that is delivered twice counts once."""

    def __init__(self, redis: Redis) -> None:
        assert __package__ is not None
        self._count = redis.register_script(files(__package__).joinpath("window.lua").read_text())

    async def count(self, key: str, member: str, at_ms: int, window_ms: int) -> int:
        """Add `member` once and return how many lie in the window that ends with it. Raises RedisError, OSError."""
        return int(await self._count(keys=[f"mod:{key}"], args=[member, at_ms, window_ms, MOST_KEPT]))


class ReplayedWindows:
    """The same for one backtest, without Redis."""

    def __init__(self) -> None:
        self._times: dict[str, list[int]] = {}

    async def count(self, key: str, member: str, at_ms: int, window_ms: int) -> int:
        """As RedisWindows; members come once and nearly in order."""
        times = self._times.setdefault(key, [])
        insort(times, at_ms)
        if len(times) > MOST_KEPT:
            del times[: -MOST_KEPT // 2]
        last = times[bisect_left(times, at_ms + window_ms) - 1]
        return bisect_right(times, last) - bisect_right(times, last - window_ms)
