"""Puts the seeded world in place of the present one, without restarting anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.world import seeded_world

if TYPE_CHECKING:
    from sandbox.instance import Sandbox
    from sandbox.interactions.service import Interactions


def reset_world(sandbox: Sandbox, interactions: Interactions, *, keep_commands: bool) -> None:
    """Replace guilds, people, channels and messages; the application keeps its identity and URLs.

    Sessions get INVALID_SESSION, so that clients learn the new world by identifying.
    """
    world = sandbox.world
    fresh = seeded_world(application=world.application, clock=world.clock)
    for guild in world.guilds.values():
        world.forget("guild", guild.id)
        for role_id in guild.roles:
            world.forget("role", guild.id, role_id)
        for user_id in guild.members:
            world.forget("member", guild.id, user_id)
        for user_id in guild.bans:
            world.forget("ban", guild.id, user_id)
        for entry in guild.audit:
            world.forget("audit", entry.id)
    for user_id in world.users:
        world.forget("user", user_id)
    for channel_id in world.channels:
        world.forget("channel", channel_id)
    for history in world.messages.values():
        for message_id in history:
            world.forget("message", message_id)
    world.users = fresh.users
    world.guilds = fresh.guilds
    world.channels = fresh.channels
    world.messages = fresh.messages
    world.ephemeral.clear()
    world.changed |= fresh.changed
    if not keep_commands:
        for command in list(world.commands.values()):
            world.delete_command(command)
    sandbox.trouble.clear()
    sandbox.limits.reset()
    interactions.reset()
    sandbox.gateway.send_invalid_session(resumable=False)
