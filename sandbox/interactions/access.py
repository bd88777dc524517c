"""Who may use which command where: what the client shows at all (contract 1.4, 2.1, 2.5)."""

from __future__ import annotations

from typing import Any

from sandbox.interactions.options import InvalidInput
from sandbox.interactions.payloads import BOT_DM, GUILD, context_of
from sandbox.world.models import Channel, Command
from sandbox.world.permissions import Permission
from sandbox.world.world import World

Json = dict[str, Any]

GUILD_INSTALL, USER_INSTALL = 0, 1


class NotAllowed(InvalidInput):
    """The client would not offer this to the person."""


def authorizing_owners(
    world: World, channel: Channel, user_id: int, user_installs: set[int], command: Json | None = None
) -> dict[str, str]:
    """Return authorizing_integration_owners: how the application is installed here, as far as the command allows."""
    supported = {GUILD_INSTALL, USER_INSTALL}
    if command is not None and command.get("integration_types"):
        supported = set(command["integration_types"])
    owners: dict[str, str] = {}
    if GUILD_INSTALL in supported:
        if channel.guild_id is not None and world.bot_id in world.guild(channel.guild_id).members:
            owners["0"] = str(channel.guild_id)
        elif context_of(world, channel) == BOT_DM:
            owners["0"] = "0"
    if USER_INSTALL in supported and user_id in user_installs:
        owners["1"] = str(user_id)
    return owners


def check_place(world: World, channel: Channel, user_id: int) -> None:
    """The person must see the channel. Raises NotAllowed."""
    if channel.guild_id is not None and user_id not in world.guild(channel.guild_id).members:
        raise NotAllowed("the person is not a member of that server")
    if not world.can_view(channel.id, user_id):
        raise NotAllowed("the person cannot see that channel")
    if not channel.is_text:
        raise NotAllowed("a category holds no messages")


def check_command(world: World, command: Command, channel: Channel, user_id: int) -> None:
    """The client must offer this command to this person in this channel. Raises NotAllowed."""
    body = command.body
    if command.guild_id is not None and command.guild_id != channel.guild_id:
        raise NotAllowed("the command belongs to another server")
    context = context_of(world, channel)
    contexts = body.get("contexts")
    if contexts is not None and context not in contexts:
        raise NotAllowed("the command cannot be used in this kind of place")
    if body.get("nsfw") and not channel.nsfw:
        raise NotAllowed("the command is age-restricted, the channel is not")
    if context == GUILD:
        _check_permissions(world, body, channel, user_id)


def _check_permissions(world: World, body: Json, channel: Channel, user_id: int) -> None:
    granted = world.permissions_in(channel, user_id)
    if granted & Permission.ADMINISTRATOR:
        return
    if not granted & Permission.USE_APPLICATION_COMMANDS:
        raise NotAllowed("the person may not use application commands here (timed out, or not permitted)")
    if int(body.get("type", 1)) == 2 and not granted & Permission.SEND_MESSAGES:
        raise NotAllowed("user commands need the permission to send messages here")
    wanted = body.get("default_member_permissions")
    if wanted is None:
        return
    bits = int(wanted)
    if bits == 0:
        raise NotAllowed("the command is for administrators only")
    if granted & bits != bits:
        missing = Permission(bits & ~granted)
        raise NotAllowed(f"the command needs permissions the person lacks: {missing.name or int(missing)}")


def offered_commands(world: World, channel: Channel, user_id: int, user_installs: set[int]) -> list[Command]:
    """The commands that the client would show, a server's own ones first."""
    found = []
    for command in sorted(world.commands.values(), key=lambda c: (c.guild_id is None, c.body["name"])):
        try:
            check_place(world, channel, user_id)
            check_command(world, command, channel, user_id)
        except NotAllowed:
            continue
        if authorizing_owners(world, channel, user_id, user_installs, command.body):
            found.append(command)
    return found
