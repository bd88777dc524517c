"""When a shard may send IDENTIFY: one per bucket and 5 s, lowest shard first, and never the last ones of a day.

Discord lets `max_concurrency` shards identify per 5 s, each in the bucket shard % max_concurrency, and about 1,000
IDENTIFYs a day over all shards; one more and it resets the bot's token (contract sections 5.3 and 5.4). The slots
and what is left of the day are kept in Redis, so that all processes on all machines share them. RESUME is free.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis.cancellation import end_if_cancelled
from app.errors import DiscordUnreachable
from app.observability import metrics
from ingester import keys
from ingester.gateway_bot import AskedToWait, StartLimit

log = logging.getLogger(__name__)

WINDOW_MS = 5_000
MARGIN_MS = 100
"""Added to Discord's 5 s, since the way to Discord is not always equally long."""
CLAIM_MS = 30_000
"""A claimed slot is given up when its shard has not sent IDENTIFY for so long."""
INTEREST_MS = 6_000
UNREACHABLE_SECONDS = 3.0
POLL_SECONDS = 1.0
"""Waiting shards ask at least so often, within their interest."""
BUDGET_MS = 30_000
"""What Discord said about the day is believed for so long; our own IDENTIFYs are counted down meanwhile."""
RESERVE_SHARE = 20
"""One in so many of the day's IDENTIFYs is kept back, at least one per shard: enough to start once by hand."""


class IdentifySlots:
    """Claims slots for the shards of one process. `ask_discord` reads GET /gateway/bot."""

    def __init__(
        self, redis: Redis, total: int, max_concurrency: int, ask_discord: Callable[[], Awaitable[StartLimit]]
    ) -> None:
        self._redis = redis
        self._total = total
        self._max_concurrency = max(1, max_concurrency)
        self._ask_discord = ask_discord
        self._asking = asyncio.Lock()
        self._claim = redis.register_script(_script("identify.lua"))
        self._note = redis.register_script(_script("identify_budget.lua"))
        self._done = redis.register_script(_script("identify_done.lua"))
        self._warned_at = 0.0

    async def acquire(self, shard: int) -> None:
        """Wait until the shard may identify. While Redis or Discord does not answer, it may not.

        Raises LoggedOut when Discord refuses the token.
        """
        while True:
            end_if_cancelled()
            try:
                wait = await self._try(shard)
            except RedisError as error:
                log.warning("IDENTIFY waits for Redis", extra={"shard": shard, "error": type(error).__name__})
                wait = POLL_SECONDS
            except AskedToWait as error:
                log.warning("IDENTIFY waits for Discord", extra={"shard": shard, "error": str(error)})
                wait = error.seconds
            except DiscordUnreachable as error:
                log.warning("IDENTIFY waits for Discord", extra={"shard": shard, "error": str(error)})
                wait = UNREACHABLE_SECONDS
            if wait is None:
                return
            await asyncio.sleep(wait)

    async def _try(self, shard: int) -> float | None:
        """Return None when claimed, else the seconds until it is worth asking again."""
        bucket = shard % self._max_concurrency
        reply: Any = await self._claim(
            keys=[keys.identify_slot(bucket), keys.identify_waiting(bucket), keys.IDENTIFY_BUDGET],
            args=[shard, CLAIM_MS, INTEREST_MS],
        )
        if reply[0] == 1:
            return None
        if reply[0] == 2:
            await self._refresh_budget(shard)
            return 0.0
        if reply[0] == 3:
            self._warn(shard, reply)
            return POLL_SECONDS
        return min(float(reply[1]) / 1000, POLL_SECONDS)

    async def _refresh_budget(self, shard: int) -> None:
        async with self._asking:
            if await self._redis.exists(keys.IDENTIFY_BUDGET):
                return
            limit = await self._ask_discord()
            metrics.GATEWAY_IDENTIFY_BUDGET.set(limit.remaining)
            await self._note(
                keys=[keys.IDENTIFY_BUDGET],
                args=[limit.remaining, limit.reset_after, self.reserve(limit), BUDGET_MS],
            )
            log.debug("asked Discord for the identify budget", extra={"shard": shard})

    def reserve(self, limit: StartLimit) -> int:
        """Return how many IDENTIFYs of the day are never used by this program."""
        return min(max(limit.total // RESERVE_SHARE, self._total), limit.total // 2)

    def _warn(self, shard: int, reply: list[int]) -> None:
        _, wait_ms, remaining, reserve = reply
        if time.monotonic() - self._warned_at < 60:
            return
        self._warned_at = time.monotonic()
        metrics.ERRORS.labels("identify_budget").inc()
        log.error(
            "IDENTIFY waits: today's budget is used up to the reserve; one more than Discord allows resets the token",
            extra={"shard": shard, "remaining": remaining, "reserve": reserve, "wait_s": wait_ms // 1000},
        )

    async def sent(self, shard: int) -> None:
        """IDENTIFY is out: the bucket's next one may follow 5 s from now."""
        metrics.GATEWAY_IDENTIFIES.labels(shard).inc()
        await self._finish(shard, WINDOW_MS + MARGIN_MS)

    async def accepted(self, shard: int) -> None:
        """READY has come: however long IDENTIFY was on its way, 5 s from now are 5 s for Discord too."""
        await self._finish(shard, WINDOW_MS + MARGIN_MS)

    async def not_sent(self, shard: int) -> None:
        """The socket failed before IDENTIFY: slot and budget return."""
        await self._finish(shard, 0)

    async def _finish(self, shard: int, milliseconds: int) -> None:
        slot = keys.identify_slot(shard % self._max_concurrency)
        try:
            await self._done(keys=[slot, keys.IDENTIFY_BUDGET], args=[shard, milliseconds])
        except RedisError as error:
            # The claim lapses by itself, later than it could.
            log.warning("identify slot not confirmed", extra={"shard": shard, "error": type(error).__name__})


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
