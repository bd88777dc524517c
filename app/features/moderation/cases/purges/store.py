"""The table of purges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import maybe, run
from app.snowflake import GuildId


@dataclass(frozen=True, slots=True)
class Purge:
    """The messages that a purge removes, newest first."""

    channel_id: int
    message_ids: list[int]


async def keep(conn: Conn, guild: GuildId, number: int, channel: int, messages: Sequence[int]) -> None:
    """Note what is about to be removed, with the case."""
    await run(
        conn,
        """
        INSERT INTO moderation.purges (guild_id, number, channel_id, message_ids)
        VALUES (%(guild)s, %(number)s, %(channel)s, %(messages)s)""",
        guild=guild,
        number=number,
        channel=channel,
        messages=list(messages),
    )


async def find(conn: Conn, guild: GuildId, number: int) -> Purge | None:
    """Return what a purge removes."""
    return await maybe(
        conn,
        Purge,
        """
        SELECT channel_id, message_ids FROM moderation.purges
        WHERE guild_id = %(guild)s AND number = %(number)s""",
        guild=guild,
        number=number,
    )
