"""From joins to levels: up with the joins, down by itself. What is done about it is in `wave`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from redis.exceptions import RedisError

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.raid import store
from app.features.moderation.raid.joins import Burst, Joins
from app.features.moderation.raid.settings import FEATURE, Level, RaidSettings
from app.features.moderation.raid.store import Raid
from app.observability import metrics
from app.snowflake import GuildId, UserId
from app.streams.store import cancel, schedule
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

WAVE_KIND = "moderation.raid_wave"
CALM_KIND = "moderation.raid_calm"
GATHER = timedelta(seconds=2)
"""Joins of so long are acted on together: one bulk ban instead of a hundred bans."""


@dataclass(frozen=True, slots=True)
class Status:
    """What `/raid status` shows. `members` counts the wave."""

    level: Level
    raid: Raid | None
    members: int
    settings: RaidSettings


class RaidAlarm:
    """Keeps the level of every guild."""

    def __init__(
        self,
        pool: Pool,
        joins: Joins,
        settings: GuildSettings,
        audit: AuditLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._joins = joins
        self._settings = settings
        self._audit = audit
        self._clock = clock

    async def joined(self, guild: GuildId, user: UserId, joined_at: datetime) -> Level:
        """Count a join and return the level that it leads to. Raises DatabaseUnavailable (E004).

        Without Redis nothing is counted: limits fail open.
        """
        settings = await self._settings.get(guild, FEATURE, RaidSettings)
        burst = Burst(0, ())
        if settings.enabled:
            try:
                burst = await self._joins.add(guild, user, int(joined_at.timestamp() * 1000), settings)
            except (RedisError, OSError) as error:
                metrics.RULE_WATCH_FAILURES.labels("raid").inc()
                log.warning("joins not counted", extra={"guild_id": guild, "error": type(error).__name__})
        reached = settings.level_of(burst.fill)
        async with transaction(self._pool) as conn:
            raid = await store.find(conn, guild)
            if reached is Level.CALM and (raid is None or raid.level < Level.LOCKDOWN):
                return Level.CALM if raid is None else Level(raid.level)
            return await self._raise(conn, guild, user, joined_at, burst, reached, settings)

    async def _raise(
        self,
        conn: Conn,
        guild: GuildId,
        user: UserId,
        joined_at: datetime,
        burst: Burst,
        reached: Level,
        settings: RaidSettings,
    ) -> Level:
        now = self._clock()
        raid = await store.lock(conn, guild)
        before = Level.CALM if raid is None else Level(raid.level)
        level = max(reached, before)
        if raid is None or before is Level.CALM:
            raid = _begin(guild, raid, now)
        calm_at = raid.calm_at
        if reached >= before:
            calm_at = max(calm_at, now + timedelta(minutes=settings.calm_minutes))
        taken: tuple[UserId, ...] = ()
        if reached >= Level.RAISED:
            taken = burst.members if before < Level.RAISED else (user,)
        elif level is Level.LOCKDOWN:
            taken = (user,)
        new = await store.add_members(conn, guild, raid.wave, taken, joined_at) if taken else 0
        if taken and not new and settings.sanction == "kick":  # bans and timeouts outlast leaving
            new = await store.came_back(conn, guild, raid.wave, user, joined_at)
        pausing = level is Level.LOCKDOWN and before < Level.LOCKDOWN
        acting = raid.acting or bool(new) or pausing
        if acting and not raid.acting:
            await schedule(conn, WAVE_KIND, str(guild), now + GATHER, {})
        if level > before:
            await self._note(conn, guild, before, level, None, {"joins": burst.fill})
        if calm_at != raid.calm_at:
            await schedule(conn, CALM_KIND, str(guild), calm_at, {})
        await store.put(conn, replace(raid, level=level, calm_at=calm_at, acting=acting))
        return level

    async def calm(self, guild: GuildId) -> None:
        """Go down by one level if the time for it has come, and have the rest done by the wave's work."""
        now = self._clock()
        settings = await self._settings.get(guild, FEATURE, RaidSettings)
        async with transaction(self._pool) as conn:
            raid = await store.lock(conn, guild)
            if raid is None or raid.level == Level.CALM:
                return
            if raid.calm_at > now + timedelta(seconds=1):
                await schedule(conn, CALM_KIND, str(guild), raid.calm_at, {})
                return
            before, level = Level(raid.level), Level(raid.level - 1)
            calm_at = now + timedelta(minutes=settings.calm_minutes)
            if level is not Level.CALM:
                await schedule(conn, CALM_KIND, str(guild), calm_at, {})
            else:
                await store.forget_members(conn, guild, raid.wave)
            if raid.invites_paused and level < Level.LOCKDOWN:
                await schedule(conn, WAVE_KIND, str(guild), now, {})
            await self._note(conn, guild, before, level, None, {})
            await store.put(conn, replace(raid, level=level, calm_at=calm_at, manual_by=None))
        if level is Level.CALM:
            await self._forget_burst(guild)

    async def lock_down(self, guild: GuildId, lasting: timedelta, by: UserId) -> Raid:
        """Put the guild into lockdown by hand: everybody who joins is acted on until it ends."""
        now = self._clock()
        async with transaction(self._pool) as conn:
            raid = await store.lock(conn, guild)
            before = Level.CALM if raid is None else Level(raid.level)
            if raid is None or before is Level.CALM:
                raid = _begin(guild, raid, now)
            raid = replace(raid, level=Level.LOCKDOWN, calm_at=now + lasting, manual_by=by, acting=True)
            await store.put(conn, raid)
            await schedule(conn, WAVE_KIND, str(guild), now, {})
            await schedule(conn, CALM_KIND, str(guild), raid.calm_at, {})
            minutes = int(lasting.total_seconds() // 60)
            await self._note(conn, guild, before, Level.LOCKDOWN, by, {"minutes": minutes})
        return raid

    async def stand_down(self, guild: GuildId, by: UserId) -> bool:
        """End a raid by hand; who has been acted on stays so. False: there was none."""
        now = self._clock()
        async with transaction(self._pool) as conn:
            raid = await store.lock(conn, guild)
            if raid is None or raid.level == Level.CALM:
                return False
            await store.put(conn, replace(raid, level=Level.CALM, calm_at=now, manual_by=None, acting=False))
            await store.forget_members(conn, guild, raid.wave)
            await cancel(conn, CALM_KIND, str(guild))
            await schedule(conn, WAVE_KIND, str(guild), now, {})  # invites are opened again there
            await self._note(conn, guild, Level(raid.level), Level.CALM, by, {})
        await self._forget_burst(guild)
        return True

    async def _forget_burst(self, guild: GuildId) -> None:
        """The next join must not find the burst of a raid that is over, and raise it again with everybody in it."""
        try:
            await self._joins.forget(guild)
        except (RedisError, OSError) as error:
            metrics.RULE_WATCH_FAILURES.labels("raid").inc()
            log.warning("burst not forgotten", extra={"guild_id": guild, "error": type(error).__name__})

    async def status(self, guild: GuildId) -> Status:
        """Return how things are."""
        settings = await self._settings.get(guild, FEATURE, RaidSettings)
        async with transaction(self._pool) as conn:
            raid = await store.find(conn, guild)
            members = await store.count_members(conn, guild, raid.wave) if raid and raid.level else 0
        return Status(Level(raid.level) if raid else Level.CALM, raid, members, settings)

    async def configure(self, guild: GuildId, by: UserId, **fields: object) -> RaidSettings:
        """Change settings. Raises pydantic's ValidationError for values out of bounds."""

        def apply(old: RaidSettings) -> RaidSettings:
            return RaidSettings.model_validate(old.model_dump() | fields)

        async with transaction(self._pool) as conn:
            changed, version = await self._settings.change(conn, guild, FEATURE, RaidSettings, apply, by=by)
            detail = {"fields": sorted(fields), "version": version}
            entry = AuditEntry("settings.changed", f"settings:{FEATURE}", by, detail)
            await self._audit.append(conn, guild, entry, self._clock())
        await self._settings.announce(guild, FEATURE)
        return changed

    async def _note(
        self,
        conn: Conn,
        guild: GuildId,
        before: Level,
        level: Level,
        by: UserId | None,
        detail: dict[str, int],
    ) -> None:
        metrics.RAID_LEVELS.labels(level.name.lower()).inc()
        entry = AuditEntry("raid.level", "guild", by, {"from": before.name, "to": level.name, **detail})
        await self._audit.append(conn, guild, entry, self._clock())


def _begin(guild: GuildId, before: Raid | None, now: datetime) -> Raid:
    """Return a new raid; whether invites are paused is a fact that outlives the last one."""
    paused = before is not None and before.invites_paused
    return Raid(
        guild, Level.CALM, int(now.timestamp() * 1000), now, now, None, invites_paused=paused, acting=False
    )


def moment(joined_at: datetime | None, received_ms: int) -> datetime:
    """Return when somebody joined; events without it came just now."""
    return joined_at or datetime.fromtimestamp(received_ms / 1000, UTC)
