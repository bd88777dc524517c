"""What moderators do by hand in Discord becomes a case, as the guild's audit log tells it (needs VIEW_AUDIT_LOG)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.events.audit_log import (
    MEMBER_BAN_ADD,
    MEMBER_BAN_REMOVE,
    MEMBER_KICK,
    MEMBER_UPDATE,
    AuditLogEntryCreated,
)
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.carry_out import END_KIND
from app.features.moderation.cases import store
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.models import Sanction
from app.features.moderation.notices import Notices
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import GuildId, UserId
from app.streams.declare import consumes
from app.streams.retry import Retry
from app.streams.store import cancel
from app.tenancy.guild_settings import GuildSettings

SANCTIONS = {
    MEMBER_KICK: Sanction.KICK,
    MEMBER_BAN_ADD: Sanction.BAN,
    MEMBER_BAN_REMOVE: Sanction.UNBAN,
}
LIFTED_BY = {Sanction.UNBAN: Sanction.BAN, Sanction.UNTIMEOUT: Sanction.TIMEOUT}
TIMEOUT_KEY = "communication_disabled_until"
"""The field whose change is a timeout or its end (contract section 4.4)."""


def sanction_of(event: AuditLogEntryCreated, now: datetime) -> tuple[Sanction, datetime | None] | None:
    """Return what an entry did and until when; None: nothing that moderation records. Pure."""
    if event.action_type in SANCTIONS:
        return SANCTIONS[event.action_type], None
    if event.action_type != MEMBER_UPDATE:
        return None
    change = event.change(TIMEOUT_KEY)
    if change is None:
        return None
    until = _time(change.new)
    return (Sanction.TIMEOUT, until) if until is not None and until > now else (Sanction.UNTIMEOUT, None)


class Handmade:
    """Writes the cases. What we did ourselves has its case already and is left out."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        audit: AuditLog,
        settings: GuildSettings,
        notices: Notices,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._audit = audit
        self._settings = settings
        self._notices = notices
        self._clock = clock

    async def note(self, event: AuditLogEntryCreated) -> Case | None:
        """Open the case of an entry, once; None: there is none to be opened."""
        now = self._clock()
        found = sanction_of(event, now)
        if found is None or event.target_id is None or event.actor_id == self._discord.application_id:
            return None
        sanction, until = found
        guild, target = event.guild_id, UserId(event.target_id)
        new = NewCase(
            guild_id=guild,
            action_key=f"audit:{event.entry_id}",
            sanction=sanction,
            origin="discord",
            target_id=target,
            moderator_id=event.actor_id,
            reason=(event.reason or "")[:400],
            expires_at=until,
        )
        async with transaction(self._pool) as conn:
            case = await store.open_case(conn, new)
            if case is None:
                return None
            await store.settle(conn, guild, case.number, state="done")
            if sanction in LIFTED_BY:
                for old in await store.running(conn, guild, target, LIFTED_BY[sanction]):
                    await store.lift(conn, guild, old.number, event.actor_id)
                    await cancel(conn, END_KIND, f"{guild}:{old.number}")
            detail = {"case": case.number, "entry": str(event.entry_id)}
            await self._audit.append(
                conn, guild, AuditEntry(f"case.{sanction}", f"user:{target}", event.actor_id, detail), now
            )
            current = await store.find_case(conn, guild, case.number)
        assert current is not None
        settings = await self._settings.get(GuildId(guild), FEATURE, ModerationSettings)
        await self._notices.log(current, settings)
        return current


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
