"""What moderation must know of a guild before it acts: owner, roles, and where a member stands among them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from app.adapters.discord.errors import NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.interactions.permissions import Permission
from app.snowflake import ChannelId, GuildId, RoleId, UserId

GUILD_SECONDS = 60.0
"""How long a guild's roles may be old. A role that was taken away protects its holder that much longer."""
MEMBER_SECONDS = 15.0
LOOKUP_SECONDS = 4.0
"""A lookup that takes longer counts as failed; authority then says no."""
UNKNOWN_MEMBER = frozenset({10007, 10013})
"""Discord's codes for somebody who is no member, or no user at all (contract section 4.8)."""
CACHED_GUILDS = 5_000
CACHED_MEMBERS = 20_000
CHANNEL_SECONDS, CACHED_CHANNELS = 3600.0, 50_000
"""What kind a channel is, and which thread belongs where, never changes."""
THREADS = frozenset({10, 11, 12})
"""Types of channels (contract section 5.6): threads of announcements, public and private ones."""


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """Position and permissions of a role."""

    role_id: RoleId
    position: int
    permissions: Permission


@dataclass(frozen=True, slots=True)
class GuildFacts:
    """Owner and roles."""

    guild_id: GuildId
    name: str
    owner_id: UserId
    roles: Mapping[RoleId, RoleFacts]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands in a guild. `top` is the position of the highest role and its id (ties: lower wins)."""

    user_id: UserId
    owner: bool
    permissions: Permission
    top: tuple[int, int]
    roles: frozenset[RoleId]
    bot: bool = False
    member: bool = True

    def outranks(self, other: Standing) -> bool:
        """Return whether this one may act on the other by role order alone (contract section 6.3)."""
        if self.owner:
            return True
        return not other.owner and self.top > other.top


def standing_of(guild: GuildFacts, user: UserId, roles: Sequence[RoleId], *, bot: bool = False) -> Standing:
    """Compute guild-level permissions (contract 6.3, steps 1-3) and the highest role."""
    everyone = guild.roles.get(RoleId(guild.guild_id))
    permissions = everyone.permissions if everyone else Permission(0)
    top = (0, 0)
    for role_id in roles:
        role = guild.roles.get(role_id)
        if role is not None:
            permissions |= role.permissions
            # Of two roles in one position the older one, with the lower id, is the higher role.
            top = max(top, (role.position, -role.role_id))
    owner = user == guild.owner_id
    if owner or Permission.ADMINISTRATOR in permissions:
        permissions |= Permission(sum(permission.value for permission in Permission))
    return Standing(user, owner, permissions, top, frozenset(roles), bot)


class Directory:
    """Lookups over REST, cached for seconds. Errors are the caller's to judge: authority fails closed."""

    def __init__(self, discord: DiscordRest) -> None:
        self._discord = discord
        self._guilds: dict[GuildId, tuple[GuildFacts, float]] = {}
        self._members: dict[tuple[GuildId, UserId], tuple[Standing, float]] = {}
        self._parents: dict[ChannelId, tuple[ChannelId | None, float]] = {}
        self._flying: dict[object, asyncio.Task[Any]] = {}

    async def _once(self, key: object, look: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
        """Look up once for all who ask at the same time: a burst of messages must not ask the same hundred times."""
        task = self._flying.get(key)
        if task is None:
            task = asyncio.create_task(look())
            self._flying[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        found: Found = await asyncio.shield(task)
        return found

    def _landed(self, key: object, done: asyncio.Task[Any]) -> None:
        self._flying.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; if nobody did any more, nobody misses it

    async def guild(self, guild: GuildId) -> GuildFacts:
        """Return owner and roles. Raises the REST client's errors, or TimeoutError after 4 s."""
        cached = self._guilds.get(guild)
        if cached is not None and time.monotonic() - cached[1] < GUILD_SECONDS:
            return cached[0]
        return await self._once(guild, lambda: self._look_up_guild(guild))

    async def _knowing(self, facts: GuildFacts, roles: Sequence[RoleId]) -> GuildFacts:
        """Look the guild up anew if somebody holds roles that `facts` lack; what is still missing then is gone."""
        missing = frozenset(role for role in roles if role not in facts.roles)
        if not missing:
            return facts
        guild = facts.guild_id
        # By these roles: a look-up that is on its way already may have begun before they were made.
        return await self._once((guild, missing), lambda: self._look_up_guild(guild))

    async def _look_up_guild(self, guild: GuildId) -> GuildFacts:
        async with asyncio.timeout(LOOKUP_SECONDS):
            data = await self._discord.get_guild(guild, priority=Priority.MODERATION, deadline=LOOKUP_SECONDS)
        roles = {
            RoleId(int(role["id"])): RoleFacts(
                RoleId(int(role["id"])), int(role["position"]), Permission(int(role["permissions"]))
            )
            for role in data["roles"]
        }
        facts = GuildFacts(guild, str(data.get("name") or ""), UserId(int(data["owner_id"])), roles)
        if len(self._guilds) >= CACHED_GUILDS:
            self._guilds.pop(next(iter(self._guilds)))
        self._guilds[guild] = (facts, time.monotonic())
        return facts

    async def standing(
        self, guild: GuildId, user: UserId, *, roles: Sequence[RoleId] | None = None
    ) -> Standing:
        """Return where a user stands; `roles` when an event told them just now.

        A user who is no member stands below everyone (`member=False`). Raises as `guild` does.
        """
        facts = await self.guild(guild)
        if roles is not None:
            facts = await self._knowing(facts, roles)
            return standing_of(facts, user, roles)
        key = (guild, user)
        cached = self._members.get(key)
        if cached is not None and time.monotonic() - cached[1] < MEMBER_SECONDS:
            return cached[0]
        return await self._once(key, lambda: self._look_up_member(facts, user))

    async def _look_up_member(self, facts: GuildFacts, user: UserId) -> Standing:
        guild = facts.guild_id
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                data = await self._discord.get_guild_member(
                    guild, user, priority=Priority.MODERATION, deadline=LOOKUP_SECONDS
                )
        except NotFound as error:
            if error.discord_code not in UNKNOWN_MEMBER:
                raise
            found = replace(standing_of(facts, user, ()), member=False)
        else:
            held = [RoleId(int(role)) for role in data["roles"]]
            facts = await self._knowing(facts, held)
            found = standing_of(facts, user, held, bot=bool(data["user"].get("bot")))
        if len(self._members) >= CACHED_MEMBERS:
            self._members.pop(next(iter(self._members)))
        self._members[guild, user] = (found, time.monotonic())
        return found

    async def parent(self, channel: ChannelId) -> ChannelId | None:
        """Return the channel that a thread belongs to; None for what is no thread, or gone.

        Raises the REST client's errors, or TimeoutError after 4 s.
        """
        cached = self._parents.get(channel)
        if cached is not None and time.monotonic() - cached[1] < CHANNEL_SECONDS:
            return cached[0]
        return await self._once(("channel", channel), lambda: self._look_up_channel(channel))

    async def _look_up_channel(self, channel: ChannelId) -> ChannelId | None:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                data = await self._discord.get_channel(
                    channel, priority=Priority.MODERATION, deadline=LOOKUP_SECONDS
                )
        except NotFound:
            found = None
        else:
            thread = data["type"] in THREADS and data.get("parent_id") is not None
            found = ChannelId(int(data["parent_id"])) if thread else None
        if len(self._parents) >= CACHED_CHANNELS:
            self._parents.pop(next(iter(self._parents)))
        self._parents[channel] = (found, time.monotonic())
        return found

    async def ours(self, guild: GuildId) -> Standing:
        """Return where the bot stands. For bots, the user id is the application id (true for all since 2016)."""
        return await self.standing(guild, UserId(self._discord.application_id))

    def forget(self, guild: GuildId) -> None:
        """Drop what is cached of a guild: its roles or members have changed."""
        self._guilds.pop(guild, None)
        for key in [key for key in self._members if key[0] == guild]:
            del self._members[key]
