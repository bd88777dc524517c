"""One call to Discord: wait for a slot, send, learn from the answer, send again where that is safe."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from app.adapters.discord import routes
from app.adapters.discord.errors import (
    DiscordUnreachable,
    LoggedOut,
    RateLimited,
    refusal,
)
from app.adapters.discord.exchange import Answered, Exchange, NoAnswer, open_exchange
from app.adapters.discord.limits import Limits
from app.adapters.discord.priority import Priority
from app.adapters.discord.rate_limiter import RateLimiter, Slot
from app.adapters.discord.slots import Outcome
from app.observability import metrics
from app.settings import Settings

logger = logging.getLogger(__name__)

FAILURES_MAX = 8
"""Network errors and 5xx after which a call is given up even before its deadline."""

TOO_MANY_MAX = 10
"""Answers 429 after which a call is given up: each costs from the budget for bad answers."""

OUT_SECONDS = 600.0
"""How long a refused token is not tried again; a new process checks it once (see rate_limiter_settle.lua)."""

BACKOFF_FIRST, BACKOFF_CAP = 0.5, 20.0
"""Seconds; the n-th pause is drawn evenly from 0 to min(cap, first x 2^n): full jitter."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be sent, and how long and how often that may be tried.

    `patience`: seconds that it may wait for a slot; RateLimited by that means that Discord has done nothing.
    """

    exchange: Exchange
    priority: Priority
    deadline: float | None = None
    idempotent: bool = False
    patience: float | None = None


@dataclass(slots=True)
class _Progress:
    """What happened to a call so far. `maybe_done`: an attempt was sent whose answer is not known."""

    until: float
    failures: int = 0
    too_many: int = 0
    maybe_done: bool = False
    token_checked: bool = False


@dataclass(slots=True)
class Sender:
    """Sends calls. `clock`, `sleep` and `random` are arguments so that tests own time and chance."""

    limiter: RateLimiter
    deliver: Callable[[Exchange, float], Awaitable[Answered]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refused_until: float = float("-inf")

    async def send(self, call: Call) -> Any:
        """Return the parsed answer, None for an empty one. Raises the errors of `errors.py`."""
        target, route = call.exchange.target, call.exchange.target.route
        seconds = call.priority.deadline if call.deadline is None else call.deadline
        progress = _Progress(self.clock() + seconds)
        while True:
            slot = await self._slot(call, progress)
            try:
                answer = await self._deliver(slot, call.exchange, progress.until)
            except NoAnswer as error:
                progress.maybe_done |= error.maybe_sent
                safe = call.idempotent or not error.maybe_sent
                await self._pause(call, progress, str(error), None, safe=safe)
                continue
            if answer.status >= 500:
                progress.maybe_done = True
                cause = f"answered {answer.status}"
                await self._pause(call, progress, cause, answer.status, safe=call.idempotent)
            elif answer.status == 429:
                progress.too_many += 1
                if progress.too_many >= TOO_MANY_MAX:
                    left = max(0.0, progress.until - self.clock())
                    wait = answer.outcome.retry_after
                    raise RateLimited(route.name, "Discord, again and again,", wait=wait, deadline=left)
                metrics.DISCORD_RETRIES.labels("429").inc()
            elif answer.status == 401 and not route.has_token:
                if progress.token_checked or not await self._token_is_good(call, progress):
                    raise refusal(route.name, answer.status, answer.body)
                progress.token_checked = True
                metrics.DISCORD_RETRIES.labels("401").inc()
            elif 200 <= answer.status < 300:
                if not route.has_token:
                    self._refused_until = float("-inf")
                return answer.body
            elif answer.status == 404 and route.method == "DELETE" and progress.maybe_done:
                # Our own lost attempt deleted it.
                return None
            else:
                raise refusal(target.route.name, answer.status, answer.body)

    async def _deliver(self, slot: Slot, exchange: Exchange, until: float) -> Answered:
        """Send once and give the slot back whatever happens."""
        outcome = Outcome()
        try:
            answer = await self.deliver(exchange, until - self.clock())
            outcome = answer.outcome
            return answer
        finally:
            await self.limiter.settle(slot, outcome)

    async def _pause(
        self, call: Call, progress: _Progress, cause: str, status: int | None, *, safe: bool
    ) -> None:
        """Wait before the next attempt, or raise DiscordUnreachable if there is to be none."""
        name = call.exchange.target.route.name
        progress.failures += 1
        if not safe:
            raise DiscordUnreachable(name, f"{cause}; not sent again, it may have been done", status=status)
        if progress.failures >= FAILURES_MAX:
            raise DiscordUnreachable(name, f"{cause}, {progress.failures} times", status=status)
        delay = self.uniform(0, min(BACKOFF_CAP, BACKOFF_FIRST * 2**progress.failures))
        if self.clock() + delay >= progress.until:
            raise DiscordUnreachable(name, f"{cause}; no time is left to try again", status=status)
        metrics.DISCORD_RETRIES.labels("network" if status is None else "5xx").inc()
        await self.sleep(delay)

    async def _slot(self, call: Call, progress: _Progress) -> Slot:
        """Raise LoggedOut if the token counts as refused; a process that did not see that itself checks first."""
        target, until = call.exchange.target, progress.until
        if call.patience is not None and not progress.maybe_done:
            until = min(until, self.clock() + call.patience)
        try:
            return await self.limiter.acquire(target, call.priority, until)
        except LoggedOut:
            if self.clock() < self._refused_until or not await self._token_is_good(call, progress):
                raise
            return await self.limiter.acquire(target, call.priority, until)

    async def _token_is_good(self, call: Call, progress: _Progress) -> bool:
        """Ask Discord once more who we are (contract 4.2), one caller at a time.

        False: it could not be found out. Raises LoggedOut, and stops the calls of all processes, if the token is
        refused again.
        """
        name = call.exchange.target.route.name
        async with self._checking:
            if self.clock() < self._refused_until:
                raise LoggedOut(name)
            who = routes.GET_CURRENT_USER.at()
            slot = await self.limiter.acquire(who, Priority.INTERACTION, progress.until, checks_token=True)
            outcome = Outcome()
            try:
                answer = await self.deliver(Exchange(who), progress.until - self.clock())
                outcome = answer.outcome
                if answer.status == 401:
                    outcome = answer.outcome.logging_out(out=True)
                    self._refused_until = self.clock() + OUT_SECONDS
                    logger.error("Discord refuses the bot token; all calls stop (E002)")
                    raise LoggedOut(name)
                if answer.status == 200:
                    outcome = answer.outcome.logging_out(out=False)
                return answer.status == 200
            except NoAnswer:
                return False
            finally:
                await self.limiter.settle(slot, outcome)


@asynccontextmanager
async def open_sender(settings: Settings, redis: Redis) -> AsyncIterator[Sender]:
    """Yield a sender; its connections close at the end."""
    limits = Limits.of(settings)
    async with open_exchange(settings) as deliver:
        yield Sender(RateLimiter.over(redis, limits, time.monotonic), deliver)
