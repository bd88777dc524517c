"""Appending to the chain, verifying it, exporting it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from app.adapters.postgres.pool import Conn
from app.features.moderation.audit import store
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What happened: `action` like `ban` or `rule.changed`, `target` like `user:42`; `actor` None: automatic.

    `detail` holds ids, numbers and rule names, never message text: the log is kept for ever.
    """

    action: str
    target: str
    actor: UserId | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A place where the chain does not hold."""

    guild_id: int
    position: int
    text: str


def entry_hash(entry: store.StoredEntry) -> bytes:
    """Return the SHA-256 that the row must carry: over the predecessor's hash and the fields as a JSON array."""
    fields = [
        entry.guild_id,
        entry.position,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor_id,
        entry.action,
        entry.target,
        entry.detail,
    ]
    return hashlib.sha256(entry.previous + orjson.dumps(fields)).digest()


class AuditLog:
    """One guild's chain at a time; everything runs in the caller's transaction."""

    async def append(self, conn: Conn, guild: GuildId, entry: AuditEntry, now: datetime) -> int:
        """Add an entry and return its position. Entries of a guild queue behind one another until commit."""
        head = await store.lock_head(conn, guild)
        stored = store.StoredEntry(
            guild_id=guild,
            position=head.position + 1,
            at=now,
            actor_id=entry.actor,
            action=entry.action,
            target=entry.target,
            detail=orjson.dumps(dict(entry.detail), option=orjson.OPT_SORT_KEYS).decode(),
            previous=head.hash,
            hash=b"",
        )
        await store.append(conn, _sealed(stored))
        return stored.position

    async def verify(self, conn: Conn, guild: GuildId) -> list[Problem]:
        """Walk the whole chain; return every place where it does not hold, empty when it does.

        In a transaction of one snapshot (REPEATABLE READ): an entry that is written meanwhile is no missing row.
        """
        problems: list[Problem] = []
        expected, previous = 1, b""
        async for entry in store.entries(conn, guild):
            missing = range(expected, min(entry.position, expected + 100))
            problems += [Problem(guild, position, "row is missing") for position in missing]
            if entry.hash != entry_hash(entry):
                problems.append(
                    Problem(guild, entry.position, "row was changed: its hash does not cover its fields")
                )
            elif entry.position == expected and entry.previous != previous:
                problems.append(Problem(guild, entry.position, "row does not follow its predecessor"))
            expected, previous = entry.position + 1, entry.hash
        head = await store.head_of(conn, guild)
        last = expected - 1
        if head is not None and head.position > last:
            problems += [
                Problem(guild, n, "row is missing")
                for n in range(expected, min(head.position, expected + 99) + 1)
            ]
        elif (head.position, head.hash) != (last, previous) if head else last:
            problems.append(Problem(guild, last, "the log's end is not the one that was recorded"))
        elif head is None and await store.has_cases(conn, guild):
            problems.append(Problem(guild, 0, "the log is missing, but the guild has cases"))
        return problems

    async def export(self, conn: Conn, guild: GuildId) -> AsyncIterator[bytes]:
        """Yield the log as JSON lines, hashes in hex, so that others can verify it too."""
        async for entry in store.entries(conn, guild):
            yield orjson.dumps(
                {
                    "guild_id": str(entry.guild_id),
                    "position": entry.position,
                    "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
                    "actor_id": None if entry.actor_id is None else str(entry.actor_id),
                    "action": entry.action,
                    "target": entry.target,
                    "detail": entry.detail,
                    "previous": entry.previous.hex(),
                    "hash": entry.hash.hex(),
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )


def _sealed(entry: store.StoredEntry) -> store.StoredEntry:
    return store.StoredEntry(
        entry.guild_id,
        entry.position,
        entry.at,
        entry.actor_id,
        entry.action,
        entry.target,
        entry.detail,
        entry.previous,
        entry_hash(entry),
    )
