"""What people read of a case: the DM to the member, the line in the guild's log channel."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from app.adapters.discord.errors import DiscordRefused
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.errors import AppError
from app.features.moderation.cases.store import Case
from app.features.moderation.settings import ModerationSettings
from app.locale.catalogue import Catalogue
from app.locale.text import Text, t
from app.snowflake import GuildId
from app.tenancy.store import find_guild

log = logging.getLogger(__name__)

TOLD = {
    "warn": t("You were warned in {guild}."),
    "delete": t("A message of yours was removed in {guild}."),
    "timeout": t("You were timed out in {guild}."),
    "kick": t("You were removed from {guild}."),
    "ban": t("You were banned from {guild}."),
    "untimeout": t("Your timeout in {guild} was lifted."),
    "unban": t("Your ban from {guild} was lifted."),
}
"""What a member is told, by sanction; a sanction that is missing here tells nobody."""

LOGGED = {
    "note": t("Note"),
    "warn": t("Warning"),
    "delete": t("Message removed"),
    "timeout": t("Timeout"),
    "untimeout": t("Timeout lifted"),
    "kick": t("Kick"),
    "ban": t("Ban"),
    "unban": t("Ban lifted"),
    "purge": t("Messages purged"),
    "undo": t("Undone"),
}
"""Headings in the log channel."""


def nonce(case: Case, purpose: str) -> str:
    """Return 25 characters by which Discord recognises a repetition (contract section 4.5)."""
    return hashlib.sha256(f"{purpose}:{case.guild_id}:{case.number}:{case.state}".encode()).hexdigest()[:25]


class Notices:
    """Writes to members and to log channels in the guild's language."""

    def __init__(self, pool: Pool, discord: DiscordRest, catalogue: Catalogue) -> None:
        self._pool = pool
        self._discord = discord
        self._catalogue = catalogue

    async def tell_member(self, case: Case, settings: ModerationSettings) -> None:
        """Send the member a DM with the reason. Raises CannotMessageUser and the REST client's other errors."""
        told = TOLD.get(case.sanction)
        if told is None or case.target_id is None:
            return
        name, locale = await self._guild(case)
        lines = [self._render(told.filled(guild=f"**{name}**"), locale)]
        if case.reason:
            lines.append(self._render(t("Reason: {reason}", reason=case.reason), locale))
        if case.expires_at is not None:
            lines.append(
                self._render(t("Until: {time}", time=f"<t:{int(case.expires_at.timestamp())}:F>"), locale)
            )
        lines.append(self._render(t("Case {number}", number=str(case.number)), locale))
        channel = await self._discord.create_dm(case.target_id, priority=Priority.MODERATION)
        await self._discord.create_message(
            int(channel["id"]),
            {"content": "\n".join(lines), **self.appeal(case, settings, locale)},
            nonce=nonce(case, "tell"),
            priority=Priority.MODERATION,
        )

    def appeal(self, case: Case, settings: ModerationSettings, locale: str | None) -> dict[str, Any]:
        """Return the components with which the member can appeal; none until appeals are offered."""
        return {}

    async def log(self, case: Case, settings: ModerationSettings) -> None:
        """Post the case to the log channel; a channel that cannot be written to stops nothing."""
        if settings.log_channel is None:
            return
        _, locale = await self._guild(case)
        try:
            await self._discord.create_message(
                settings.log_channel,
                {"embeds": [self._embed(case, locale)]},
                nonce=nonce(case, "log"),
                priority=Priority.LOGS,
            )
        except (DiscordRefused, AppError) as error:
            log.warning(
                "log channel not written", extra={"guild_id": case.guild_id, "error": type(error).__name__}
            )

    def _embed(self, case: Case, locale: str | None) -> dict[str, Any]:
        def field(name: Text, value: str) -> dict[str, Any]:
            return {"name": self._render(name, locale), "value": value[:1024], "inline": True}

        fields = []
        if case.target_id is not None:
            fields.append(field(t("Member"), f"<@{case.target_id}>"))
        by = t("Automatic") if case.moderator_id is None else f"<@{case.moderator_id}>"
        fields.append(field(t("By"), by if isinstance(by, str) else self._render(by, locale)))
        if case.channel_id is not None:
            fields.append(field(t("Channel"), f"<#{case.channel_id}>"))
        if case.expires_at is not None:
            fields.append(field(t("Until"), f"<t:{int(case.expires_at.timestamp())}:F>"))
        if case.notified is not None:
            fields.append(field(t("Notified"), self._render(t("yes") if case.notified else t("no"), locale)))
        if case.problem is not None:
            fields.append(field(t("Problem"), case.problem))
        heading = self._render(LOGGED[case.sanction], locale)
        return {
            "title": f"{self._render(t('Case {number}', number=str(case.number)), locale)} · {heading}",
            "description": case.reason[:4000],
            "fields": fields,
            "timestamp": case.opened_at.isoformat(),
        }

    async def _guild(self, case: Case) -> tuple[str, str | None]:
        async with transaction(self._pool) as conn:
            guild = await find_guild(conn, GuildId(case.guild_id))
        return (guild.name or str(case.guild_id), guild.locale) if guild else (str(case.guild_id), None)

    def _render(self, text: Text, locale: str | None) -> str:
        return self._catalogue.render(text, self._catalogue.choose(locale))
