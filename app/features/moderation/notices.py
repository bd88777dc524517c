"""What people read of a case: the DM to the member, the line in the guild's log channel."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from app.adapters.discord.errors import DiscordRefused, RateLimited
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.errors import AppError
from app.features.moderation.authority import explained
from app.features.moderation.cases.store import Case
from app.features.moderation.settings import ModerationSettings
from app.interactions.components import Button
from app.interactions.custom_id import CustomIds, Target
from app.interactions.posting import PostRenderer
from app.locale.catalogue import Catalogue
from app.locale.text import Text, joined, t, tn
from app.snowflake import GuildId, UserId
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
    "undo": t("A decision against you in {guild} was taken back."),
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

APPEALABLE = frozenset({"warn", "delete", "timeout", "kick", "ban"})
"""What a member can contest."""


def refused(case: Case) -> Text:
    """Return what a moderator is told when a case could not be carried out."""
    return t(
        "Case {number} was recorded, but Discord refused: {problem}",
        number=str(case.number),
        problem=explained(str(case.problem)),
    )


def nonce(case: Case, purpose: str) -> str:
    """Return 25 characters by which Discord recognises a repetition (contract section 4.5)."""
    return hashlib.sha256(f"{purpose}:{case.guild_id}:{case.number}:{case.state}".encode()).hexdigest()[:25]


OPENING_TOO_FAST, NO_DMS_SECONDS = 40003, 30.0
"""Discord's code when a bot opens direct messages too fast (contract 4.8), and how long none is tried after it: each
refusal costs a call that a deletion could have used."""

SHOWN_PEOPLE = 150
"""Mentions in one embed of 4,096 characters, with 24 for each; the cases name the others."""

TELL_SECONDS = 2.5
"""Discord lets a bot open few direct messages at once (contract 4.5): what finds no place in time is not sent."""


class Notices:
    """Writes to members and to log channels in the guild's language.

    `custom_ids` signs the appeal button; it is asked for when it is needed. `appeal` is where that button leads.
    """

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        catalogue: Catalogue,
        custom_ids: Callable[[], CustomIds],
        appeal: Callable[[Case], Target],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._catalogue = catalogue
        self._custom_ids = custom_ids
        self._appeal = appeal
        self._no_dms_until = 0.0

    async def tell_member(
        self, case: Case, settings: ModerationSettings, *, patience: float | None = None
    ) -> bool:
        """Send the member a DM with the reason; False: there is nothing to be told, or no way to.

        Raises CannotMessageUser and the REST client's other errors; RateLimited only before the DM is written.
        """
        if case.sanction not in TOLD or case.target_id is None:
            return False
        offers = settings.appeals and case.sanction in APPEALABLE
        body = await self.dm(case, appeal=offers)
        channel = await self._open_dm(case.target_id, patience)
        if channel is None:
            return False
        await self._discord.create_message(
            int(channel["id"]),
            body,
            nonce=nonce(case, "tell"),
            priority=Priority.MODERATION,
            deadline=TELL_SECONDS,
        )
        return True

    async def _open_dm(self, user: int, patience: float | None) -> dict[str, Any] | None:
        """Return the channel; None while Discord says that we open too many."""
        if time.monotonic() < self._no_dms_until:
            return None
        try:
            return await self._discord.create_dm(
                user, priority=Priority.MODERATION, deadline=TELL_SECONDS, patience=patience
            )
        except DiscordRefused as error:
            if error.discord_code != OPENING_TOO_FAST:
                raise
            if time.monotonic() >= self._no_dms_until:
                log.warning("Discord lets us open no more direct messages for now; members are not told")
            self._no_dms_until = time.monotonic() + NO_DMS_SECONDS
            return None

    async def told(self, case: Case, *more: Text) -> Text:
        """Return what the DM about a case says, and `more` under it."""
        name, _ = await self._guild(case)
        lines = [TOLD[case.sanction].filled(guild=f"**{name}**")]
        if case.reason:
            lines.append(t("Reason: {reason}", reason=case.reason))
        if case.expires_at is not None:
            lines.append(t("Until: {time}", time=f"<t:{int(case.expires_at.timestamp())}:F>"))
        lines.append(t("Case {number}", number=str(case.number)))
        return joined([*lines, *more])

    async def dm(self, case: Case, *more: Text, appeal: bool, edits: bool = False) -> dict[str, Any]:
        """Return the body of the DM about a case, in the guild's language. Raises PayloadError."""
        assert case.target_id is not None
        _, locale = await self._guild(case)
        buttons = [Button(self._appeal(case), t("Appeal"))] if appeal else []
        return self.renderer().body(
            await self.told(case, *more),
            buttons,
            guild=None,
            locale=self._catalogue.choose(locale),
            user=UserId(case.target_id),
            edits=edits,
        )

    def renderer(self) -> PostRenderer:
        """Return what renders messages that answer no interaction."""
        return PostRenderer(self._custom_ids(), self._catalogue)

    async def locale(self, guild: GuildId) -> str:
        """Return the language of a guild."""
        async with transaction(self._pool) as conn:
            found = await find_guild(conn, guild)
        return self._catalogue.choose(found.locale if found else None)

    async def log(self, case: Case, settings: ModerationSettings, *, patience: float | None = None) -> None:
        """Post the case to the log channel; a channel that cannot be written to stops nothing.

        Raises RateLimited if that has to wait longer than `patience`.
        """
        if settings.log_channel is None:
            return
        _, locale = await self._guild(case)
        try:
            await self._discord.create_message(
                settings.log_channel,
                {"embeds": [self._embed(case, locale)]},
                nonce=nonce(case, "log"),
                priority=Priority.LOGS,
                patience=patience,
            )
        except (DiscordRefused, AppError) as error:
            if patience is not None and isinstance(error, RateLimited):
                raise
            log.warning(
                "log channel not written", extra={"guild_id": case.guild_id, "error": type(error).__name__}
            )

    async def log_many(self, found: Sequence[Case], settings: ModerationSettings) -> None:
        """Post many cases of one order as one message."""
        if settings.log_channel is None or not found:
            return
        _, locale = await self._guild(found[0])
        first, last = found[0], found[-1]
        heading = self._render(LOGGED[first.sanction], locale)
        cases = tn(
            "{count} case, {first} to {last}",
            "{count} cases, {first} to {last}",
            count=len(found),
            first=str(first.number),
            last=str(last.number),
        )
        people = [f"<@{case.target_id}>" for case in found]
        shown = people[:SHOWN_PEOPLE] + (["…"] if len(people) > SHOWN_PEOPLE else [])
        embed = {
            "title": f"{heading} · {self._render(cases, locale)}",
            "description": f"{first.reason[:400]}\n{' '.join(shown)}",
            "timestamp": first.opened_at.isoformat(),
        }
        try:
            await self._discord.create_message(
                settings.log_channel, {"embeds": [embed]}, nonce=nonce(last, "logs"), priority=Priority.LOGS
            )
        except (DiscordRefused, AppError) as error:
            log.warning(
                "log channel not written", extra={"guild_id": first.guild_id, "error": type(error).__name__}
            )

    async def announce(self, guild: GuildId, text: Text, settings: ModerationSettings, *, key: str) -> None:
        """Post a line to the log channel, once per `key`; a channel that cannot be written to stops nothing."""
        if settings.log_channel is None:
            return
        async with transaction(self._pool) as conn:
            found = await find_guild(conn, guild)
        body = {"content": self._render(text, found.locale if found else None)[:2000]}
        once = hashlib.sha256(f"{guild}:{key}".encode()).hexdigest()[:25]
        try:
            await self._discord.create_message(settings.log_channel, body, nonce=once, priority=Priority.LOGS)
        except (DiscordRefused, AppError) as error:
            log.warning("log channel not written", extra={"guild_id": guild, "error": type(error).__name__})

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
            fields.append(field(t("Problem"), self._render(explained(case.problem), locale)))
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
