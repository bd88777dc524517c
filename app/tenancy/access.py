"""Which roles of a guild may do what, who owns it, and which features are switched on there."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.adapters.postgres.pool import Pool, transaction
from app.snowflake import GuildId, RoleId, UserId
from app.tenancy import store
from app.tenancy.guild_settings import GuildSettings

FEATURE = "access"
"""Name of these settings in `tenancy.guild_settings`."""
REMEMBER_SECONDS = 30.0
REMEMBERED = 50_000

_Roles = Annotated[frozenset[RoleId], BeforeValidator(lambda roles: frozenset(int(role) for role in roles))]


class AccessSettings(BaseModel):
    """Roles by what the guild granted them: `moderator`, `admin`, or the name of a feature's own grant."""

    model_config = ConfigDict(frozen=True)

    grants: dict[str, _Roles] = Field(default_factory=dict)


class GuildAccess:
    """Answers the permission check (`app.interactions.permissions.GuildRoles`)."""

    def __init__(self, settings: GuildSettings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._owners: dict[GuildId, tuple[UserId | None, float]] = {}

    async def granted(self, guild: GuildId, grant: str) -> frozenset[RoleId]:
        """Return the roles with that grant. Raises DatabaseUnavailable (E004): authority fails closed."""
        access = await self._settings.get(guild, FEATURE, AccessSettings)
        return access.grants.get(grant, frozenset())

    async def owner(self, guild: GuildId) -> UserId | None:
        """Return the guild's owner, None while unknown. Raises DatabaseUnavailable (E004)."""
        now = time.monotonic()
        known = self._owners.get(guild)
        if known is not None and now - known[1] < REMEMBER_SECONDS:
            return known[0]
        async with transaction(self._pool) as conn:
            found = await store.find_guild(conn, guild)
        owner = None if found is None or found.owner_id is None else UserId(found.owner_id)
        if len(self._owners) >= REMEMBERED:
            self._owners.clear()
        self._owners[guild] = (owner, now)
        return owner


class FeatureFlags:
    """Feature flags (`app.interactions.permissions.Flags`): on unless switched off, per guild or everywhere."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[tuple[GuildId | None, str], tuple[bool, float]] = {}

    async def enabled(self, guild: GuildId | None, flag: str) -> bool:
        """Tell whether the flag is on; a change is seen within 30 s. Raises DatabaseUnavailable (E004)."""
        now = time.monotonic()
        known = self._known.get((guild, flag))
        if known is not None and now - known[1] < REMEMBER_SECONDS:
            return known[0]
        async with transaction(self._pool) as conn:
            on = await store.feature_flag(conn, flag, GuildId(0) if guild is None else guild) is not False
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[guild, flag] = (on, now)
        return on
