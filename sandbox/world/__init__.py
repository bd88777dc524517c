"""A small Discord: guilds, people, channels and messages, and everything that happens to them."""

from sandbox.world.models import (
    Application,
    AuditEntry,
    Ban,
    Channel,
    ChannelType,
    Command,
    Guild,
    Member,
    Message,
    Overwrite,
    Role,
    User,
)
from sandbox.world.permissions import Permission
from sandbox.world.seed import seeded_world
from sandbox.world.state import Unknown
from sandbox.world.world import World

__all__ = [
    "Application",
    "AuditEntry",
    "Ban",
    "Channel",
    "ChannelType",
    "Command",
    "Guild",
    "Member",
    "Message",
    "Overwrite",
    "Permission",
    "Role",
    "Unknown",
    "User",
    "World",
    "seeded_world",
]
