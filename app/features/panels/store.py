"""The tables of panels. A change names the version that it was made on and happens only to that one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.types.json import Jsonb

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, one, run
from app.features.panels.models import Choice, Draft, Kind, Panel, PanelId
from app.snowflake import ChannelId, GuildId, MessageId, UserId


@dataclass(frozen=True, slots=True)
class _Count:
    option: int
    votes: int


async def create(
    conn: Conn, guild: GuildId, channel: ChannelId, author: UserId, kind: Kind, locale: str, draft: Draft
) -> Panel:
    """Store a new panel, not yet posted."""
    return await one(
        conn,
        Panel,
        """
        INSERT INTO interactions.panels
            (guild_id, channel_id, author_id, kind, locale, title, options, only_one, closes_at)
        VALUES (%(guild)s, %(channel)s, %(author)s, %(kind)s, %(locale)s, %(title)s, %(options)s, %(only_one)s,
                %(closes_at)s)
        RETURNING panel_id, guild_id, channel_id, message_id, author_id, kind, locale, title, options, only_one,
                  version, closes_at, closed_at""",
        guild=guild,
        channel=channel,
        author=author,
        kind=kind.value,
        locale=locale,
        title=draft.title,
        options=_options(draft.choices),
        only_one=draft.only_one,
        closes_at=draft.closes_at,
    )


async def find(conn: Conn, guild: GuildId, panel: PanelId) -> Panel | None:
    """Return a panel of this guild."""
    return await maybe(
        conn,
        Panel,
        """
        SELECT panel_id, guild_id, channel_id, message_id, author_id, kind, locale, title, options, only_one,
               version, closes_at, closed_at
        FROM interactions.panels WHERE panel_id = %(panel)s AND guild_id = %(guild)s""",
        panel=panel,
        guild=guild,
    )


async def posted(conn: Conn, panel: PanelId, message: MessageId) -> None:
    """Remember the message of a panel."""
    await run(
        conn,
        "UPDATE interactions.panels SET message_id = %(message)s WHERE panel_id = %(panel)s",
        message=message,
        panel=panel,
    )


async def remove(conn: Conn, panel: PanelId) -> None:
    """Forget a panel that could not be posted."""
    await run(conn, "DELETE FROM interactions.panels WHERE panel_id = %(panel)s", panel=panel)


async def change(conn: Conn, guild: GuildId, panel: PanelId, version: int, draft: Draft) -> Panel | None:
    """Change an open panel if it still has this version; None: it has another one, is closed or gone."""
    return await maybe(
        conn,
        Panel,
        """
        UPDATE interactions.panels
        SET title = %(title)s, options = %(options)s, only_one = %(only_one)s, closes_at = %(closes_at)s,
            version = version + 1
        WHERE panel_id = %(panel)s AND guild_id = %(guild)s AND version = %(version)s AND closed_at IS NULL
        RETURNING panel_id, guild_id, channel_id, message_id, author_id, kind, locale, title, options, only_one,
                  version, closes_at, closed_at""",
        title=draft.title,
        options=_options(draft.choices),
        only_one=draft.only_one,
        closes_at=draft.closes_at,
        panel=panel,
        guild=guild,
        version=version,
    )


async def close(conn: Conn, guild: GuildId, panel: PanelId, version: int, now: datetime) -> Panel | None:
    """Close an open panel if it still has this version; None: it has another one, is closed or gone."""
    return await maybe(
        conn,
        Panel,
        """
        UPDATE interactions.panels SET closed_at = %(now)s, version = version + 1
        WHERE panel_id = %(panel)s AND guild_id = %(guild)s AND version = %(version)s AND closed_at IS NULL
        RETURNING panel_id, guild_id, channel_id, message_id, author_id, kind, locale, title, options, only_one,
                  version, closes_at, closed_at""",
        panel=panel,
        guild=guild,
        version=version,
        now=now,
    )


async def close_due(conn: Conn, guild: GuildId, panel: PanelId, now: datetime) -> None:
    """Close a panel whose time has come, whatever its version."""
    await run(
        conn,
        """
        UPDATE interactions.panels SET closed_at = closes_at, version = version + 1
        WHERE panel_id = %(panel)s AND guild_id = %(guild)s AND closed_at IS NULL AND closes_at <= %(now)s""",
        panel=panel,
        guild=guild,
        now=now,
    )


async def vote(
    conn: Conn, guild: GuildId, panel: PanelId, version: int, option: int, user: UserId, now: datetime
) -> bool:
    """Set a member's vote in an open poll of this version; False: it has another one, is closed or gone.

    The shared lock lets votes pass each other and makes a change of the poll wait for them, or them for it.
    """
    changed = await run(
        conn,
        """
        WITH poll AS (
            SELECT panel_id FROM interactions.panels
            WHERE panel_id = %(panel)s AND guild_id = %(guild)s AND kind = 'poll' AND version = %(version)s
              AND closed_at IS NULL AND (closes_at IS NULL OR closes_at > %(now)s)
            FOR SHARE)
        INSERT INTO interactions.poll_votes (panel_id, user_id, option, voted_at)
        SELECT panel_id, %(user)s, %(option)s, %(now)s FROM poll
        ON CONFLICT (panel_id, user_id) DO UPDATE SET option = excluded.option, voted_at = excluded.voted_at""",
        panel=panel,
        guild=guild,
        version=version,
        option=option,
        user=user,
        now=now,
    )
    return changed == 1


async def votes(conn: Conn, panel: PanelId) -> dict[int, int]:
    """Return the number of votes by option."""
    sql: LiteralString = """
        SELECT option, count(*) AS votes FROM interactions.poll_votes
        WHERE panel_id = %(panel)s GROUP BY option"""
    return {count.option: count.votes for count in await many(conn, _Count, sql, panel=panel)}


async def forget_votes(conn: Conn, panel: PanelId, kept: Sequence[int]) -> None:
    """Remove the votes for options that a poll no longer has."""
    await run(
        conn,
        "DELETE FROM interactions.poll_votes WHERE panel_id = %(panel)s AND NOT option = ANY(%(kept)s::bigint[])",
        panel=panel,
        kept=list(kept),
    )


def _options(choices: Sequence[Choice]) -> Jsonb:
    return Jsonb([{"id": choice.key, "label": choice.label} for choice in choices])
