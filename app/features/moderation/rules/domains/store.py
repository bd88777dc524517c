"""The tables of domain lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, run, value
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class DomainList:
    """A list without its entries. `source` is a file's name or a URL."""

    list_id: int
    guild_id: int
    name: str
    version: int
    source: str
    entries: int
    changed_at: datetime


async def lists_of(conn: Conn, guild: GuildId) -> list[DomainList]:
    """Return the guild's lists by name."""
    return await many(
        conn,
        DomainList,
        """
        SELECT list_id, guild_id, name, version, source, entries, changed_at
        FROM moderation.domain_lists WHERE guild_id = %(guild)s ORDER BY name""",
        guild=guild,
    )


async def find_list(conn: Conn, guild: GuildId, name: str) -> DomainList | None:
    """Return the list of that name."""
    return await maybe(
        conn,
        DomainList,
        """
        SELECT list_id, guild_id, name, version, source, entries, changed_at
        FROM moderation.domain_lists WHERE guild_id = %(guild)s AND name = %(name)s""",
        guild=guild,
        name=name,
    )


async def domains_of(conn: Conn, list_id: int) -> list[str]:
    """Return all entries of a list. They travel as one text: 100,000 rows would hold up the loop."""
    text = await value(
        conn,
        "SELECT string_agg(domain, E'\\n') FROM moderation.domains WHERE list_id = %(list_id)s",
        list_id=list_id,
    )
    return str(text).split("\n") if text else []


async def put_list(conn: Conn, guild: GuildId, name: str, *, source: str, entries: int, by: UserId) -> int:
    """Make the list or its next version, and return its id; its row is locked until the transaction ends."""
    return int(
        await value(
            conn,
            """
            INSERT INTO moderation.domain_lists AS known (guild_id, name, source, entries, changed_by)
            VALUES (%(guild)s, %(name)s, %(source)s, %(entries)s, %(by)s)
            ON CONFLICT (guild_id, name) DO UPDATE
            SET version = known.version + 1, source = excluded.source, entries = excluded.entries,
                changed_by = excluded.changed_by, changed_at = now()
            RETURNING list_id""",
            guild=guild,
            name=name,
            source=source,
            entries=entries,
            by=by,
        )
    )


async def clear(conn: Conn, list_id: int) -> int:
    """Delete all entries of a list."""
    return await run(conn, "DELETE FROM moderation.domains WHERE list_id = %(list_id)s", list_id=list_id)


async def fill(conn: Conn, list_id: int, domains: Iterable[str]) -> None:
    """Write the entries of an empty list; they must be different ones."""
    async with (
        conn.cursor() as cursor,
        cursor.copy("COPY moderation.domains (list_id, domain) FROM STDIN") as copy,
    ):
        for domain in domains:
            await copy.write_row((list_id, domain))


async def remove_list(conn: Conn, guild: GuildId, name: str) -> bool:
    """Delete a list with its entries. False: there is none of that name."""
    return (
        await run(
            conn,
            "DELETE FROM moderation.domain_lists WHERE guild_id = %(guild)s AND name = %(name)s",
            guild=guild,
            name=name,
        )
        > 0
    )
