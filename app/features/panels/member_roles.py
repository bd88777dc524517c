"""Which roles a panel may hand out, and handing them out: none above the bot's own, none that gives power over others.

Checked when a panel is made and again at every press: roles change, and a role that was harmless may not be any
more. What cannot be looked up is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.adapters.discord.rest import DiscordRest
from app.errors import UserError
from app.interactions.permissions import Permission
from app.locale.text import t
from app.snowflake import GuildId, RoleId, UserId

DANGEROUS = (
    Permission.ADMINISTRATOR
    | Permission.MANAGE_GUILD
    | Permission.MANAGE_ROLES
    | Permission.MANAGE_CHANNELS
    | Permission.MANAGE_WEBHOOKS
    | Permission.MANAGE_MESSAGES
    | Permission.MANAGE_THREADS
    | Permission.MANAGE_NICKNAMES
    | Permission.MANAGE_GUILD_EXPRESSIONS
    | Permission.MANAGE_EVENTS
    | Permission.KICK_MEMBERS
    | Permission.BAN_MEMBERS
    | Permission.MODERATE_MEMBERS
    | Permission.MUTE_MEMBERS
    | Permission.DEAFEN_MEMBERS
    | Permission.MOVE_MEMBERS
    | Permission.MENTION_EVERYONE
    | Permission.VIEW_AUDIT_LOG
)
"""Rights over other people or over the server (contract 6.2)."""
REMEMBER_SECONDS = 15.0
REMEMBERED = 2_000
LOOKUP_SECONDS = 2.0


class UnsafeRole(UserError):
    """A role that a panel must not hand out."""


@dataclass(frozen=True, slots=True)
class _Role:
    position: int
    permissions: Permission
    managed: bool


@dataclass(frozen=True, slots=True)
class _Guild:
    """A guild's roles, and the place of the bot's highest: position, and of equals the lower id is higher."""

    roles: Mapping[RoleId, _Role]
    top: tuple[int, int]
    may_manage: bool
    seen_at: float


class MemberRoles:
    """Judges roles, and gives and takes them."""

    def __init__(self, discord: DiscordRest) -> None:
        self._discord = discord
        self._known: dict[GuildId, _Guild] = {}
        self._me: int | None = None

    async def check(
        self, guild: GuildId, wanted: Iterable[RoleId], *, below: tuple[int, int] | None = None
    ) -> None:
        """Raise UnsafeRole for the first role that must not be handed out.

        `below`: also refuse roles that are not under this place, the highest role of an admin. Raises what a call
        to Discord raises.
        """
        known = await self._guild(guild)
        if not known.may_manage:
            raise UnsafeRole(t("I lack the permission to manage roles in this server."))
        for key in wanted:
            role = known.roles.get(key)
            mention = f"<@&{key}>"
            if role is None or key == RoleId(guild):
                raise UnsafeRole(t("That role is not there any more."))
            if role.managed:
                raise UnsafeRole(
                    t("{role} belongs to an integration and cannot be handed out.", role=mention)
                )
            if role.permissions & DANGEROUS:
                raise UnsafeRole(t("{role} gives rights over others, so I do not hand it out.", role=mention))
            place = (role.position, -key)
            if place >= known.top:
                raise UnsafeRole(t("{role} is not below my own highest role.", role=mention))
            if below is not None and place >= below:
                raise UnsafeRole(t("{role} is not below your own highest role.", role=mention))

    async def place(self, guild: GuildId, roles: Iterable[RoleId]) -> tuple[int, int]:
        """Return the place of the highest of these roles."""
        return _top((await self._guild(guild)).roles, roles)

    async def give(self, guild: GuildId, user: UserId, role: RoleId, reason: str) -> None:
        """Give a member a role. Raises what a call to Discord raises."""
        await self._discord.add_guild_member_role(guild, user, role, reason=reason)

    async def take(self, guild: GuildId, user: UserId, role: RoleId, reason: str) -> None:
        """Take a role from a member. Raises what a call to Discord raises."""
        await self._discord.remove_guild_member_role(guild, user, role, reason=reason)

    async def _guild(self, guild: GuildId) -> _Guild:
        now = time.monotonic()
        known = self._known.get(guild)
        if known is not None and now - known.seen_at < REMEMBER_SECONDS:
            return known
        if self._me is None:
            self._me = int((await self._discord.get_current_user(deadline=LOOKUP_SECONDS))["id"])
        listed = await self._discord.get_guild_roles(guild, deadline=LOOKUP_SECONDS)
        me = await self._discord.get_guild_member(guild, self._me, deadline=LOOKUP_SECONDS)
        roles = {
            RoleId(int(role["id"])): _Role(
                int(role["position"]), Permission(int(role["permissions"])), bool(role.get("managed"))
            )
            for role in listed
        }
        mine = [RoleId(guild), *(RoleId(int(key)) for key in me["roles"])]
        held = Permission(0)
        for key in mine:
            if (role := roles.get(key)) is not None:
                held |= role.permissions
        may_manage = bool(held & (Permission.MANAGE_ROLES | Permission.ADMINISTRATOR))
        found = _Guild(roles, _top(roles, mine), may_manage, now)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[guild] = found
        return found


def _top(roles: Mapping[RoleId, _Role], held: Iterable[RoleId]) -> tuple[int, int]:
    return max(((roles[key].position, -key) for key in held if key in roles), default=(-1, 0))
