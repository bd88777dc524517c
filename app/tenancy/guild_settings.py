"""Settings per guild and feature: pydantic models, cached in the process, invalidated through Redis pub/sub.

A message `{guildId, module, action}` (seed S0) drops the cached value; since pub/sub may lose messages, a value
is also compared with the stored version once it is REVALIDATE_SECONDS old.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.adapters.redis.cancellation import end_if_cancelled
from app.snowflake import GuildId, UserId
from app.tenancy import store

log = logging.getLogger(__name__)

CHANNEL = "config:update"
"""Seed S0's name of the pub/sub channel."""
REVALIDATE_SECONDS = 30.0
CACHED_ENTRIES = 50_000
LISTENER_PAUSE_SECONDS = 1.0

Model = TypeVar("Model", bound=BaseModel)


@dataclass(slots=True)
class _Entry:
    version: int
    model: BaseModel
    checked_at: float


class GuildSettings:
    """Read and change settings. One per process; safe to use from many tasks."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis
        self._cache: dict[tuple[int, str], _Entry] = {}
        self._listeners: dict[str, list[Callable[[GuildId | None], None]]] = {}

    async def get(self, guild: GuildId, feature: str, model: type[Model]) -> Model:
        """Return the settings; defaults where the guild has none. Raises DatabaseUnavailable (E004)."""
        key = (guild, feature)
        entry = self._cache.get(key)
        now = time.monotonic()
        if (
            entry is not None
            and now - entry.checked_at < REVALIDATE_SECONDS
            and isinstance(entry.model, model)
        ):
            return entry.model
        async with transaction(self._pool) as conn:
            if (
                entry is not None
                and isinstance(entry.model, model)
                and await store.settings_version(conn, guild, feature) == entry.version
            ):
                entry.checked_at = now
                return entry.model
            stored = await store.read_settings(conn, guild, feature)
        return self._remember(key, stored, model)

    async def change(
        self,
        conn: Conn,
        guild: GuildId,
        feature: str,
        model: type[Model],
        change: Callable[[Model], Model],
        *,
        by: UserId | None,
    ) -> tuple[Model, int]:
        """Apply `change` to the locked settings in the caller's transaction; return settings and version.

        Call `announce` after the commit, so that every process drops its cached value.
        """
        stored = await store.lock_settings(conn, guild, feature)
        changed = change(_parse(stored, model, feature))
        version = await store.write_settings(conn, guild, feature, changed.model_dump(mode="json"), by)
        return changed, version

    async def announce(self, guild: GuildId, feature: str, action: str = "UPDATE") -> None:
        """Tell every process; when Redis is gone they find out by the version within 30 s."""
        self._forget(guild, feature)
        message = orjson.dumps({"guildId": str(guild), "module": feature, "action": action})
        try:
            await self._redis.publish(CHANNEL, message)
        except (RedisError, OSError) as error:
            log.warning("settings change not announced", extra={"error": type(error).__name__})

    def on_change(self, module: str, drop: Callable[[GuildId | None], None]) -> None:
        """Call `drop(guild)` when a module of a guild was changed anywhere; `drop(None)`: forget everything."""
        self._listeners.setdefault(module, []).append(drop)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear of other processes' changes until the block ends, on a connection of its own."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            end_if_cancelled()
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    self._forget_all()  # what was announced before we listened was not heard
                    while True:
                        end_if_cancelled()
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message is not None:
                            self._drop(message["data"])
            except (RedisError, OSError) as error:
                log.warning("settings listener lost Redis", extra={"error": type(error).__name__})
                await asyncio.sleep(LISTENER_PAUSE_SECONDS)

    def _drop(self, data: bytes) -> None:
        try:
            message: dict[str, Any] = orjson.loads(data)
            guild, module = GuildId(int(message["guildId"])), str(message["module"])
        except (ValueError, KeyError, TypeError):
            log.warning("settings announcement not understood; dropping all cached settings")
            self._forget_all()
            return
        self._forget(guild, module)

    def _forget(self, guild: GuildId, module: str) -> None:
        self._cache.pop((guild, module), None)
        for drop in self._listeners.get(module, ()):
            drop(guild)

    def _forget_all(self) -> None:
        self._cache.clear()
        for listeners in self._listeners.values():
            for drop in listeners:
                drop(None)

    def _remember(self, key: tuple[int, str], stored: store.StoredSettings, model: type[Model]) -> Model:
        parsed = _parse(stored, model, key[1])
        if len(self._cache) >= CACHED_ENTRIES:
            self._cache.pop(next(iter(self._cache)))
        self._cache[key] = _Entry(stored.version, parsed, time.monotonic())
        return parsed


def _parse(stored: store.StoredSettings, model: type[Model], feature: str) -> Model:
    """Read stored settings; a field that a newer release cannot read any more falls back to its default."""
    try:
        return model.model_validate(stored.settings)
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        log.error(
            "stored settings are unreadable; using defaults",
            extra={"feature": feature, "fields": sorted(bad)},
        )
        return model.model_validate(
            {name: value for name, value in stored.settings.items() if name not in bad}
        )
