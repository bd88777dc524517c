"""Limits that all processes of a bot share, in Redis: the two scripts beside this file."""

from __future__ import annotations

from importlib.resources import files

from redis.asyncio import Redis

from app.adapters.discord.limits import Limits
from app.adapters.discord.slots import Answer, Outcome, Ticket, Verdict

MICROSECONDS = 1_000_000

INTERACTION_TOKEN_SECONDS = 3600
"""How long a dead interaction token is remembered; it lives 15 minutes (contract 1.3)."""


class SharedLimiter:
    """Asks Redis for slots. Raises redis.RedisError when it is out of reach."""

    def __init__(self, redis: Redis, limits: Limits, process: str) -> None:
        self._limits = limits
        self._process = process
        self._keys = [f"discord:{limits.bot}:", f"discord:bad:{limits.egress}"]
        here = files(__package__)
        self._take = redis.register_script(here.joinpath("rate_limiter.lua").read_text("utf-8"))
        self._settle = redis.register_script(here.joinpath("rate_limiter_settle.lua").read_text("utf-8"))

    async def take(self, ticket: Ticket, left: float) -> Verdict:
        target = ticket.target
        arguments: list[str | int] = [
            ticket.id,
            ticket.position,
            int(ticket.priority),
            int(ticket.priority.paced),
            f"{target.route.name}|{target.top_level}",
            target.route.name,
            target.top_level,
            int(not target.route.has_token),
            max(0, int(left * MICROSECONDS)),
            self._limits.global_rate,
            self._limits.bad_answers_stop,
            self._process,
            target.webhook or "",
            "" if target.route.has_token or ticket.checks_token else self._limits.token_digest,
        ]
        reply = await self._take(keys=self._keys, args=arguments)
        answer, wait, position, lane, epoch, processes, bad = reply
        ticket.position = int(position)
        return Verdict(
            Answer(answer.decode()),
            int(wait) / MICROSECONDS,
            lane.decode(),
            int(epoch),
            int(processes),
            int(bad),
        )

    async def settle(self, ticket: Ticket, verdict: Verdict, outcome: Outcome) -> None:
        target, bucket = ticket.target, outcome.bucket
        mortal = "interaction_token" in target.ids or target.ids.get("webhook_id") == self._limits.application
        arguments: list[str | int] = [
            ticket.id,
            verdict.lane,
            verdict.epoch,
            f"{target.route.name}|{target.top_level}",
            target.route.name,
            target.top_level,
            bucket.id if bucket else "",
            bucket.limit if bucket else 0,
            bucket.remaining if bucket else 0,
            int(bucket.reset_after * MICROSECONDS) if bucket else 0,
            int(outcome.answered),
            outcome.scope or "",
            int(outcome.retry_after * MICROSECONDS),
            int(outcome.bad),
            (target.webhook or "") if outcome.webhook_gone else "",
            INTERACTION_TOKEN_SECONDS if mortal else 0,
            self._limits.token_digest if outcome.logged_out is not None else "",
            int(bool(outcome.logged_out)),
        ]
        await self._settle(keys=self._keys, args=arguments)
