"""Changing a guild's moderation settings: checked by the model, audited, announced to every process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from app.adapters.postgres.pool import Pool, transaction
from app.errors import UserError
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.interactions.form_problems import problem_message
from app.locale.text import t
from app.snowflake import GuildId, RoleId, UserId
from app.tenancy import access
from app.tenancy.access import AccessSettings
from app.tenancy.guild_settings import GuildSettings

MODERATOR = "moderator"
"""The grant that `Level.MODERATOR` asks for."""


class SettingsEditing:
    """Reads and changes the settings of a guild. `machines`: this process has a provider for stages 2 and 3."""

    def __init__(
        self,
        pool: Pool,
        settings: GuildSettings,
        audit: AuditLog,
        clock: Callable[[], datetime],
        *,
        machines: bool,
    ) -> None:
        self.machines = machines
        self._pool = pool
        self._settings = settings
        self._audit = audit
        self._clock = clock

    async def get(self, guild: GuildId) -> ModerationSettings:
        """Return the settings."""
        return await self._settings.get(guild, FEATURE, ModerationSettings)

    async def change(
        self,
        guild: GuildId,
        change: Callable[[ModerationSettings], dict[str, Any]],
        *,
        by: UserId,
    ) -> ModerationSettings:
        """Replace the fields that `change` returns and return the settings. Raises UserError for unfit values."""
        fields: list[str] = []

        def apply(old: ModerationSettings) -> ModerationSettings:
            wanted = change(old)
            fields.extend(sorted(wanted))
            return ModerationSettings.model_validate(old.model_dump() | wanted)

        try:
            async with transaction(self._pool) as conn:
                changed, version = await self._settings.change(
                    conn, guild, FEATURE, ModerationSettings, apply, by=by
                )
                # Names only: a policy's text is nobody's business in a log that is kept for ever.
                entry = AuditEntry(
                    "settings.changed", "settings:moderation", by, {"fields": fields, "version": version}
                )
                await self._audit.append(conn, guild, entry, self._clock())
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UserError(
                t("That cannot be: {field}: {problem}", field=where, problem=problem_message(first))
            ) from None
        await self._settings.announce(guild, FEATURE)
        return changed

    async def moderator_role(
        self, guild: GuildId, role: RoleId, *, moderates: bool, by: UserId
    ) -> ModerationSettings:
        """Let the members of a role moderate, or not any more.

        The role is noted twice, in one transaction: for authority, and as the grant that lets them use commands.
        """

        def grant(old: AccessSettings) -> AccessSettings:
            held = old.grants.get(MODERATOR, frozenset())
            now = held | {role} if moderates else held - {role}
            return AccessSettings(grants={**old.grants, MODERATOR: now})

        def roles(old: ModerationSettings) -> ModerationSettings:
            others = tuple(one for one in old.moderator_roles if one != role)
            return old.model_copy(update={"moderator_roles": (*others, role) if moderates else others})

        async with transaction(self._pool) as conn:
            await self._settings.change(conn, guild, access.FEATURE, AccessSettings, grant, by=by)
            changed, version = await self._settings.change(
                conn, guild, FEATURE, ModerationSettings, roles, by=by
            )
            action = "moderators.added" if moderates else "moderators.removed"
            await self._audit.append(
                conn, guild, AuditEntry(action, f"role:{role}", by, {"version": version}), self._clock()
            )
        await self._settings.announce(guild, access.FEATURE)
        await self._settings.announce(guild, FEATURE)
        return changed
