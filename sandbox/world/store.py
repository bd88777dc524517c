"""Keeps the world in a folder, so that a restart of the sandbox finds it as it was.

One SQLite table of JSON documents. The world lists what has changed; `save` writes the list in one
transaction, so a killed sandbox loses at most what happened since the last save (a fifth of a second, see
`SAVE_EVERY_SECONDS`), and never half of anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from pydantic import TypeAdapter

from sandbox.world.models import (
    Application,
    AuditEntry,
    Ban,
    Channel,
    Command,
    Guild,
    Member,
    Message,
    Role,
    User,
)
from sandbox.world.snowflakes import wall_clock_ms
from sandbox.world.world import World

SAVE_EVERY_SECONDS = 0.2
SCHEMA_VERSION = 1
_RECORDS: dict[str, type] = {
    "application": Application,
    "user": User,
    "guild": Guild,
    "role": Role,
    "channel": Channel,
    "member": Member,
    "message": Message,
    "ban": Ban,
    "audit": AuditEntry,
    "command": Command,
}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {kind: TypeAdapter(record) for kind, record in _RECORDS.items()}
_NESTED = {"roles", "members", "bans", "audit"}
"""Fields of a guild that have documents of their own."""

log = structlog.get_logger("sandbox.store")


class IncompatibleWorld(Exception):
    """The folder holds a world of another version; `--reset` starts a new one."""


class WorldInUse(Exception):
    """Another sandbox has the folder open."""


class WorldStore:
    """The SQLite file of one data folder."""

    def __init__(self, path: Path, *, reset: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._connection = sqlite3.connect(path, timeout=0.5, check_same_thread=False, isolation_level=None)
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise WorldInUse(
                f"{path} cannot be opened ({error}); does another sandbox use this folder?"
            ) from error
        if reset:
            self._connection.execute("DROP TABLE IF EXISTS documents")
            self._connection.execute("PRAGMA user_version = 0")
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in {0, SCHEMA_VERSION}:
            self._connection.close()
            raise IncompatibleWorld(
                f"{path} was written by another version of the sandbox; start once with --reset"
            )
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS documents"
            " (kind TEXT, key TEXT, sort INTEGER, body BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def load(self, *, clock: Callable[[], int] = wall_clock_ms) -> World | None:
        """Return the saved world, or None for an empty folder."""
        found: dict[str, list[Any]] = {kind: [] for kind in _RECORDS}
        rows = self._connection.execute("SELECT kind, body FROM documents ORDER BY kind, sort")
        for kind, body in rows:
            found[kind].append(_ADAPTERS[kind].validate_json(body))
        if not found["application"]:
            return None
        world = World(found["application"][0], clock=clock)
        world.users = {user.id: user for user in found["user"]}
        world.guilds = {guild.id: guild for guild in found["guild"]}
        world.channels = {channel.id: channel for channel in found["channel"]}
        world.commands = {command.id: command for command in found["command"]}
        for role in found["role"]:
            world.guilds[role.guild_id].roles[role.id] = role
        for member in found["member"]:
            world.guilds[member.guild_id].members[member.user_id] = member
        for ban in found["ban"]:
            world.guilds[ban.guild_id].bans[ban.user_id] = ban
        for entry in found["audit"]:
            world.guilds[entry.guild_id].audit.append(entry)
        for channel in world.channels.values():
            if channel.guild_id is not None:
                world.guilds[channel.guild_id].channel_ids.append(channel.id)
        for message in found["message"]:
            world.messages.setdefault(message.channel_id, {})[message.id] = message
        world.ids.last = max([*world.channels, *world.users, *(m.id for m in found["message"])], default=0)
        world.ids.last = max([world.ids.last, *(e.id for e in found["audit"]), *world.commands])
        return world

    def save(self, world: World) -> int:
        """Write everything that has changed, in one transaction; returns the number of documents."""
        batch = take_changes(world)
        self.write(batch)
        return len(batch)

    def write(self, batch: list[tuple[str, str, int, bytes | None]]) -> None:
        """Write documents (None deletes) in one transaction."""
        if not batch:
            return
        gone = [(kind, key) for kind, key, _, body in batch if body is None]
        kept = [row for row in batch if row[3] is not None]
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany("DELETE FROM documents WHERE kind = ? AND key = ?", gone)
            self._connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", kept)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def take_changes(world: World) -> list[tuple[str, str, int, bytes | None]]:
    """Take the world's list of changes as rows (kind, key, sort, body); body None means gone."""
    changed, world.changed = world.changed, {}
    rows: list[tuple[str, str, int, bytes | None]] = []
    for (kind, key), record in changed.items():
        parts = key if isinstance(key, tuple) else (key,)
        body = None
        if record is not None:
            hidden = _NESTED | {"channel_ids"} if kind == "guild" else None
            body = _ADAPTERS[kind].dump_json(record, exclude=hidden)
        rows.append((kind, "/".join(map(str, parts)), int(str(parts[-1])), body))
    return rows


async def keep_saving(world: World, store: WorldStore) -> None:
    """Save again and again until cancelled, then once more. Writing happens beside the event loop."""
    try:
        while True:
            await asyncio.sleep(SAVE_EVERY_SECONDS)
            batch = take_changes(world)
            if batch:
                writing = asyncio.create_task(asyncio.to_thread(store.write, batch))
                try:
                    await asyncio.shield(writing)
                except asyncio.CancelledError:
                    await writing
                    raise
                except sqlite3.Error as error:
                    log.error("the world could not be saved", path=str(store.path), error=str(error))
    finally:
        with contextlib.suppress(sqlite3.Error):
            store.save(world)
