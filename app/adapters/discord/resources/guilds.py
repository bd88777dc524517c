"""Guilds: reads, audit log, raid switch, leaving (contract section 4.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Audited, Caller, Json, Options


class Unchanged:
    """Marks a field that a call leaves as it is, where None means "switch off"."""


UNCHANGED: Final = Unchanged()


class Guilds(Caller):
    """Operations on guilds."""

    async def get_guild(
        self, guild_id: int, *, with_counts: bool = False, **options: Unpack[Options]
    ) -> Json:
        """Return the guild with `owner_id`, `roles`, `features`; with counts, approximate member numbers."""
        target = routes.GET_GUILD.at(guild_id=guild_id)
        query = {"with_counts": "true"} if with_counts else None
        return cast(Json, await self.request(target, query=query, **options))

    async def get_guild_channels(self, guild_id: int, **options: Unpack[Options]) -> list[Json]:
        """Return all channels, without threads."""
        target = routes.GET_GUILD_CHANNELS.at(guild_id=guild_id)
        return cast(list[Json], await self.request(target, **options))

    async def get_guild_roles(self, guild_id: int, **options: Unpack[Options]) -> list[Json]:
        return cast(list[Json], await self.request(routes.GET_GUILD_ROLES.at(guild_id=guild_id), **options))

    async def get_guild_audit_log(
        self,
        guild_id: int,
        *,
        user_id: int | None = None,
        target_id: int | None = None,
        action_type: int | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
        **options: Unpack[Options],
    ) -> Json:
        """Return `audit_log_entries` (1 to 100; `before` descending, `after` ascending) with `users`."""
        query = {
            "user_id": user_id,
            "target_id": target_id,
            "action_type": action_type,
            "before": before,
            "after": after,
            "limit": limit,
        }
        target = routes.GET_GUILD_AUDIT_LOG.at(guild_id=guild_id)
        return cast(Json, await self.request(target, query=query, **options))

    async def modify_guild_incident_actions(
        self,
        guild_id: int,
        *,
        invites_disabled_until: datetime | Unchanged | None = UNCHANGED,
        dms_disabled_until: datetime | Unchanged | None = UNCHANGED,
        **options: Unpack[Audited],
    ) -> Json:
        """Pause invites or DMs between members, at most 24 hours ahead; None switches the pause off."""
        wanted = {"invites_disabled_until": invites_disabled_until, "dms_disabled_until": dms_disabled_until}
        body = {name: timestamp(at) for name, at in wanted.items() if not isinstance(at, Unchanged)}
        target = routes.MODIFY_GUILD_INCIDENT_ACTIONS.at(guild_id=guild_id)
        return cast(Json, await self.request(target, json=body, **options))

    async def get_invite(self, code: str, **options: Unpack[Options]) -> Json:
        """Return an invite; `guild` says where it leads. Raises NotFound (10006) if it leads nowhere."""
        target = routes.GET_INVITE.at(invite_code=code)
        return cast(Json, await self.request(target, **options))

    async def get_current_user_guilds(
        self,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 200,
        **options: Unpack[Options],
    ) -> list[Json]:
        """Return up to 200 guilds that the bot is in, ascending by id."""
        query = {"before": before, "after": after, "limit": limit}
        target = routes.GET_CURRENT_USER_GUILDS.at()
        return cast(list[Json], await self.request(target, query=query, **options))

    async def leave_guild(self, guild_id: int, **options: Unpack[Options]) -> None:
        await self.request(routes.LEAVE_GUILD.at(guild_id=guild_id), **options)


def timestamp(at: datetime | None) -> str | None:
    """Return ISO 8601 as Discord takes it. Raises ValueError for a time without zone."""
    if at is not None and at.tzinfo is None:
        raise ValueError("a time for Discord needs its zone")
    return None if at is None else at.isoformat()
