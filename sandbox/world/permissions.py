"""Who may do what: Discord's order of computation (contract section 6.3).

Owner, then the union of @everyone and the member's roles, then ADMINISTRATOR; in a channel the @everyone
overwrite, the union of role overwrites and the member's own, each denying before it allows; then the implicit
rules. The order of roles never decides a permission, only who may act on whom.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.world.models import Channel, Guild, Member, Role


class Permission(IntFlag):
    """Permission bits by their documented names (contract section 6.2)."""

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
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    CREATE_EVENTS = 1 << 44
    SEND_VOICE_MESSAGES = 1 << 46
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51
    BYPASS_SLOWMODE = 1 << 52


P = Permission
ALL = Permission(sum(permission.value for permission in Permission))
NONE = Permission(0)
WHILE_TIMED_OUT = P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY
NEEDS_SENDING = P.MENTION_EVERYONE | P.SEND_TTS_MESSAGES | P.ATTACH_FILES | P.EMBED_LINKS
NEEDS_CONNECT = (
    P.SPEAK | P.STREAM | P.MUTE_MEMBERS | P.DEAFEN_MEMBERS | P.MOVE_MEMBERS | P.USE_VAD | P.PRIORITY_SPEAKER
)
EVERYONE_DEFAULT = (
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.SEND_MESSAGES_IN_THREADS
    | P.CREATE_PUBLIC_THREADS
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.ADD_REACTIONS
    | P.USE_EXTERNAL_EMOJIS
    | P.CONNECT
    | P.SPEAK
    | P.STREAM
    | P.USE_VAD
    | P.CHANGE_NICKNAME
    | P.CREATE_INSTANT_INVITE
    | P.USE_APPLICATION_COMMANDS
    | P.USE_EXTERNAL_APPS
    | P.SEND_VOICE_MESSAGES
    | P.SEND_POLLS
)
"""What @everyone may do in a freshly made guild."""


def guild_permissions(guild: Guild, member: Member) -> Permission:
    """Steps 1 to 3: owner, roles, ADMINISTRATOR. No overwrites, no implicit rules, no timeout."""
    if member.user_id == guild.owner_id:
        return ALL
    granted = guild.roles[guild.id].permissions
    for role_id in member.roles:
        role = guild.roles.get(role_id)
        if role is not None:
            granted |= role.permissions
    return ALL if granted & P.ADMINISTRATOR else Permission(granted)


def is_timed_out(member: Member, now_ms: int) -> bool:
    """Whether a timeout is running: null or a past time means that it is not (contract section 5.6)."""
    return member.timed_out_until_ms is not None and member.timed_out_until_ms > now_ms


def channel_permissions(
    guild: Guild, channel: Channel, member: Member, now_ms: int, *, parent: Channel | None = None
) -> Permission:
    """Steps 1 to 6 and the implicit rules. A thread takes what `parent` gives, but sends by its own bit."""
    base = guild_permissions(guild, member)
    if base & P.ADMINISTRATOR:
        return ALL
    place = parent if channel.is_thread and parent is not None else channel
    granted = int(base)
    overwrites = {overwrite.id: overwrite for overwrite in place.overwrites}
    everyone = overwrites.get(guild.id)
    if everyone is not None:
        granted = (granted & ~everyone.deny) | everyone.allow
    allow = deny = 0
    for role_id in member.roles:
        overwrite = overwrites.get(role_id)
        if overwrite is not None:
            allow |= overwrite.allow
            deny |= overwrite.deny
    granted = (granted & ~deny) | allow
    own = overwrites.get(member.user_id)
    if own is not None:
        granted = (granted & ~own.deny) | own.allow
    return _implicit(Permission(granted), channel, timed_out=is_timed_out(member, now_ms))


def _implicit(granted: Permission, channel: Channel, *, timed_out: bool) -> Permission:
    if timed_out:
        granted &= WHILE_TIMED_OUT
    if not granted & P.VIEW_CHANNEL:
        return NONE
    sending = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    if not granted & sending:
        granted &= ~NEEDS_SENDING
    if channel.is_voice and not granted & P.CONNECT:
        granted &= P.VIEW_CHANNEL | P.MANAGE_CHANNELS | P.MANAGE_ROLES
    return granted


def highest_role(guild: Guild, member: Member) -> Role:
    """Return the role that decides rank: highest position, ties go to the lower (older) id."""
    roles = [guild.roles[guild.id], *(guild.roles[r] for r in member.roles if r in guild.roles)]
    return max(roles, key=lambda role: (role.position, -role.id))


def role_rank(role: Role) -> tuple[int, int]:
    """Sort key: the greater the key, the higher the role stands."""
    return (role.position, -role.id)


def outranks(guild: Guild, actor: Member, target: Member) -> bool:
    """Whether `actor` stands above `target`: the owner above all, nobody above the owner."""
    if actor.user_id == guild.owner_id:
        return True
    if target.user_id == guild.owner_id:
        return False
    return role_rank(highest_role(guild, actor)) > role_rank(highest_role(guild, target))
