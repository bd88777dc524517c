"""Discord's permission bits (contract 6.2) and our own levels, which a declaration may require."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Protocol

from app.snowflake import GuildId, RoleId, UserId

if TYPE_CHECKING:
    from app.interactions.payloads import Member


class Permission(IntFlag):
    """One bit per permission; unknown bits that Discord adds later are kept."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    PRIORITY_SPEAKER = 1 << 8
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    VIEW_GUILD_INSIGHTS = 1 << 19
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VAD = 1 << 25
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    MANAGE_EVENTS = 1 << 33
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EMBEDDED_ACTIVITIES = 1 << 39
    MODERATE_MEMBERS = 1 << 40
    VIEW_CREATOR_MONETIZATION_ANALYTICS = 1 << 41
    USE_SOUNDBOARD = 1 << 42
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    CREATE_EVENTS = 1 << 44
    USE_EXTERNAL_SOUNDS = 1 << 45
    SEND_VOICE_MESSAGES = 1 << 46
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51
    BYPASS_SLOWMODE = 1 << 52


class Level(IntEnum):
    """Our own levels; each includes the ones below it.

    MODERATOR: may time members out, or holds a role that the guild set as moderator.
    ADMIN: ADMINISTRATOR or MANAGE_GUILD, or holds a role that the guild set as admin.
    OWNER: owns the guild.
    """

    MEMBER = 0
    MODERATOR = 1
    ADMIN = 2
    OWNER = 3


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Open to the roles that a guild has granted `name` to (e.g. `dj`), and to its admins."""

    name: str


Requirement = Permission | Level | RoleGrant | None
"""What a declaration may ask of its caller: Discord permissions (all of them), a level, a grant, or nothing."""


class GuildRoles(Protocol):
    """What the permission check asks of the guild's settings; `app.tenancy` answers it, tests fake it."""

    async def granted(self, guild: GuildId, grant: str) -> frozenset[RoleId]:
        """Roles to which the guild granted `moderator`, `admin` or a RoleGrant's name."""
        ...

    async def owner(self, guild: GuildId) -> UserId | None:
        """Return the guild's owner, None while unknown."""
        ...


class Flags(Protocol):
    """Feature flags of guilds; `app.tenancy` answers it, tests fake it."""

    async def enabled(self, guild: GuildId | None, flag: str) -> bool:
        """Tell whether the flag is on there."""
        ...


class AllFlags:
    """Answers for a process without guild settings: every feature is on."""

    async def enabled(self, guild: GuildId | None, flag: str) -> bool:
        return True


class NoGuildRoles:
    """Answers for a process without guild settings: nothing is granted, Discord's permissions decide."""

    async def granted(self, guild: GuildId, grant: str) -> frozenset[RoleId]:
        return frozenset()

    async def owner(self, guild: GuildId) -> UserId | None:
        return None


async def level_of(guild: GuildId, member: Member, roles: GuildRoles) -> Level:
    """Return the highest level that the member holds in the guild."""
    if member.id == await roles.owner(guild):
        return Level.OWNER
    if member.permissions & (Permission.ADMINISTRATOR | Permission.MANAGE_GUILD):
        return Level.ADMIN
    held = frozenset(member.roles)
    if held & await roles.granted(guild, "admin"):
        return Level.ADMIN
    if member.permissions & Permission.MODERATE_MEMBERS or held & await roles.granted(guild, "moderator"):
        return Level.MODERATOR
    return Level.MEMBER


async def is_allowed(requirement: Requirement, guild: GuildId, member: Member, roles: GuildRoles) -> bool:
    """Tell whether the member meets the requirement. ADMINISTRATOR implies every permission, not OWNER."""
    match requirement:
        case None:
            return True
        case Permission():
            held = member.permissions
            return bool(held & Permission.ADMINISTRATOR) or held & requirement == requirement
        case Level():
            return await level_of(guild, member, roles) >= requirement
        case RoleGrant(name):
            if frozenset(member.roles) & await roles.granted(guild, name):
                return True
            return await level_of(guild, member, roles) >= Level.ADMIN


def default_member_permissions(requirement: Requirement) -> Permission | None:
    """Return the Discord permissions that make the client hide a command from those who may not run it anyway.

    None shows it to everyone: grants are roles of ours, which Discord does not know.
    """
    match requirement:
        case Permission():
            return requirement
        case Level.MODERATOR:
            return Permission.MODERATE_MEMBERS
        case Level.ADMIN:
            return Permission.MANAGE_GUILD
        case Level.OWNER:
            return Permission.ADMINISTRATOR
        case _:
            return None
