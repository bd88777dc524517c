"""The commands that one person can use here, under the names that their client shows."""

from __future__ import annotations

from dataclasses import dataclass

from app.interactions.context import Autocomplete, Call, Click
from app.interactions.declarations import Command
from app.interactions.discovery import Declarations
from app.interactions.payloads import CommandType, InteractionContext
from app.interactions.permissions import Flags, GuildRoles, is_allowed
from app.locale.catalogue import COMMAND, OPTION, Catalogue
from app.locale.text import Text, t

Somebody = Call | Click | Autocomplete


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as a person sees it."""

    command: Command
    title: Text | str
    description: Text


class CommandList:
    """Lists commands; reads nothing but the declarations and what the guild has set."""

    def __init__(
        self, declarations: Declarations, catalogue: Catalogue, roles: GuildRoles, flags: Flags
    ) -> None:
        self._declarations, self._catalogue = declarations, catalogue
        self._roles, self._flags = roles, flags

    async def entries(self, person: Somebody) -> list[Entry]:
        """Return what the person can use, slash commands first, by name."""
        listed = [
            Entry(command, self.title(command, person), _description(command))
            for command in self._declarations.commands
            if await self._usable(command, person)
        ]
        return sorted(listed, key=lambda entry: (entry.command.type, str(entry.title).casefold()))

    async def find(self, person: Somebody, full_name: str) -> Entry | None:
        """Return the slash command of that default name, if the person can use it."""
        wanted = full_name.strip().removeprefix("/").lower()
        for entry in await self.entries(person):
            if entry.command.type is CommandType.CHAT_INPUT and wanted in (
                entry.command.full_name,
                str(entry.title).removeprefix("/").lower(),
            ):
                return entry
        return None

    def title(self, command: Command, person: Somebody) -> Text | str:
        """Return the command's name in the language of the person's client, which the guild's does not change."""
        locale = self._catalogue.choose(person.interaction.locale)
        name = " ".join(self._catalogue.translate(part, locale, COMMAND) for part in command.path)
        match command.type:
            case CommandType.USER:
                return t("{name} (in the menu of a member)", name=name)
            case CommandType.MESSAGE:
                return t("{name} (in the menu of a message)", name=name)
            case _:
                return f"/{name}"

    def option_name(self, name: str, person: Somebody) -> str:
        """Return an option's name in the language of the person's client."""
        return self._catalogue.translate(name, self._catalogue.choose(person.interaction.locale), OPTION)

    async def _usable(self, command: Command, person: Somebody) -> bool:
        guild, member = person.interaction.guild_id, person.interaction.member
        if command.guard.flag is not None and not await self._flags.enabled(guild, command.guard.flag):
            return False
        if guild is None or member is None:
            here = person.interaction.context or InteractionContext.BOT_DM
            return here in command.registration.contexts
        if InteractionContext.GUILD not in command.registration.contexts:
            return False
        return await is_allowed(command.guard.permission, guild, member, self._roles)


def _description(command: Command) -> Text:
    return Text(command.description) if command.description else t("Open the menu, then Apps.")
