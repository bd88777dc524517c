"""Limiters on a clock that the test moves: the scripts read it from a key instead of TIME."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.adapters.discord import routes
from app.adapters.discord.limits import Limits
from app.adapters.discord.local_limiter import LocalLimiter
from app.adapters.discord.priority import Priority
from app.adapters.discord.script_batches import Script
from app.adapters.discord.shared_limiter import SharedLimiter
from app.adapters.discord.slots import Answer, Bucket, Limiter, Outcome, Scope, Ticket, Verdict

START = 1_800_000_000.0
LIMITS = Limits(bot="1", application=1, token_digest="digest", processes=1)


@dataclass
class Bench:
    """A limiter, a clock, and short ways to act on them."""

    limiter: Limiter
    redis: Any = None
    now: float = START
    shared: bool = False
    numbers: int = 0

    async def at(self, seconds: float) -> None:
        """Set the clock to so many seconds after the start."""
        self.now = START + seconds
        if self.redis is not None:
            await self.redis.delete("test:clock")
            await self.redis.rpush("test:clock", int(self.now), round(self.now % 1 * 1_000_000))

    @property
    def seconds(self) -> float:
        return self.now - START

    def ticket(self, target: routes.Target, priority: Priority | None = None, **fields: Any) -> Ticket:
        self.numbers += 1
        return Ticket(
            f"t{self.numbers}", target, target.route.priority if priority is None else priority, **fields
        )

    async def ask(self, ticket: Ticket, left: float = 100.0) -> Verdict:
        return await self.limiter.take(ticket, left)

    async def call(
        self,
        target: routes.Target,
        outcome: Outcome | None = None,
        priority: Priority | None = None,
        left: float = 100.0,
    ) -> Verdict:
        """Take a slot and settle it at once; a refusal is returned."""
        ticket = self.ticket(target, priority)
        verdict = await self.limiter.take(ticket, left)
        if verdict.answer is Answer.GO:
            await self.limiter.settle(ticket, verdict, outcome or Outcome())
        elif isinstance(self.limiter, LocalLimiter):
            self.limiter.withdraw(ticket)
        return verdict

    async def until_go(self, ticket: Ticket, most: float = 100.0) -> float:
        """Move the clock by what the limiter says until the ticket has its slot; return when that was."""
        while True:
            verdict = await self.limiter.take(ticket, most)
            if verdict.answer is Answer.GO:
                return self.seconds
            assert verdict.answer is Answer.WAIT, verdict
            assert verdict.wait > 0
            await self.at(self.seconds + verdict.wait)
            assert self.seconds < most


def learnt(remaining: int, limit: int = 5, reset_after: float = 5.0, bucket: str = "abc") -> Outcome:
    """An answer with rate-limit headers."""
    return Outcome(answered=True, bucket=Bucket(bucket, limit, remaining, reset_after))


@dataclass
class Server:
    """A bucket as Discord keeps it: a window begins with the first call, further calls count, too many get 429."""

    limit: int = 5
    window: float = 5.0
    id: str = "abc"
    used: int = 0
    reset: float = 0.0
    refused: int = 0

    def answer(self, now: float) -> Outcome:
        if now >= self.reset:
            self.used, self.reset = 0, now + self.window
        if self.used >= self.limit:
            self.refused += 1
            bucket = Bucket(self.id, self.limit, 0, self.reset - now)
            return Outcome(bucket=bucket, scope=Scope.USER, retry_after=self.reset - now, bad=True)
        self.used += 1
        return Outcome(
            answered=True, bucket=Bucket(self.id, self.limit, self.limit - self.used, self.reset - now)
        )


def message(channel: int = 1, number: int = 1) -> routes.Target:
    return routes.DELETE_MESSAGE.at(channel_id=channel, message_id=number)


def make_shared(redis: Any, limits: Limits = LIMITS, process: str = "p1") -> SharedLimiter:
    """The scripts as they are, but for the clock."""
    limiter = SharedLimiter(redis, limits, process)
    clock = "redis.call('LRANGE', 'test:clock', 0, 1)"
    for name in ("_take", "_settle"):
        text = getattr(limiter, name).text
        assert "redis.call('TIME')" in text
        setattr(limiter, name, Script.of(text.replace("redis.call('TIME')", clock)))
    return limiter


async def shared_bench(redis: Any) -> Bench:
    bench = Bench(make_shared(redis), redis, shared=True)
    await bench.at(0)
    return bench


def local_bench(limits: Limits = LIMITS) -> Bench:
    bench = Bench(None)
    bench.limiter = LocalLimiter(limits, lambda: bench.now)
    return bench
