"""What was registered with Discord, when, and from which revision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import maybe, run


@dataclass(frozen=True, slots=True)
class RegistrationRecord:
    """One sync. `guild_id` 0 is the global scope; `changes` counts commands created, updated or deleted."""

    guild_id: int
    version: str
    git_revision: str | None
    commands: int
    changes: int
    registered_at: datetime


class RegistrationStore:
    """Table interactions.registrations: one row per sync that changed something or ran from another revision."""

    async def latest(self, conn: Conn, guild_id: int = 0) -> RegistrationRecord | None:
        """Return the newest row of a scope."""
        return await maybe(
            conn,
            RegistrationRecord,
            """
            SELECT guild_id, version, git_revision, commands, changes, registered_at
            FROM interactions.registrations
            WHERE guild_id = %(guild)s
            ORDER BY id DESC
            LIMIT 1""",
            guild=guild_id,
        )

    async def record(
        self,
        conn: Conn,
        guild_id: int,
        version: str,
        git_revision: str | None,
        *,
        commands: int,
        changes: int,
    ) -> bool:
        """Write a row, unless the newest says the same and nothing changed. Tell whether it was written."""
        written = await run(
            conn,
            """
            INSERT INTO interactions.registrations (guild_id, version, git_revision, commands, changes)
            SELECT %(guild)s, %(version)s, %(revision)s, %(commands)s, %(changes)s
            WHERE %(changes)s > 0 OR NOT EXISTS (
                SELECT FROM (
                    SELECT version, git_revision
                    FROM interactions.registrations
                    WHERE guild_id = %(guild)s
                    ORDER BY id DESC
                    LIMIT 1
                ) AS newest
                WHERE newest.version = %(version)s
                  AND newest.git_revision IS NOT DISTINCT FROM %(revision)s
            )""",
            guild=guild_id,
            version=version,
            revision=git_revision,
            commands=commands,
            changes=changes,
        )
        return written == 1
