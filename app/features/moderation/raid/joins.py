"""Counting joins in Redis."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from redis.asyncio import Redis

from app.features.moderation.raid.settings import LOCKDOWN_TIMES, RaidSettings
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class Burst:
    """`fill`: joins that time has not paid for yet; `members`: everybody of the burst once it is a raid."""

    fill: int
    members: tuple[UserId, ...]


class Joins:
    """One atomic script per join; the same join counted twice counts once."""

    def __init__(self, redis: Redis) -> None:
        assert __package__ is not None
        self._redis = redis
        self._script = redis.register_script(files(__package__).joinpath("joins.lua").read_text())

    async def forget(self, guild: GuildId) -> None:
        """Forget the burst: who was in it belongs to no later raid. Raises RedisError and OSError."""
        await self._redis.delete(f"mod:{{{guild}}}:joins", f"mod:{{{guild}}}:joins:arrival")

    async def add(self, guild: GuildId, user: UserId, joined_ms: int, settings: RaidSettings) -> Burst:
        """Count a join. Raises RedisError and OSError when Redis is gone."""
        fill, *members = await self._script(
            keys=[f"mod:{{{guild}}}:joins", f"mod:{{{guild}}}:joins:arrival"],
            args=[
                user,
                joined_ms,
                settings.interval_ms,
                settings.joins,
                settings.joins * (LOCKDOWN_TIMES + 1),
            ],
        )
        return Burst(int(fill), tuple(UserId(int(member)) for member in members))
