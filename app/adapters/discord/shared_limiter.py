"""Limits that all processes of a bot share, in Redis: the two scripts beside this file."""

from __future__ import annotations

import math
import time
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from app.adapters.discord.limits import Limits
from app.adapters.discord.script_batches import Script, ScriptBatches
from app.adapters.discord.slots import Answer, Outcome, Ticket, Verdict

MICROSECONDS = 1_000_000

HEARTBEAT_SECONDS = 5.0
"""Processes that were silent for a minute do not count."""

INTERACTION_TOKEN_SECONDS = 3600
"""How long a dead interaction token is remembered; it lives 15 minutes (contract 1.3)."""


class SharedLimiter:
    """Asks Redis for slots. Raises RedisError or OSError when it is out of reach."""

    def __init__(self, redis: Redis, limits: Limits, process: str) -> None:
        self._limits = limits
        self._process = process
        self._tell_at = 0.0
        self._batches = ScriptBatches(redis, [f"discord:{limits.bot}:", f"discord:bad:{limits.egress}"])
        here = files(__package__)
        self._take = Script.of(here.joinpath("rate_limiter.lua").read_text("utf-8"))
        self._settle = Script.of(here.joinpath("rate_limiter_settle.lua").read_text("utf-8"))

    async def take(self, ticket: Ticket, left: float) -> Verdict:
        target = ticket.target
        arguments: list[str | int] = [
            ticket.id,
            ticket.position,
            int(ticket.priority),
            str(ticket.priority.pace),
            f"{target.route.name}|{target.top_level}",
            target.route.name,
            target.top_level,
            int(not target.route.has_token),
            max(0, int(left * MICROSECONDS)),
            self._limits.global_rate,
            self._limits.bad_answers_stop,
            self._heartbeat(),
            target.webhook or "",
            "" if target.route.has_token or ticket.checks_token else self._limits.token_digest,
        ]

        def give_back(reply: list[Any]) -> None:
            if reply[0] == Answer.GO.encode():
                verdict = Verdict(Answer.GO, lane=reply[3].decode(), epoch=int(reply[4]))
                self._batches.post(self._settle, self._settling(ticket, verdict, Outcome()))

        urgent = not ticket.priority.paced
        reply = await self._batches.run(self._take, arguments, urgent=urgent, abandoned=give_back)
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

    def _heartbeat(self) -> str:
        """Return the name of this process when it is time to tell that it is there, else nothing."""
        now = time.monotonic()
        if now < self._tell_at:
            return ""
        self._tell_at = now + HEARTBEAT_SECONDS
        return self._process

    async def settle(self, ticket: Ticket, verdict: Verdict, outcome: Outcome) -> None:
        await self._batches.run(self._settle, self._settling(ticket, verdict, outcome), urgent=True)

    def _settling(self, ticket: Ticket, verdict: Verdict, outcome: Outcome) -> list[str | int]:
        target, bucket = ticket.target, outcome.bucket
        mortal = "interaction_token" in target.ids or target.ids.get("webhook_id") == self._limits.application
        return [
            ticket.id,
            verdict.lane,
            verdict.epoch,
            f"{target.route.name}|{target.top_level}",
            target.route.name,
            target.top_level,
            bucket.id if bucket else "",
            bucket.limit if bucket else 0,
            bucket.remaining if bucket else 0,
            _rounded_up(bucket.reset_after) if bucket else 0,
            int(outcome.answered),
            outcome.scope or "",
            _rounded_up(outcome.retry_after) if outcome.scope else 0,
            int(outcome.bad),
            (target.webhook or "") if outcome.webhook_gone else "",
            INTERACTION_TOKEN_SECONDS if mortal else 0,
            self._limits.token_digest if outcome.logged_out is not None else "",
            int(bool(outcome.logged_out)),
        ]


def _rounded_up(seconds: float) -> int:
    """Microseconds, and one of Discord's milliseconds more: its numbers may be rounded down."""
    return math.ceil(seconds * MICROSECONDS) + 1000
