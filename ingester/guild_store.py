"""The index of guilds in Redis: a resumed session brings no GUILD_CREATE, so the next process reads it here."""

from __future__ import annotations

import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ingester import keys
from ingester.guild_index import GuildIndex

log = logging.getLogger(__name__)


class GuildStore:
    """HASH `gateway:guilds:{total}:{shard}`: guild id -> name, members, available."""

    def __init__(self, redis: Redis, total: int) -> None:
        self._redis = redis
        self._total = total

    async def load(self, shard: int) -> dict[bytes, bytes]:
        """Return what is stored; empty while Redis does not answer."""
        try:
            stored: Any = await self._redis.hgetall(keys.guilds(self._total, shard))
        except RedisError as error:
            log.warning("guilds not loaded", extra={"shard": shard, "error": type(error).__name__})
            return {}
        return dict(stored)

    async def save(self, shard: int, guilds: GuildIndex) -> None:
        """Write what has changed since the last time; try again later when Redis does not answer."""
        changed, gone = guilds.changes()
        mapping: Any = changed
        if not changed and not gone:
            return
        key = keys.guilds(self._total, shard)
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                if gone:
                    pipe.hdel(key, *gone)
                if changed:
                    pipe.hset(key, mapping=mapping)
                await pipe.execute()
        except RedisError:
            guilds.unsaved(changed, gone)
