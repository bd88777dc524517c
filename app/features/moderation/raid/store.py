"""The tables of raids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, run, value
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class Raid:
    """A guild's state. `wave` names the raid (Unix ms of its begin); level 0 is a raid that is over."""

    guild_id: int
    level: int
    wave: int
    since: datetime
    calm_at: datetime
    manual_by: int | None
    invites_paused: bool
    acting: bool


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a wave."""

    user_id: int
    joined_at: datetime


async def find(conn: Conn, guild: GuildId) -> Raid | None:
    """Return the guild's state; None: it never had a raid."""
    return await maybe(
        conn,
        Raid,
        """
        SELECT guild_id, level, wave, since, calm_at, manual_by, invites_paused, acting
        FROM moderation.raids WHERE guild_id = %(guild)s""",
        guild=guild,
    )


async def lock(conn: Conn, guild: GuildId) -> Raid | None:
    """Return the guild's state; nobody else changes it until the transaction ends, also where there is none yet."""
    await run(
        conn, "SELECT pg_advisory_xact_lock(hashtextextended('raid:' || %(guild)s, 0))", guild=str(guild)
    )
    return await find(conn, guild)


async def put(conn: Conn, raid: Raid) -> None:
    """Store the state."""
    await run(
        conn,
        """
        INSERT INTO moderation.raids (guild_id, level, wave, since, calm_at, manual_by, invites_paused, acting)
        VALUES (%(guild)s, %(level)s, %(wave)s, %(since)s, %(calm_at)s, %(by)s, %(paused)s, %(acting)s)
        ON CONFLICT (guild_id) DO UPDATE
        SET level = excluded.level, wave = excluded.wave, since = excluded.since, calm_at = excluded.calm_at,
            manual_by = excluded.manual_by, invites_paused = excluded.invites_paused, acting = excluded.acting""",
        guild=raid.guild_id,
        level=raid.level,
        wave=raid.wave,
        since=raid.since,
        calm_at=raid.calm_at,
        by=raid.manual_by,
        paused=raid.invites_paused,
        acting=raid.acting,
    )


async def add_members(
    conn: Conn, guild: GuildId, wave: int, users: Sequence[UserId], joined_at: datetime
) -> int:
    """Add people to the wave, each once; return how many are new in it."""
    return await run(
        conn,
        """
        INSERT INTO moderation.raid_members (guild_id, wave, user_id, joined_at)
        SELECT %(guild)s, %(wave)s, user_id, %(joined_at)s FROM unnest(%(users)s::bigint[]) AS wanted (user_id)
        ON CONFLICT DO NOTHING""",
        guild=guild,
        wave=wave,
        users=list(users),
        joined_at=joined_at,
    )


async def came_back(conn: Conn, guild: GuildId, wave: int, user: UserId, joined_at: datetime) -> int:
    """Have somebody of the wave acted on anew who left and joined again; return 1 if so."""
    return await run(
        conn,
        """
        UPDATE moderation.raid_members SET handled = false, joined_at = %(joined_at)s
        WHERE guild_id = %(guild)s AND wave = %(wave)s AND user_id = %(user)s AND handled
          AND joined_at < %(joined_at)s""",
        guild=guild,
        wave=wave,
        user=user,
        joined_at=joined_at,
    )


async def unhandled(conn: Conn, guild: GuildId, wave: int, *, limit: int) -> list[Member]:
    """Return people of the wave about whom nothing was decided yet."""
    return await many(
        conn,
        Member,
        """
        SELECT user_id, joined_at FROM moderation.raid_members
        WHERE guild_id = %(guild)s AND wave = %(wave)s AND NOT handled ORDER BY user_id LIMIT %(limit)s""",
        guild=guild,
        wave=wave,
        limit=limit,
    )


async def mark_handled(conn: Conn, guild: GuildId, wave: int, users: Sequence[int]) -> None:
    """Note that it was decided what happens to them."""
    await run(
        conn,
        """
        UPDATE moderation.raid_members SET handled = true
        WHERE guild_id = %(guild)s AND wave = %(wave)s AND user_id = ANY(%(users)s)""",
        guild=guild,
        wave=wave,
        users=list(users),
    )


async def count_members(conn: Conn, guild: GuildId, wave: int) -> int:
    """Return how many people the wave has."""
    return int(
        await value(
            conn,
            "SELECT count(*) FROM moderation.raid_members WHERE guild_id = %(guild)s AND wave = %(wave)s",
            guild=guild,
            wave=wave,
        )
    )


async def forget_members(conn: Conn, guild: GuildId, wave: int) -> None:
    """Forget who was in a wave that is over; the cases stay."""
    await run(
        conn,
        "DELETE FROM moderation.raid_members WHERE guild_id = %(guild)s AND wave = %(wave)s",
        guild=guild,
        wave=wave,
    )
