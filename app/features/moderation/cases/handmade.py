"""What moderators do by hand in Discord becomes a case, as the guild's audit log tells it (needs VIEW_AUDIT_LOG).

20 kick, 22 ban, 23 unban, 24 timeout and its end     the case of the same name
72 a member's message deleted                          delete; Discord sends one entry for several in a row
73 messages deleted in bulk                            purge
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.adapters.discord.errors import DiscordRefused
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.errors import AppError
from app.events.audit_log import (
    MEMBER_BAN_ADD,
    MEMBER_BAN_REMOVE,
    MEMBER_KICK,
    MEMBER_UPDATE,
    MESSAGE_BULK_DELETE,
    MESSAGE_DELETE,
    AuditLogEntryCreated,
)
from app.events.event import optional_id
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.carry_out import END_KIND
from app.features.moderation.cases import store
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.directory import Directory
from app.features.moderation.models import Sanction
from app.features.moderation.notices import Notices
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import ChannelId, GuildId, UserId
from app.streams.declare import consumes
from app.streams.retry import Retry
from app.streams.store import cancel
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

SANCTIONS = {
    MEMBER_KICK: Sanction.KICK,
    MEMBER_BAN_ADD: Sanction.BAN,
    MEMBER_BAN_REMOVE: Sanction.UNBAN,
}
LIFTED_BY = {Sanction.UNBAN: Sanction.BAN, Sanction.UNTIMEOUT: Sanction.TIMEOUT}
TIMEOUT_KEY = "communication_disabled_until"
"""The field whose change is a timeout or its end (contract section 4.4)."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an entry tells: `target` None for what was done to a channel's messages at large."""

    sanction: Sanction
    target: UserId | None
    reason: str
    until: datetime | None = None
    channel: ChannelId | None = None


def act_of(event: AuditLogEntryCreated, now: datetime) -> Act | None:
    """Return what an entry did; None: nothing that moderation records. Pure."""
    reason, target = (event.reason or "")[:400], event.target_id
    if target is None:
        return None
    if event.action_type in SANCTIONS:
        return Act(SANCTIONS[event.action_type], UserId(target), reason)
    if event.action_type == MESSAGE_DELETE:
        channel = optional_id(event.options.get("channel_id"))
        return Act(
            Sanction.DELETE, UserId(target), reason, channel=None if channel is None else ChannelId(channel)
        )
    if event.action_type == MESSAGE_BULK_DELETE:
        counted = f"{event.options.get('count', '?')} × <#{target}>"
        return Act(Sanction.PURGE, None, f"{counted} {reason}".strip()[:400], channel=ChannelId(target))
    change = event.change(TIMEOUT_KEY) if event.action_type == MEMBER_UPDATE else None
    if change is None:
        return None
    until = _time(change.new)
    if until is not None and until > now:
        return Act(Sanction.TIMEOUT, UserId(target), reason, until)
    return Act(Sanction.UNTIMEOUT, UserId(target), reason)


class Handmade:
    """Writes the cases. What we did ourselves has its case already and is left out."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        directory: Directory,
        audit: AuditLog,
        settings: GuildSettings,
        notices: Notices,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._directory = directory
        self._audit = audit
        self._settings = settings
        self._notices = notices
        self._clock = clock

    async def note(self, event: AuditLogEntryCreated) -> Case | None:
        """Open the case of an entry, once; None: there is none to be opened."""
        now = self._clock()
        act = act_of(event, now)
        if act is None or event.actor_id == self._discord.application_id:
            return None
        guild, sanction, target = event.guild_id, act.sanction, act.target
        if sanction is Sanction.DELETE and await self._tidying(event):
            return None
        new = NewCase(
            guild_id=guild,
            action_key=f"audit:{event.entry_id}",
            sanction=sanction,
            origin="discord",
            target_id=target,
            moderator_id=event.actor_id,
            channel_id=act.channel,
            reason=act.reason,
            expires_at=act.until,
        )
        async with transaction(self._pool) as conn:
            case = await store.open_case(conn, new)
            if case is None:
                return None
            await store.settle(conn, guild, case.number, state="done")
            if sanction in LIFTED_BY and target is not None:
                for old in await store.running(conn, guild, target, LIFTED_BY[sanction]):
                    await store.lift(conn, guild, old.number, event.actor_id)
                    await cancel(conn, END_KIND, f"{guild}:{old.number}")
            detail = {"case": case.number, "entry": str(event.entry_id)}
            whom = f"channel:{act.channel}" if target is None else f"user:{target}"
            await self._audit.append(
                conn, guild, AuditEntry(f"case.{sanction}", whom, event.actor_id, detail), now
            )
            current = await store.find_case(conn, guild, case.number)
        assert current is not None
        settings = await self._settings.get(GuildId(guild), FEATURE, ModerationSettings)
        await self._notices.log(current, settings)
        return current

    async def _tidying(self, event: AuditLogEntryCreated) -> bool:
        """Return whether a bot deleted a message, or a bot's was deleted: nobody was moderated."""
        for user in (event.actor_id, event.target_id):
            if user is None:
                continue
            try:
                standing = await self._directory.standing(event.guild_id, UserId(user))
            except (AppError, DiscordRefused, OSError, TimeoutError) as error:
                log.debug("not looked up who was moderated", extra={"error": type(error).__name__})
                continue
            if standing.bot:
                return True
        return False


def _time(value: object) -> datetime | None:
    """Read a time of Discord's; anything else counts as none."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    return read if read.tzinfo is not None else None


@consumes(AuditLogEntryCreated, group="moderation-audit-log", retry=Retry(attempts=5, first=2.0, cap=60.0))
async def note_entry(event: AuditLogEntryCreated, *, handmade: Handmade) -> None:
    """Record what a moderator did by hand. The case is claimed by the entry's id."""
    await handmade.note(event)
