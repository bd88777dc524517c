"""Registered application commands: what is stored, not what is allowed (REST validates)."""

from __future__ import annotations

from typing import Any

from sandbox.world.guilds import GuildActions
from sandbox.world.models import Command
from sandbox.world.state import Unknown

DAY_MS = 24 * 3600 * 1000

Json = dict[str, Any]


class CommandActions(GuildActions):
    """Upsert, overwrite and delete application commands."""

    def scope_commands(self, guild_id: int | None) -> list[Command]:
        """Return the global commands (None) or those of one guild, oldest first."""
        found = [c for c in self.commands.values() if c.guild_id == guild_id]
        return sorted(found, key=lambda c: c.id)

    def command(self, command_id: int, guild_id: int | None) -> Command:
        """Return the command of that scope."""
        found = self.commands.get(command_id)
        if found is None or found.guild_id != guild_id:
            raise Unknown("command", command_id)
        return found

    def upsert_command(self, guild_id: int | None, body: Json) -> tuple[Command, bool]:
        """Create a command, or overwrite the one with the same type and name; returns it and whether it is
        new.
        """
        key = (int(body.get("type", 1)), str(body["name"]))
        for existing in self.scope_commands(guild_id):
            if existing.key == key:
                return self.replace_command(existing, body), False
        command = Command(self.ids.next(), guild_id, self.ids.next(), body)
        self.commands[command.id] = command
        self.touch("command", command, command.id)
        self._count_create(guild_id)
        return command, True

    def replace_command(self, command: Command, body: Json) -> Command:
        """Give a command a new body; `version` changes only when the body does (contract section 2.1)."""
        if body != command.body:
            command.body = body
            command.version = self.ids.next()
            self.touch("command", command, command.id)
        return command

    def delete_command(self, command: Command) -> None:
        """Remove a command."""
        del self.commands[command.id]
        self.forget("command", command.id)

    def overwrite_commands(self, guild_id: int | None, bodies: list[Json]) -> list[Command]:
        """Make the scope hold exactly these; commands with the same type and name keep their id."""
        kept = {self.upsert_command(guild_id, body)[0].id for body in bodies}
        for command in self.scope_commands(guild_id):
            if command.id not in kept:
                self.delete_command(command)
        return self.scope_commands(guild_id)

    def creates_today(self, guild_id: int | None) -> int:
        """Return how many commands were newly made in that scope in the last 24 hours."""
        since = self.clock() - DAY_MS
        times = [t for t in self.command_creates.get(_scope(guild_id), []) if t > since]
        return len(times)

    def _count_create(self, guild_id: int | None) -> None:
        since = self.clock() - DAY_MS
        times = [t for t in self.command_creates.get(_scope(guild_id), []) if t > since]
        self.command_creates[_scope(guild_id)] = [*times, self.clock()]


def _scope(guild_id: int | None) -> str:
    return "global" if guild_id is None else str(guild_id)
