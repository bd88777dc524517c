"""Ask the ingester's processes on all machines, and gather what they answer in time.

A question is published on `gateway:bridge`; every process that hears it pushes its answer to the question's own
list. PUBLISH says how many heard it, so the answer is complete when as many have answered; what is missing after
the time limit is reported as missing, never waited for.

Questions: stats, guild (id), user (id, guilds to look in), broadcast (topic, what).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis

CHANNEL = "gateway:bridge"
REPLY_SECONDS = 30
"""Life of an answer that nobody fetches."""
PLAN = "gateway:plan"
TIMEOUT_SECONDS = 1.5
POLL_SECONDS = 0.02


def reply_key(question: str) -> str:
    """Return the list that answers to a question go to."""
    return f"gateway:bridge:{question}"


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard as its process sees it; `process` is `instance/cluster`."""

    id: int
    status: str
    guilds: int
    members: int
    latency_ms: float | None
    process: str
    uptime_s: float


@dataclass(frozen=True, slots=True)
class GatewayStats:
    """All shards of all machines. `partial`: some process did not answer in time, or some shard runs nowhere."""

    total_shards: int
    shards: tuple[ShardStatus, ...]
    processes: int
    """How many answered."""
    silent: int
    """How many heard the question and did not answer."""
    memory_bytes: int
    buffered: int
    missing: tuple[int, ...] = field(default=())
    """Shards that nobody reported."""

    @property
    def partial(self) -> bool:
        """Whether the numbers are not the whole."""
        return bool(self.silent or self.missing)

    @property
    def guilds(self) -> int:
        """Guilds over all shards."""
        return sum(shard.guilds for shard in self.shards)

    @property
    def members(self) -> int:
        """Sum of the guilds' member counts; a user in two guilds counts twice."""
        return sum(shard.members for shard in self.shards)

    @property
    def online(self) -> int:
        """Shards with a running session."""
        return sum(shard.status == "ready" for shard in self.shards)

    @property
    def latency_ms(self) -> float | None:
        """Mean latency of the shards that know theirs."""
        known = [shard.latency_ms for shard in self.shards if shard.latency_ms is not None]
        return sum(known) / len(known) if known else None

    @property
    def uptime_s(self) -> float:
        """Uptime of the process that runs longest."""
        return max((shard.uptime_s for shard in self.shards), default=0.0)


@dataclass(frozen=True, slots=True)
class FoundGuild:
    """Where a guild is. `members` is None while Discord has not told."""

    id: int
    name: str
    members: int | None
    available: bool
    shard: int


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A guild in which the user is a member."""

    id: int
    username: str
    global_name: str | None
    guild: int
    shard: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to a search. `partial`: not every process answered, or not every guild was looked into."""

    found: FoundGuild | FoundUser | None
    partial: bool


@dataclass(frozen=True, slots=True)
class _Answers:
    bodies: list[Mapping[str, Any]]
    silent: int


class GatewayBridge:
    """The asking side; needs nothing but Redis."""

    def __init__(self, redis: Redis, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._redis = redis
        self._timeout = timeout

    async def stats(self) -> GatewayStats:
        """Gather the state of every shard. Raises RedisError when Redis does not answer."""
        answers = await self._ask({"op": "stats"})
        plan = await self._redis.hget(PLAN, "total")
        totals = [body["total"] for body in answers.bodies]
        total = int(plan) if plan is not None else max(totals, default=0)
        # While a bot is resharded a second set runs beside the one in charge: it does not count twice.
        bodies = [body for body in answers.bodies if body["total"] == total]
        shards = sorted(
            (
                ShardStatus(
                    row["id"],
                    row["status"],
                    row["guilds"],
                    row["members"],
                    row["latency_ms"],
                    body["process"],
                    body["uptime_s"],
                )
                for body in bodies
                for row in body["shards"]
                if row["status"] != "waiting"
            ),
            key=lambda shard: shard.id,
        )
        known = {shard.id for shard in shards}
        return GatewayStats(
            total,
            tuple(shards),
            len(answers.bodies),
            answers.silent,
            sum(body["memory_bytes"] for body in bodies),
            sum(body["buffered"] for body in bodies),
            tuple(number for number in range(total) if number not in known),
        )

    async def find_guild(self, guild: int) -> Finding:
        """Find the shard of a guild the bot is in. Raises RedisError."""
        answers = await self._ask({"op": "guild", "guild": guild}, enough=lambda body: body.get("found"))
        for body in answers.bodies:
            if found := body.get("found"):
                return Finding(FoundGuild(**found), partial=False)
        return Finding(None, partial=bool(answers.silent) or not answers.bodies)

    async def find_user(self, user: int, guilds: Sequence[int] = ()) -> Finding:
        """Find a guild that has the user as a member: in `guilds`, or in the largest ones of every shard.

        Members are not cached, so Discord is asked over the gateway, which is limited: without `guilds` a large
        bot's answer is often partial. Raises RedisError.
        """
        question = {"op": "user", "user": user, "guilds": list(guilds)}
        answers = await self._ask(question, enough=lambda body: body.get("found"))
        for body in answers.bodies:
            if found := body.get("found"):
                return Finding(FoundUser(**found), partial=False)
        looked_everywhere = all(body.get("complete") for body in answers.bodies)
        return Finding(None, partial=bool(answers.silent) or not answers.bodies or not looked_everywhere)

    async def broadcast(self, topic: str, what: Mapping[str, Any]) -> tuple[int, int]:
        """Tell all processes, e.g. to drop what they have cached; return how many confirmed and how many did not."""
        answers = await self._ask({"op": "broadcast", "topic": topic, "what": dict(what)})
        return len(answers.bodies), answers.silent

    async def _ask(self, question: Mapping[str, Any], enough: Any = None) -> _Answers:
        name = secrets.token_hex(8)
        key = reply_key(name)
        deadline = time.monotonic() + self._timeout
        body = orjson.dumps({"id": name, "seconds": self._timeout, **question})
        expected = int(await self._redis.publish(CHANNEL, body))
        answers: list[Mapping[str, Any]] = []
        while len(answers) < expected and time.monotonic() < deadline:
            # A plain LPOP in a loop: a blocking one would hold one of the pool's connections.
            got: Any = await self._redis.lpop(key, 64)
            if not got:
                await asyncio.sleep(POLL_SECONDS)
                continue
            answers += [orjson.loads(data) for data in got]
            if enough is not None and any(map(enough, answers)):
                return _Answers(answers, 0)
        return _Answers(answers, expected - len(answers))
