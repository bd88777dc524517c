"""Members, bans and roles: the hands of moderation (contract section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Audited, Caller, Json, Options
from app.adapters.discord.resources.guilds import timestamp

BULK_BAN_MAX = 200
"""Users per bulk ban (contract 4.4)."""

DELETE_MESSAGE_SECONDS_MAX = 604_800
"""Seven days: how far back a ban may delete messages (contract 4.4)."""


class Members(Caller):
    """Operations on the members of a guild."""

    async def get_guild_member(self, guild_id: int, user_id: int, **options: Unpack[Options]) -> Json:
        """Raise NotFound (10007) if the user is not a member."""
        target = routes.GET_GUILD_MEMBER.at(guild_id=guild_id, user_id=user_id)
        return cast(Json, await self.request(target, **options))

    async def list_guild_members(
        self, guild_id: int, *, after: int | None = None, limit: int = 1000, **options: Unpack[Options]
    ) -> list[Json]:
        """Return up to 1000 members, ascending by user id. Needs the GUILD_MEMBERS intent."""
        target = routes.LIST_GUILD_MEMBERS.at(guild_id=guild_id)
        return cast(list[Json], await self.request(target, query={"after": after, "limit": limit}, **options))

    async def search_guild_members(
        self, guild_id: int, prefix: str, *, limit: int = 25, **options: Unpack[Options]
    ) -> list[Json]:
        """Return up to 1000 members whose user name or nickname begins with `prefix`."""
        target = routes.SEARCH_GUILD_MEMBERS.at(guild_id=guild_id)
        return cast(
            list[Json], await self.request(target, query={"query": prefix, "limit": limit}, **options)
        )

    async def modify_guild_member(
        self, guild_id: int, user_id: int, changes: Mapping[str, Any], **options: Unpack[Audited]
    ) -> Json:
        """Change the given fields, e.g. `nick`, `roles`."""
        target = routes.MODIFY_GUILD_MEMBER.at(guild_id=guild_id, user_id=user_id)
        return cast(Json, await self.request(target, json=dict(changes), **options))

    async def timeout_guild_member(
        self, guild_id: int, user_id: int, *, until: datetime | None, **options: Unpack[Audited]
    ) -> Json:
        """Time a member out until then (at most 28 days ahead); None lifts it."""
        changes = {"communication_disabled_until": timestamp(until)}
        return await self.modify_guild_member(guild_id, user_id, changes, **options)

    async def remove_guild_member(self, guild_id: int, user_id: int, **options: Unpack[Audited]) -> None:
        """Kick."""
        target = routes.REMOVE_GUILD_MEMBER.at(guild_id=guild_id, user_id=user_id)
        await self.request(target, **options)

    async def get_guild_bans(
        self,
        guild_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 1000,
        **options: Unpack[Options],
    ) -> list[Json]:
        """Return up to 1000 bans (`reason`, `user`), ascending by user id."""
        query = {"before": before, "after": after, "limit": limit}
        target = routes.GET_GUILD_BANS.at(guild_id=guild_id)
        return cast(list[Json], await self.request(target, query=query, **options))

    async def get_guild_ban(self, guild_id: int, user_id: int, **options: Unpack[Options]) -> Json:
        """Raise NotFound (10026) if the user is not banned."""
        target = routes.GET_GUILD_BAN.at(guild_id=guild_id, user_id=user_id)
        return cast(Json, await self.request(target, **options))

    async def add_guild_ban(
        self, guild_id: int, user_id: int, *, delete_message_seconds: int = 0, **options: Unpack[Audited]
    ) -> None:
        """Ban a user, member or not, and delete their messages of the last seconds (0 to 604800)."""
        target = routes.CREATE_GUILD_BAN.at(guild_id=guild_id, user_id=user_id)
        body = {"delete_message_seconds": _seconds(delete_message_seconds)}
        await self.request(target, json=body, **options)

    async def remove_guild_ban(self, guild_id: int, user_id: int, **options: Unpack[Audited]) -> None:
        """Raise NotFound (10026) if the user is not banned."""
        target = routes.REMOVE_GUILD_BAN.at(guild_id=guild_id, user_id=user_id)
        await self.request(target, **options)

    async def bulk_guild_ban(
        self,
        guild_id: int,
        user_ids: Sequence[int],
        *,
        delete_message_seconds: int = 0,
        **options: Unpack[Audited],
    ) -> Json:
        """Ban up to 200 users; return `banned_users` and `failed_users` (also those banned already).

        Needs BAN_MEMBERS and MANAGE_GUILD. Raises NobodyBanned if all failed.
        """
        unique = list(dict.fromkeys(user_ids))
        if not 1 <= len(unique) <= BULK_BAN_MAX:
            raise ValueError(f"a bulk ban takes 1 to {BULK_BAN_MAX} users, not {len(unique)}")
        body = {
            "user_ids": [str(user) for user in unique],
            "delete_message_seconds": _seconds(delete_message_seconds),
        }
        target = routes.BULK_GUILD_BAN.at(guild_id=guild_id)
        return cast(Json, await self.request(target, json=body, **options))

    async def add_guild_member_role(
        self, guild_id: int, user_id: int, role_id: int, **options: Unpack[Audited]
    ) -> None:
        target = routes.ADD_GUILD_MEMBER_ROLE.at(guild_id=guild_id, user_id=user_id, role_id=role_id)
        await self.request(target, **options)

    async def remove_guild_member_role(
        self, guild_id: int, user_id: int, role_id: int, **options: Unpack[Audited]
    ) -> None:
        target = routes.REMOVE_GUILD_MEMBER_ROLE.at(guild_id=guild_id, user_id=user_id, role_id=role_id)
        await self.request(target, **options)


def _seconds(value: int) -> int:
    if not 0 <= value <= DELETE_MESSAGE_SECONDS_MAX:
        raise ValueError(f"delete_message_seconds is 0 to {DELETE_MESSAGE_SECONDS_MAX}, not {value}")
    return value
