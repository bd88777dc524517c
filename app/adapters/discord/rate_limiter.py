"""When a call may go out: Discord's limits, kept by all processes of a bot together.

How Discord limits. Each route belongs to a bucket whose opaque id comes with the answers; a bucket's slots are
counted per top-level resource in windows that begin with the first call and whose size the headers tell
(contract 4.2). On top stand a limit for all calls of a bot per second, and a block of the address after too many
bad answers.

How we keep them. `rate_limiter.lua` gives slots, `rate_limiter_settle.lua` learns from answers; both run in Redis,
on its clock, so processes agree. Waiting calls stand in queues ordered by priority and arrival. Log and bulk calls
are spread evenly over a bucket's window: whenever a more urgent call comes, either a slot is free or the next one
is less than a window divided by the limit away. If Redis is out of reach, `LocalLimiter` keeps this process to its
share until Redis is back.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.discord.errors import LoggedOut, RateLimited, UnknownWebhook
from app.adapters.discord.limits import Limits
from app.adapters.discord.local_limiter import LocalLimiter
from app.adapters.discord.priority import Priority
from app.adapters.discord.routes import Target
from app.adapters.discord.script_batches import ROUND_TRIP_SECONDS
from app.adapters.discord.shared_limiter import SharedLimiter
from app.adapters.discord.slots import Answer, Limiter, Outcome, Ticket, Verdict
from app.observability import metrics

logger = logging.getLogger(__name__)

RETRY_REDIS_SECONDS = 1.0
"""How long this process keeps to its share before it asks Redis again."""

PATIENCE, PATIENCE_MIN = 0.3, 0.2
"""Part of the time that is left, and seconds, that a call waits for Redis before it keeps to this process's share."""

TELL_SECONDS = 30.0
"""A flapping Redis is logged no more often than this; the metrics count every time."""

_LIMIT_NAMES = {
    Answer.LATE_BUCKET: "the route's bucket",
    Answer.LATE_GLOBAL: "the global limit",
    Answer.BAD: "the budget for bad answers (401, 403, 429)",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """Permission to send one call now. Give it back with `settle`."""

    ticket: Ticket
    verdict: Verdict


class RateLimiter:
    """Makes calls wait for their slots; falls back to this process's share without Redis."""

    def __init__(
        self,
        limits: Limits,
        shared: Limiter,
        local: LocalLimiter,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = limits
        self._shared = shared
        self._local = local
        self._clock = clock
        self._sleep = sleep
        self._ids = itertools.count()
        self._process = secrets.token_hex(4)
        self._ask_redis_at = 0.0
        self._redis_lost = False
        self._tell_at = float("-inf")

    @classmethod
    def over(cls, redis: Redis, limits: Limits, clock: Callable[[], float]) -> RateLimiter:
        """Build the limiter of this process."""
        shared = SharedLimiter(redis, limits, process=secrets.token_hex(8))
        return cls(limits, shared, LocalLimiter(limits, clock), clock=clock)

    async def acquire(
        self, target: Target, priority: Priority, until: float, *, checks_token: bool = False
    ) -> Slot:
        """Wait for a slot until `until` on the clock.

        Raises RateLimited as soon as it is known that none comes in time, LoggedOut or UnknownWebhook if such a
        call must not be sent at all.
        """
        ticket = Ticket(f"{self._process}{next(self._ids):x}", target, priority, checks_token=checks_token)
        began = self._clock()
        try:
            while True:
                left = until - self._clock()
                verdict = await self._take(ticket, max(left, 0.0))
                if verdict.answer is Answer.GO:
                    waited = (self._clock() - began) * 1000
                    metrics.DISCORD_SLOT_WAIT.labels(priority.name.lower()).observe(waited)
                    return Slot(ticket, verdict)
                if verdict.answer is not Answer.WAIT:
                    raise self._refusal(ticket, verdict, left)
                if left <= 0:
                    late = Verdict(Answer.LATE_BUCKET, verdict.wait)
                    raise self._refusal(ticket, late, left)
                await self._sleep(min(verdict.wait, left))
        finally:
            self._local.withdraw(ticket)

    async def settle(self, slot: Slot, outcome: Outcome) -> None:
        """Give a slot back with what its answer told. Never raises."""
        await self._local.settle(slot.ticket, slot.verdict, outcome)
        if self._redis_lost:
            return
        try:
            await self._shared.settle(slot.ticket, slot.verdict, outcome)
        except (RedisError, OSError) as error:
            self._lose_redis(error)

    async def _take(self, ticket: Ticket, left: float) -> Verdict:
        if not self._redis_lost or self._clock() >= self._ask_redis_at:
            self._ask_redis_at = self._clock() + RETRY_REDIS_SECONDS
            try:
                if (patience := left * PATIENCE) < ROUND_TRIP_SECONDS:
                    async with asyncio.timeout(max(PATIENCE_MIN, patience)):
                        verdict = await self._shared.take(ticket, left)
                else:
                    verdict = await self._shared.take(ticket, left)
            except TimeoutError:
                # Not lost yet, but this call cannot wait to find out.
                pass
            except (RedisError, OSError) as error:
                self._lose_redis(error)
            else:
                self._find_redis()
                self._local.processes = max(1, verdict.processes)
                self._tell_bad_answers(verdict.bad_answers)
                return verdict
        verdict = await self._local.take(ticket, left)
        self._tell_bad_answers(verdict.bad_answers)
        return verdict

    def _lose_redis(self, error: BaseException) -> None:
        self._ask_redis_at = self._clock() + RETRY_REDIS_SECONDS
        if not self._redis_lost:
            self._redis_lost = True
            metrics.DISCORD_LIMITER_LOCAL.set(1)
            metrics.DISCORD_LIMITER_FALLBACKS.inc()
            if self._clock() < self._tell_at:
                return
            self._tell_at = self._clock() + TELL_SECONDS
            logger.warning(
                "Redis is out of reach: Discord's limits are kept by this process alone, at 1/%d of them (%s)",
                self._local.processes,
                type(error).__name__,
            )

    def _find_redis(self) -> None:
        if self._redis_lost:
            self._redis_lost = False
            logger.info("Redis answers again: Discord's limits are shared")
        metrics.DISCORD_LIMITER_LOCAL.set(0)

    def _tell_bad_answers(self, counted: int) -> None:
        metrics.DISCORD_BAD_ANSWERS_LEFT.set(max(0, self._limits.bad_answers_stop - counted))

    def _refusal(self, ticket: Ticket, verdict: Verdict, left: float) -> Exception:
        answer, route = verdict.answer, ticket.target.route.name
        metrics.DISCORD_SLOTS_REFUSED.labels(ticket.priority.name.lower(), answer.value).inc()
        if answer is Answer.OUT:
            return LoggedOut(route)
        if answer is Answer.GONE:
            return UnknownWebhook(route, 404, 10015, "not asked: Discord did not know it before", {})
        return RateLimited(route, _LIMIT_NAMES[answer], wait=verdict.wait, deadline=max(left, 0.0))
