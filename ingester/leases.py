"""Leases of shards in Redis, with fencing tokens: who may publish for a shard, and with which session to go on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis.cancellation import end_if_cancelled
from ingester import keys
from ingester.feed import Session

log = logging.getLogger(__name__)

ASK_SECONDS = 0.05
QUICK_ASKS = 200
ASK_SLOWLY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Stored:
    """A shard's session as Redis has it: dispatches up to `sequence` are in the streams."""

    session: Session
    sequence: int
    age_ms: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to publish for a shard, as long as `token` is the newest one."""

    shard: int
    token: str
    stored: Stored | None


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody else holds the lease, or it is reserved for somebody, for at least `wait_ms`."""

    holder: str
    wait_ms: int


class Leases:
    """Takes and gives back leases for one process ("cluster") of an instance."""

    def __init__(self, redis: Redis, instance: str, cluster: str, total: int) -> None:
        self._redis = redis
        self._instance = instance
        self.owner = f"{instance}/{cluster}"
        self._total = total
        self._acquire = redis.register_script(_script("acquire.lua"))
        self._release = redis.register_script(_script("release.lua"))

    async def acquire(self, shard: int) -> Lease | Held:
        """Take the shard if nobody else holds it; ours is renewed with a new token. Raises RedisError."""
        reply: Any = await self._acquire(
            keys=[keys.lease(self._total, shard), keys.session(self._total, shard)],
            args=[self.owner, self._instance, keys.LEASE_MS],
        )
        if reply[0] == 0:
            return Held(reply[1].decode(), reply[2])
        token = reply[1].decode()
        if len(reply) == 2:
            return Lease(shard, token, None)
        _, _, sid, url, sequence, age = reply
        return Lease(shard, token, Stored(Session(sid.decode(), url.decode()), sequence, age))

    async def wait(self, shard: int, stopping: asyncio.Event) -> Lease | None:
        """Ask until the shard is ours, or until told to stop."""
        asked = 0
        while not stopping.is_set():
            end_if_cancelled()
            try:
                answer = await self.acquire(shard)
            except RedisError as error:
                log.warning("lease not acquired", extra={"shard": shard, "error": type(error).__name__})
            else:
                if isinstance(answer, Lease):
                    return answer
            # At first often, since a handover waits for us; later it is only a matter of being there.
            asked += 1
            pause = ASK_SECONDS if asked < QUICK_ASKS else ASK_SLOWLY_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
        return None

    async def again(self, shard: int) -> str | None:
        """Take a lease that Redis has forgotten; return the new token, or None when another was faster."""
        while True:
            end_if_cancelled()
            try:
                answer = await self.acquire(shard)
            except RedisError:
                await asyncio.sleep(ASK_SECONDS)
            else:
                return answer.token if isinstance(answer, Lease) else None

    async def guilds(self, shard: int) -> dict[bytes, bytes]:
        """Return the index of guilds that publish.lua has stored: a resumed session brings no GUILD_CREATE.

        Empty while Redis does not answer.
        """
        try:
            stored: Any = await self._redis.hgetall(keys.guilds(self._total, shard))
        except RedisError as error:
            log.warning("guilds not loaded", extra={"shard": shard, "error": type(error).__name__})
            return {}
        return dict(stored)

    async def release(self, shard: int, token: str, successor: str = "") -> bool:
        """Give the shard back; `successor` (an instance) may take it first. False: it was not ours any more."""
        reply = await self._release(
            keys=[keys.lease(self._total, shard)], args=[token, successor, keys.LEASE_MS]
        )
        return bool(reply)


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
