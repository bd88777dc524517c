"""The application: its commands, settings and gateway (contract sections 2.4, 1.2 and 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Caller, Json, Options

_LOCALIZED = {"with_localizations": "true"}


class Applications(Caller):
    """Operations on our own application."""

    async def get_commands(self, guild_id: int | None = None, **options: Unpack[Options]) -> list[Json]:
        """Return the global commands, or a guild's, with all localisations (as a diff needs them)."""
        if guild_id is None:
            target = routes.GET_GLOBAL_COMMANDS.at(application_id=self.application_id)
        else:
            target = routes.GET_GUILD_COMMANDS.at(application_id=self.application_id, guild_id=guild_id)
        return cast(list[Json], await self.request(target, query=_LOCALIZED, **options))

    async def bulk_overwrite_commands(
        self, commands: Sequence[Mapping[str, Any]], guild_id: int | None = None, **options: Unpack[Options]
    ) -> list[Json]:
        """Make these the only global commands, or the only ones of a guild. Others are removed."""
        if guild_id is None:
            target = routes.BULK_OVERWRITE_GLOBAL_COMMANDS.at(application_id=self.application_id)
        else:
            target = routes.BULK_OVERWRITE_GUILD_COMMANDS.at(
                application_id=self.application_id, guild_id=guild_id
            )
        body = [dict(command) for command in commands]
        return cast(list[Json], await self.request(target, json=body, **options))

    async def get_guild_command_permissions(self, guild_id: int, **options: Unpack[Options]) -> list[Json]:
        """Return who may see which command in a guild, where an administrator changed it."""
        target = routes.GET_GUILD_COMMAND_PERMISSIONS.at(
            application_id=self.application_id, guild_id=guild_id
        )
        return cast(list[Json], await self.request(target, **options))

    async def get_current_application(self, **options: Unpack[Options]) -> Json:
        """Return our application: `id`, `verify_key`, `flags`, `approximate_guild_count`, …."""
        return cast(Json, await self.request(routes.GET_CURRENT_APPLICATION.at(), **options))

    async def edit_current_application(self, changes: Mapping[str, Any], **options: Unpack[Options]) -> Json:
        """Change e.g. `interactions_endpoint_url`: Discord pings it before it accepts it."""
        target = routes.EDIT_CURRENT_APPLICATION.at()
        return cast(Json, await self.request(target, json=dict(changes), **options))

    async def get_role_connection_metadata(self, **options: Unpack[Options]) -> list[Json]:
        target = routes.GET_ROLE_CONNECTION_METADATA.at(application_id=self.application_id)
        return cast(list[Json], await self.request(target, **options))

    async def set_role_connection_metadata(
        self, records: Sequence[Mapping[str, Any]], **options: Unpack[Options]
    ) -> list[Json]:
        """Replace the up to five metadata records that linked roles can ask for."""
        target = routes.SET_ROLE_CONNECTION_METADATA.at(application_id=self.application_id)
        body = [dict(record) for record in records]
        return cast(list[Json], await self.request(target, json=body, **options))

    async def get_gateway_bot(self, **options: Unpack[Options]) -> Json:
        """Return `url`, `shards` and `session_start_limit`; not to be kept for long."""
        return cast(Json, await self.request(routes.GET_GATEWAY_BOT.at(), **options))
