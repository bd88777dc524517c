"""The tables of the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, run, value
from app.snowflake import GuildId


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a guild's chain."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A row of the log."""

    guild_id: int
    position: int
    at: datetime
    actor_id: int | None
    action: str
    target: str
    detail: str
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class _Guild:
    guild_id: int


async def lock_head(conn: Conn, guild: GuildId) -> Head:
    """Return the end of the chain, locked until the transaction ends; position 0 with an empty hash at first."""
    await run(
        conn,
        """
        INSERT INTO moderation.audit_heads (guild_id, position, hash) VALUES (%(guild)s, 0, ''::bytea)
        ON CONFLICT DO NOTHING""",
        guild=guild,
    )
    head = await maybe(
        conn,
        Head,
        "SELECT position, hash FROM moderation.audit_heads WHERE guild_id = %(guild)s FOR UPDATE",
        guild=guild,
    )
    assert head is not None
    return head


async def head_of(conn: Conn, guild: GuildId) -> Head | None:
    """Return the end of the chain."""
    return await maybe(
        conn,
        Head,
        "SELECT position, hash FROM moderation.audit_heads WHERE guild_id = %(guild)s",
        guild=guild,
    )


async def append(conn: Conn, entry: StoredEntry) -> None:
    """Add a row behind the locked head and move the head."""
    await run(
        conn,
        """
        INSERT INTO moderation.audit_log
            (guild_id, position, at, actor_id, action, target, detail, previous, hash)
        VALUES (%(guild)s, %(position)s, %(at)s, %(actor)s, %(action)s, %(target)s, %(detail)s,
                %(previous)s, %(hash)s)""",
        guild=entry.guild_id,
        position=entry.position,
        at=entry.at,
        actor=entry.actor_id,
        action=entry.action,
        target=entry.target,
        detail=entry.detail,
        previous=entry.previous,
        hash=entry.hash,
    )
    await run(
        conn,
        "UPDATE moderation.audit_heads SET position = %(position)s, hash = %(hash)s WHERE guild_id = %(guild)s",
        guild=entry.guild_id,
        position=entry.position,
        hash=entry.hash,
    )


async def entries(conn: Conn, guild: GuildId) -> AsyncIterator[StoredEntry]:
    """Yield the whole log in order, streamed through a server-side cursor."""
    async with conn.cursor(name="audit", row_factory=class_row(StoredEntry)) as cursor:
        await cursor.execute(
            """
            SELECT guild_id, position, at, actor_id, action, target, detail, previous, hash
            FROM moderation.audit_log WHERE guild_id = %(guild)s ORDER BY position""",
            {"guild": guild},
        )
        async for entry in cursor:
            yield entry


async def latest(conn: Conn, guild: GuildId, *, limit: int, before: int | None = None) -> list[StoredEntry]:
    """Return the newest rows, for a page of the log."""
    return await many(
        conn,
        StoredEntry,
        """
        SELECT guild_id, position, at, actor_id, action, target, detail, previous, hash
        FROM moderation.audit_log
        WHERE guild_id = %(guild)s AND (%(before)s::bigint IS NULL OR position < %(before)s)
        ORDER BY position DESC LIMIT %(limit)s""",
        guild=guild,
        before=before,
        limit=limit,
    )


async def has_cases(conn: Conn, guild: GuildId) -> bool:
    """Return whether the guild has cases: opening one leaves an entry."""
    return bool(
        await value(
            conn, "SELECT EXISTS (SELECT FROM moderation.cases WHERE guild_id = %(guild)s)", guild=guild
        )
    )


async def guilds(conn: Conn) -> list[GuildId]:
    """Return every guild that has a log or must have one: whoever removed one would remove its head too."""
    rows = await many(
        conn,
        _Guild,
        """
        SELECT guild_id FROM moderation.audit_heads UNION SELECT guild_id FROM moderation.audit_log
        UNION SELECT guild_id FROM moderation.cases ORDER BY guild_id""",
    )
    return [GuildId(row.guild_id) for row in rows]
