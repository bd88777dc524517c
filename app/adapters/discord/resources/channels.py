"""Channels, their permission overwrites and threads (contract section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Audited, Caller, Json, Options

_OVERWRITE_TYPES = {"role": 0, "member": 1}


class Channels(Caller):
    """Operations on channels."""

    async def get_channel(self, channel_id: int, **options: Unpack[Options]) -> Json:
        return cast(Json, await self.request(routes.GET_CHANNEL.at(channel_id=channel_id), **options))

    async def modify_channel(
        self, channel_id: int, changes: Mapping[str, Any], **options: Unpack[Audited]
    ) -> Json:
        """Change the given fields, e.g. `rate_limit_per_user` (slow mode, 0 to 21600 s)."""
        target = routes.MODIFY_CHANNEL.at(channel_id=channel_id)
        return cast(Json, await self.request(target, json=dict(changes), **options))

    async def delete_channel(self, channel_id: int, **options: Unpack[Audited]) -> None:
        """Delete a channel or thread. Raises NotFound (10003) if it is gone."""
        await self.request(routes.DELETE_CHANNEL.at(channel_id=channel_id), **options)

    async def edit_channel_permissions(
        self,
        channel_id: int,
        overwrite_id: int,
        *,
        kind: Literal["role", "member"],
        allow: int = 0,
        deny: int = 0,
        **options: Unpack[Audited],
    ) -> None:
        """Replace the overwrite of a role or member; `allow` and `deny`: permission bits (contract 6.2)."""
        target = routes.EDIT_CHANNEL_PERMISSIONS.at(channel_id=channel_id, overwrite_id=overwrite_id)
        body = {"allow": str(allow), "deny": str(deny), "type": _OVERWRITE_TYPES[kind]}
        await self.request(target, json=body, **options)

    async def delete_channel_permission(
        self, channel_id: int, overwrite_id: int, **options: Unpack[Audited]
    ) -> None:
        target = routes.DELETE_CHANNEL_PERMISSION.at(channel_id=channel_id, overwrite_id=overwrite_id)
        await self.request(target, **options)

    async def start_thread_from_message(
        self, channel_id: int, message_id: int, *, name: str, **options: Unpack[Audited]
    ) -> Json:
        """Open a public thread below a message; `name` has 1 to 100 characters."""
        target = routes.START_THREAD_FROM_MESSAGE.at(channel_id=channel_id, message_id=message_id)
        return cast(Json, await self.request(target, json={"name": name}, **options))
