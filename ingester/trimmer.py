"""Keeps the event streams short: behind the slowest consumer group, and below a hard cap whatever happens.

One process of all instances does it at a time. Reaching the cap means that consumers are so far behind that Redis
would run out of memory: the oldest entries go, they are counted, and the error log says so.
"""

from __future__ import annotations

import asyncio
import logging
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis.cancellation import end_if_cancelled
from app.events.envelope import PARTITIONS, stream_name
from app.observability import metrics
from ingester import keys

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0


class Trimmer:
    """Trims all streams every 5 s. `cap`: entries of one stream (STREAM_MAX_ENTRIES)."""

    def __init__(self, redis: Redis, cap: int) -> None:
        self._redis = redis
        self._cap = cap
        self._trim = redis.register_script(files(__package__).joinpath("trim.lua").read_text("utf-8"))

    async def run(self) -> None:
        """Trim until cancelled, as long as no other process does."""
        while True:
            end_if_cancelled()
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                mine = await self._redis.set(keys.TRIM_LOCK, "1", nx=True, px=int(INTERVAL_SECONDS * 900))
                if mine:
                    await self.trim()
                else:
                    # Another process tells how long the streams are: ours would be an old number beside it.
                    metrics.GATEWAY_STREAM_ENTRIES.clear()
            except RedisError as error:
                log.warning("streams not trimmed", extra={"error": type(error).__name__})

    async def trim(self) -> None:
        """Trim every stream once. Raises RedisError."""
        for partition in range(PARTITIONS):
            reply: Any = await self._trim(keys=[stream_name(partition)], args=[self._cap])
            trimmed, dropped, left, groups = reply
            metrics.GATEWAY_STREAM_ENTRIES.labels(partition).set(left)
            metrics.GATEWAY_STREAM_TRIMMED.inc(trimmed)
            if dropped:
                metrics.GATEWAY_EVENTS_DROPPED.labels("stream_cap").inc(dropped)
                log.error(
                    "events dropped unread: the stream has reached its cap, consumers are too far behind",
                    extra={"stream": stream_name(partition), "dropped": dropped, "groups": groups},
                )
