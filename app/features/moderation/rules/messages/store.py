"""The table of kept messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, run, value
from app.snowflake import GuildId, MessageId, UserId


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept message; `payload` is JSON as the gateway sends messages, shortened."""

    message_id: int
    payload: bytes


async def keep(
    conn: Conn, guild: GuildId, message: MessageId, user: UserId, payload: bytes, until: datetime
) -> None:
    """Keep a message, or how it reads after an edit."""
    await run(
        conn,
        """
        INSERT INTO moderation.messages (guild_id, message_id, user_id, payload, kept_until)
        VALUES (%(guild)s, %(message)s, %(user)s, %(payload)s, %(until)s)
        ON CONFLICT (guild_id, message_id) DO UPDATE SET payload = excluded.payload""",
        guild=guild,
        message=message,
        user=user,
        payload=payload,
        until=until,
    )


async def forget(conn: Conn, guild: GuildId, messages: Sequence[int]) -> int:
    """Forget deleted messages, except those that a case is about: they are evidence until their time is over."""
    return await run(
        conn,
        """
        DELETE FROM moderation.messages AS kept
        WHERE kept.guild_id = %(guild)s AND kept.message_id = ANY(%(messages)s)
          AND NOT EXISTS (
              SELECT FROM moderation.cases AS held
              WHERE held.guild_id = kept.guild_id AND held.target_id = kept.user_id
                AND held.message_id = kept.message_id)""",
        guild=guild,
        messages=list(messages),
    )


async def forget_all(conn: Conn, guild: GuildId) -> int:
    """Forget everything that a guild kept."""
    return await run(conn, "DELETE FROM moderation.messages WHERE guild_id = %(guild)s", guild=guild)


async def prune(conn: Conn, now: datetime, *, limit: int) -> int:
    """Forget up to `limit` messages whose time is over and return how many."""
    return await run(
        conn,
        """
        DELETE FROM moderation.messages AS old USING (
            SELECT guild_id, message_id FROM moderation.messages WHERE kept_until <= %(now)s
            LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ) AS found
        WHERE old.guild_id = found.guild_id AND old.message_id = found.message_id""",
        now=now,
        limit=limit,
    )


async def count(conn: Conn, guild: GuildId) -> int:
    """Return how many messages are kept."""
    return int(
        await value(conn, "SELECT count(*) FROM moderation.messages WHERE guild_id = %(guild)s", guild=guild)
    )


async def before_the_newest(conn: Conn, guild: GuildId, newest: int) -> int:
    """Return the id after which the newest `newest` messages come; 0 when there are no more than that."""
    return int(
        await value(
            conn,
            """
            SELECT message_id FROM moderation.messages WHERE guild_id = %(guild)s
            ORDER BY message_id DESC OFFSET %(newest)s LIMIT 1""",
            guild=guild,
            newest=newest,
        )
        or 0
    )


async def page(conn: Conn, guild: GuildId, after: int, *, limit: int) -> list[Kept]:
    """Return messages in the order in which they were written."""
    return await many(
        conn,
        Kept,
        """
        SELECT message_id, payload FROM moderation.messages
        WHERE guild_id = %(guild)s AND message_id > %(after)s ORDER BY message_id LIMIT %(limit)s""",
        guild=guild,
        after=after,
        limit=limit,
    )
