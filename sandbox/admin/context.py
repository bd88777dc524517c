"""What every endpoint gets: the sandbox, its interactions side, and look-ups by id or by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from pydantic import BeforeValidator, Field, WithJsonSchema

from sandbox.admin.errors import Refused
from sandbox.interactions.people import People
from sandbox.interactions.service import Interactions
from sandbox.world import Channel, ChannelType, Guild, Permission, Unknown, User, World
from sandbox.world.permissions import outranks

if TYPE_CHECKING:
    from sandbox.admin.stream import Stream
    from sandbox.instance import Sandbox


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_REFERENCE = {"type": "string"}
UserRef = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(min_length=1, description="A user: id or username.", examples=["maya"]),
    WithJsonSchema(_REFERENCE),
]
GuildRef = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(min_length=1, description="A server: id or name.", examples=["Night Owls"]),
    WithJsonSchema(_REFERENCE),
]
ChannelRef = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(
        min_length=1,
        description="A channel: id, `name` in the first server, or `Server/name`.",
        examples=["general"],
    ),
    WithJsonSchema(_REFERENCE),
]
Id = Annotated[int, Field(ge=0, lt=2**63), WithJsonSchema({"type": "string", "pattern": "^[0-9]+$"})]


@dataclass(slots=True)
class Context:
    """The parts that endpoints work on. Look-ups raise `Unknown`."""

    sandbox: Sandbox
    interactions: Interactions
    people: People
    stream: Stream

    @property
    def world(self) -> World:
        """The world."""
        return self.sandbox.world

    def user(self, reference: str) -> User:
        """A user by id, username (in any case), or display name."""
        world = self.world
        if _is_id(reference):
            return world.user(int(reference))
        wanted = reference.removeprefix("@").lower()
        for user in world.users.values():
            if user.username.lower() == wanted:
                return user
        for user in world.users.values():
            if user.display_name.lower() == wanted:
                return user
        raise Refused("unknown_user", f"no user {reference!r}; GET /sandbox/users lists them", status=404)

    def guild(self, reference: str) -> Guild:
        """A guild by id or name (in any case)."""
        if _is_id(reference):
            return self.world.guild(int(reference))
        for guild in self.world.guilds.values():
            if guild.name.lower() == reference.lower():
                return guild
        known = ", ".join(guild.name for guild in self.world.guilds.values())
        raise Refused("unknown_guild", f"no server {reference!r}; there are: {known}", status=404)

    def channel(self, reference: str) -> Channel:
        """A channel by id, by name in the first guild that has it, or by `Guild/name`."""
        if _is_id(reference):
            return self.world.channel(int(reference))
        server, slash, name = reference.rpartition("/")
        guilds = [self.guild(server)] if slash else list(self.world.guilds.values())
        wanted = name.removeprefix("#").lower()
        for guild in guilds:
            for channel_id in guild.channel_ids:
                channel = self.world.channel(channel_id)
                if (channel.name or "").lower() == wanted and channel.type != ChannelType.CATEGORY:
                    return channel
        raise Refused(
            "unknown_channel", f"no channel {reference!r}; GET /sandbox/world lists them", status=404
        )

    def moderator(self, guild: Guild, reference: str, permission: Permission) -> User:
        """A member who has the permission in the guild. Raises Refused."""
        user = self.user(reference)
        if user.id not in guild.members:
            raise Unknown("member", guild.id, user.id)
        granted = self.world.guild_permissions_of(guild.id, user.id)
        if not granted & (permission | Permission.ADMINISTRATOR):
            raise Refused("missing_permissions", f"{user.username} lacks {permission.name} in {guild.name}")
        return user

    def check_rank(self, guild: Guild, actor: User, target: User) -> None:
        """The actor must stand above the target. Raises Refused."""
        target_member = guild.members.get(target.id)
        if target_member is not None and not outranks(guild, guild.members[actor.id], target_member):
            raise Refused("hierarchy", f"{target.username} does not stand below {actor.username}")


def _is_id(reference: str) -> bool:
    return reference.isascii() and reference.isdecimal() and len(reference) >= 15


def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Ctx = Annotated[Context, Depends(_context)]
"""Declares an endpoint's access to the sandbox."""
