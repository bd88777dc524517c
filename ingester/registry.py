"""Who lives: every instance says so once a second, and reads what the others say and who holds which shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import orjson
from redis.asyncio import Redis

from ingester import keys
from ingester.placement import Member
from ingester.resharding import Step

ALIVE_MS = 5_000
"""An instance that was silent for so long is dead."""


@dataclass(frozen=True, slots=True)
class Card:
    """What an instance says about itself."""

    id: str
    total: int
    pinned: tuple[int, int] | None = None
    """First and last shard of its range."""
    host: str = ""
    pid: int = 0
    wants: tuple[int, ...] = ()
    """Shards that others hold and this one asks for."""
    replaces: tuple[str, ...] = ()
    """Instances that this one takes over from: they hand over everything and leave."""
    started_ms: int = 0

    @property
    def member(self) -> Member:
        """The instance as placement sees it."""
        pinned = None if self.pinned is None else range(self.pinned[0], self.pinned[1] + 1)
        return Member(self.id, pinned)

    def to_json(self) -> bytes:
        """Return what goes into the registry."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, data: bytes) -> Card:
        """Read an entry. Raises ValueError, TypeError or KeyError for one of another version."""
        values = orjson.loads(data)
        for name in ("wants", "replaces", "pinned"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A shard's lease; `left_ms` is negative for one that lapsed, `ever` whether somebody ever held it."""

    owner: str
    instance: str
    left_ms: int
    state: str
    ever: bool

    @property
    def live(self) -> bool:
        """Whether somebody holds it now."""
        return bool(self.owner) and self.left_ms > 0


@dataclass(frozen=True, slots=True)
class Roll:
    """One look at the registry."""

    cards: Mapping[str, Card] = field(default_factory=dict)
    leases: tuple[LeaseRow, ...] = ()
    plan: Mapping[str, str] = field(default_factory=dict)
    now: int = 0
    """Redis' clock, ms."""

    @property
    def holders(self) -> dict[int, str]:
        """Instance that holds a shard, for those that are held."""
        return {shard: row.instance for shard, row in enumerate(self.leases) if row.live}


class Registry:
    """The registry in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        scripts = files(__package__)
        self._roll_call = redis.register_script(scripts.joinpath("roll_call.lua").read_text("utf-8"))
        self._step = redis.register_script(scripts.joinpath("plan_step.lua").read_text("utf-8"))

    async def call(self, card: Card | None, total: int) -> Roll:
        """Say that `card` lives (None: only look), and read everything. Raises RedisError."""
        reply: Any = await self._roll_call(
            keys=[keys.INSTANCES, keys.INSTANCES_UNTIL, keys.PLAN],
            args=[
                card.id if card else "",
                card.to_json() if card else "",
                ALIVE_MS,
                total,
                keys.lease(total, 0).removesuffix("0"),
            ],
        )
        said, leases, plan, now = reply
        cards: dict[str, Card] = {}
        for name, data in zip(said[::2], said[1::2], strict=True):
            try:
                cards[name.decode()] = Card.from_json(data)
            except (ValueError, TypeError, KeyError):
                continue  # another version's card: its leases still count
        rows = tuple(
            LeaseRow(owner.decode(), instance.decode(), left, state.decode(), bool(token))
            for owner, instance, left, state, token in leases
        )
        fields = {k.decode(): v.decode() for k, v in zip(plan[::2], plan[1::2], strict=True)}
        return Roll(cards, rows, fields, now)

    async def step(self, step: Step, total: int, plan: Mapping[str, str]) -> bool:
        """Change the plan as it was seen; False when somebody was faster. Raises RedisError."""
        done = await self._step(keys=[keys.PLAN], args=[step.value, total, plan.get("total", "0")])
        return bool(done)

    async def note_gateway(self, url: str, max_concurrency: int) -> None:
        """Keep what Discord said, for a start while its REST API does not answer."""
        await self._redis.hset(keys.PLAN, mapping={"url": url, "max_concurrency": max_concurrency})

    async def leave(self, instance: str) -> None:
        """Take the instance off the registry."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.INSTANCES_UNTIL, instance)
            pipe.hdel(keys.INSTANCES, instance)
            await pipe.execute()
