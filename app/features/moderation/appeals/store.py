"""The table of appeals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import maybe, run
from app.snowflake import GuildId, UserId
from app.streams.store import schedule

ANSWER_KIND = "moderation.appeal_answer"
"""Scheduled work that tells the member how the appeal ended."""


@dataclass(frozen=True, slots=True)
class Appeal:
    """What a member says against a case; `state` is open, upheld (the case stands) or overturned."""

    appeal_id: int
    guild_id: int
    case_number: int
    user_id: int
    text: str | None
    state: str
    dm_channel: int | None
    dm_message: int | None
    opened_at: datetime
    decided_at: datetime | None
    decided_by: int | None


async def open_appeal(
    conn: Conn,
    guild: GuildId,
    number: int,
    user: UserId,
    text: str,
    *,
    text_expires_at: datetime,
    dm_channel: int | None,
    dm_message: int | None,
    now: datetime,
) -> Appeal | None:
    """Open an appeal; None: the case has an open one, which a unique index guarantees."""
    return await maybe(
        conn,
        Appeal,
        """
        INSERT INTO moderation.appeals
            (guild_id, case_number, user_id, text, text_expires_at, dm_channel, dm_message, opened_at)
        VALUES (%(guild)s, %(number)s, %(user)s, %(text)s, %(expires)s, %(dm_channel)s, %(dm_message)s, %(now)s)
        ON CONFLICT (guild_id, case_number) WHERE state = 'open' DO NOTHING
        RETURNING appeal_id, guild_id, case_number, user_id, text, state, dm_channel, dm_message, opened_at,
                  decided_at, decided_by""",
        guild=guild,
        number=number,
        user=user,
        text=text,
        expires=text_expires_at,
        dm_channel=dm_channel,
        dm_message=dm_message,
        now=now,
    )


async def latest(conn: Conn, guild: GuildId, number: int) -> Appeal | None:
    """Return the newest appeal against a case."""
    return await maybe(
        conn,
        Appeal,
        """
        SELECT appeal_id, guild_id, case_number, user_id, text, state, dm_channel, dm_message, opened_at,
               decided_at, decided_by
        FROM moderation.appeals WHERE guild_id = %(guild)s AND case_number = %(number)s
        ORDER BY appeal_id DESC LIMIT 1""",
        guild=guild,
        number=number,
    )


async def find(conn: Conn, guild: GuildId, appeal_id: int) -> Appeal | None:
    """Return the appeal."""
    return await maybe(
        conn,
        Appeal,
        """
        SELECT appeal_id, guild_id, case_number, user_id, text, state, dm_channel, dm_message, opened_at,
               decided_at, decided_by
        FROM moderation.appeals WHERE guild_id = %(guild)s AND appeal_id = %(appeal)s""",
        guild=guild,
        appeal=appeal_id,
    )


async def decide(
    conn: Conn, guild: GuildId, appeal_id: int, state: str, *, by: UserId, now: datetime
) -> bool:
    """Close an open appeal and have the member told. False: it was decided already."""
    done = await run(
        conn,
        """
        UPDATE moderation.appeals SET state = %(state)s, decided_by = %(by)s, decided_at = %(now)s
        WHERE guild_id = %(guild)s AND appeal_id = %(appeal)s AND state = 'open'""",
        guild=guild,
        appeal=appeal_id,
        state=state,
        by=by,
        now=now,
    )
    if done:
        await schedule(conn, ANSWER_KIND, str(appeal_id), now, {"guild": str(guild), "appeal": appeal_id})
    return done > 0


async def forget_texts(conn: Conn, now: datetime, *, limit: int) -> int:
    """Remove the texts of decided appeals whose time is over; return how many."""
    return await run(
        conn,
        """
        UPDATE moderation.appeals SET text = NULL WHERE appeal_id IN (
            SELECT appeal_id FROM moderation.appeals
            WHERE text IS NOT NULL AND text_expires_at < %(now)s
            ORDER BY text_expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)""",
        now=now,
        limit=limit,
    )
