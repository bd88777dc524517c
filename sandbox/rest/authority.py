"""What the bot may do, checked as Discord does: access, permissions with overwrites, rank (contract 4.4,
6.3).
"""

from __future__ import annotations

from sandbox.rest.call import Call
from sandbox.rest.errors import refused
from sandbox.world import Channel, Guild, Member, Message, Permission, Role
from sandbox.world.permissions import (
    WHILE_TIMED_OUT,
    guild_permissions,
    highest_role,
    is_timed_out,
    outranks,
    role_rank,
)


def guild_of(call: Call, *needed: Permission) -> Guild:
    """Return the guild of the path. Raises 10004, 50001 when the bot is not in it, 50013 without a
    permission.
    """
    guild = call.world.guild(call.id("guild_id"))
    if call.bot_id not in guild.members:
        raise refused(50001)
    granted = guild_permissions(guild, guild.members[call.bot_id])
    if not granted & Permission.ADMINISTRATOR and is_timed_out(
        guild.members[call.bot_id], call.world.clock()
    ):
        granted &= WHILE_TIMED_OUT
    if any(not granted & permission for permission in needed):
        raise refused(50013)
    return guild


def bot_member(call: Call, guild: Guild) -> Member:
    """Return the bot's member."""
    return guild.members[call.bot_id]


def channel_of(call: Call, *needed: Permission, name: str = "channel_id") -> Channel:
    """Return the channel of the path. Raises 10003, 50001 when the bot cannot see it, 50013 without a
    permission.
    """
    channel = call.world.channel(call.id(name))
    check_channel(call, channel, *needed)
    return channel


def check_channel(call: Call, channel: Channel, *needed: Permission) -> None:
    """Raise 50001 when the bot cannot see the channel, 50013 when it lacks a permission there."""
    if not call.world.can_view(channel.id, call.bot_id):
        raise refused(50001)
    granted = call.world.permissions_in(channel, call.bot_id)
    if any(not granted & permission for permission in needed):
        raise refused(50013)


def guild_channel_of(call: Call, *needed: Permission) -> tuple[Channel, Guild]:
    """Return the guild channel of the path with its guild. Raises 50003 for direct messages."""
    channel = channel_of(call, *needed)
    if channel.guild_id is None:
        raise refused(50003)
    return channel, call.world.guild(channel.guild_id)


def message_of(call: Call, channel: Channel) -> Message:
    """Return the message of the path. Ephemeral messages do not exist here: only their token reaches them."""
    message = call.world.message(channel.id, call.id("message_id"))
    if message.ephemeral_for is not None:
        raise refused(10008)
    return message


def target_member(call: Call, guild: Guild) -> Member:
    """Return the member of the path. Raises 10013 for nobody at all, 10007 for somebody who is not here."""
    user_id = call.id("user_id")
    if user_id not in call.world.users:
        raise refused(10013)
    return call.world.member(guild.id, user_id)


def check_rank(call: Call, guild: Guild, target: Member) -> None:
    """Raise 50013 unless the bot stands above the target."""
    if not outranks(guild, bot_member(call, guild), target):
        raise refused(50013)


def check_role_rank(call: Call, guild: Guild, role: Role) -> None:
    """Raise 50013 unless the role stands below the bot's highest; 50028 for roles nobody can hand out."""
    if role.id == guild.id or role.managed:
        raise refused(50028)
    bot = bot_member(call, guild)
    if call.bot_id != guild.owner_id and role_rank(role) >= role_rank(highest_role(guild, bot)):
        raise refused(50013)
