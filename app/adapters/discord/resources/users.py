"""Users and direct messages (contract section 4.5)."""

from __future__ import annotations

from typing import Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Caller, Json, Options


class Users(Caller):
    """Operations on users."""

    async def get_current_user(self, **options: Unpack[Options]) -> Json:
        """Return the bot's own user."""
        return cast(Json, await self.request(routes.GET_CURRENT_USER.at(), **options))

    async def get_user(self, user_id: int, **options: Unpack[Options]) -> Json:
        return cast(Json, await self.request(routes.GET_USER.at(user_id=user_id), **options))

    async def create_dm(self, user_id: int, **options: Unpack[Options]) -> Json:
        """Open (or find) the DM channel with a user; post into its `id`. Never open many at once."""
        body = {"recipient_id": str(user_id)}
        return cast(Json, await self.request(routes.CREATE_DM.at(), json=body, **options))
