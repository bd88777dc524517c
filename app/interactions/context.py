"""What a handler is called with: who, where, when, in which language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.errors import UserError
from app.interactions.interaction import Interaction
from app.interactions.payloads import Channel, Member, Message, Resolved, User, snowflake
from app.locale.text import t
from app.snowflake import ChannelId, GuildId


class GuildOnly(UserError):
    """The handler asked for a guild in a direct message."""

    def __init__(self) -> None:
        super().__init__(t("This only works in a server."))


@dataclass(frozen=True, slots=True)
class _Context:
    interaction: Interaction
    locale: str
    """The catalogue's locale that the answer will be in."""
    now: datetime
    """When we began to handle it, aware UTC."""

    @property
    def guild(self) -> GuildId:
        """Return the guild, which is also the tenant. Raises GuildOnly in DMs."""
        guild = self.interaction.guild_id
        if guild is None:
            raise GuildOnly
        return guild

    @property
    def guild_or_none(self) -> GuildId | None:
        """Return the guild, None in DMs."""
        return self.interaction.guild_id

    @property
    def user(self) -> User:
        """Return the caller."""
        return self.interaction.user

    @property
    def member(self) -> Member:
        """Return the caller as a member with resolved permissions. Raises GuildOnly in DMs."""
        member = self.interaction.member
        if member is None:
            raise GuildOnly
        return member

    @property
    def channel(self) -> Channel | None:
        """Return the channel, None where Discord did not send it."""
        return self.interaction.channel

    @property
    def channel_id(self) -> ChannelId | None:
        """Return the channel's id."""
        return self.interaction.channel_id


@dataclass(frozen=True, slots=True)
class Call(_Context):
    """A command was run. `command` is its full name, e.g. `role menu add`."""

    command: str = ""


@dataclass(frozen=True, slots=True)
class Click(_Context):
    """A button was pressed or a select chosen from.

    `values` are the chosen values: strings of a string select, ids as strings of the other selects, whose objects
    are in `resolved`.
    """

    @property
    def values(self) -> tuple[str, ...]:
        """Return what was chosen, () for a button."""
        values = self.interaction.data.get("values") or ()
        return tuple(value for value in values if type(value) is str)

    @property
    def ids(self) -> tuple[int, ...]:
        """Return what was chosen in a user, role, mentionable or channel select, as ids."""
        return tuple(snowflake(value) for value in self.values)

    @property
    def resolved(self) -> Resolved:
        """Return the objects that the values stand for."""
        return self.interaction.resolved

    @property
    def message(self) -> Message:
        """Return the message that the component sits on. Raises InvalidInteraction when Discord left it out."""
        message = self.interaction.message
        return message if message is not None else Message.parse(None)


@dataclass(frozen=True, slots=True)
class Submit(_Context):
    """A modal was submitted; its validated fields are the handler's own argument.

    `from_component` tells whether the modal was opened by a component: only then can the answer update a message.
    """

    @property
    def from_component(self) -> bool:
        """Tell whether there is a message that `Reply.update` can change."""
        return self.interaction.raw.get("message") is not None

    @property
    def resolved(self) -> Resolved:
        """Return users, roles, channels and files that the fields refer to."""
        return self.interaction.resolved


@dataclass(frozen=True, slots=True)
class Autocomplete(_Context):
    """Someone is typing an option. There are 3 s and no deferral (contract 1.10).

    `typed` is the text so far (numbers too arrive as typed), `option` its name; `options` are the other values as
    the client sent them, partial and unchecked.
    """

    command: str = ""
    option: str = ""
    typed: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
