"""Doing what a case says, from its row, as often as it takes: record -> delete -> notify -> punish -> log.

The case was committed before anything happened, together with scheduled work that carries it out should this worker
die. Every step may run twice: a deletion of what is gone succeeds, a timeout ends at the same absolute time, the DM
and the log message carry a nonce that Discord recognises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.adapters.discord.caller import Audited
from app.adapters.discord.errors import (
    CannotMessageUser,
    ContentBlocked,
    DiscordRefused,
    Forbidden,
    NotFound,
    RateLimited,
)
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import DiscordUnreachable
from app.features.moderation.authority import Authority, Refusal, protection_of
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.store import Case
from app.features.moderation.models import Sanction
from app.features.moderation.notices import TELL_SECONDS, TOLD, Notices
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.observability import metrics
from app.snowflake import GuildId, UserId
from app.streams.retry import TryLater
from app.streams.store import cancel, ensure, schedule
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

KIND = "moderation.carry_out"
END_KIND = "moderation.end"
BACKLOG_KIND = "moderation.backlog"
LOG_KIND = "moderation.log"
SAFETY_SECONDS = 30.0
"""When a case has not been carried out by the worker that opened it, another one does it after this time."""

SAME_END = timedelta(seconds=1)
"""Discord keeps the end of a timeout in milliseconds."""

PUNISHING = frozenset({Sanction.TIMEOUT, Sanction.KICK, Sanction.BAN})
REVERSED = {Sanction.BAN: Sanction.UNBAN, Sanction.TIMEOUT: Sanction.UNTIMEOUT}
"""What lifts a sanction in Discord; the others leave nothing behind that could be lifted."""
LIFTING = frozenset(REVERSED.values())


async def expect(conn: Conn, case: Case, now: datetime, *, safety_seconds: float = SAFETY_SECONDS) -> None:
    """Have the case carried out for certain; in the transaction that opens it.

    Where something else sees to it first (an event that is delivered again), `safety_seconds` may be long.
    """
    payload, key = payload_of(case), key_of(case)
    await schedule(conn, KIND, key, now + timedelta(seconds=safety_seconds), payload)
    if case.sanction == Sanction.BAN and case.expires_at is not None:
        await schedule(conn, END_KIND, key, case.expires_at, payload)


async def done(conn: Conn, case: Case) -> None:
    """Take the safety net away: the case was carried out."""
    await cancel(conn, KIND, key_of(case))


def key_of(case: Case) -> str:
    """Return the key of a case's scheduled work."""
    return f"{case.guild_id}:{case.number}"


def payload_of(case: Case) -> dict[str, Any]:
    """Return the payload of a case's scheduled work."""
    return {"guild": str(case.guild_id), "number": case.number}


class CarryOut:
    """Carries cases out. Raises the REST client's passing errors: the scheduled work tries again."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        authority: Authority,
        settings: GuildSettings,
        notices: Notices,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._authority = authority
        self._settings = settings
        self._notices = notices
        self._clock = clock

    async def case(
        self, case: Case, *, allowed: bool = False, again: bool = False, patience: float | None = None
    ) -> Case:
        """Do what the case says and return it as it is now. `allowed`: authority has just said yes to it.

        `again`: somebody may have done part of it before; a sanction that is in force is not put on anew.
        `patience`: seconds that a call after the deletion may wait for Discord's limits; a case that would wait
        longer goes into the guild's backlog and comes back as it was, `recorded`.
        """
        problem = await self._delete_message(case)
        if problem is not None and case.sanction == Sanction.DELETE:
            return await self._settle(case, problem, patience)  # nothing was removed that could be told about
        try:
            return await self.rest(case, allowed=allowed, again=again, patience=patience)
        except RateLimited as limited:
            if patience is None:
                raise
            return await self._wait_in_backlog(case, limited.wait)

    async def rest(
        self, case: Case, *, allowed: bool = False, again: bool = False, patience: float | None = None
    ) -> Case:
        """Do what is left when the message is gone: notify, punish, log.

        Raises RateLimited when that takes longer than `patience`; then the member has not been punished.
        """
        guild = GuildId(case.guild_id)
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        sanction = Sanction(case.sanction)
        over = case.expires_at is not None and case.expires_at <= self._clock()
        punishing = sanction in PUNISHING | LIFTING and not over
        refusal = await self._refusal(case, sanction, settings) if punishing and not allowed else None
        problem = refusal.value if refusal else None
        if refusal is Refusal.UNKNOWN:
            raise TryLater(after=10)  # whether the member may be punished is not known yet
        # A member who is banned or kicked can no longer be reached: tell first.
        if refusal is None and not over:
            case = await self._tell(case, settings, patience)
        punished = False
        if punishing and refusal is None and not (again and await self._in_force(case, sanction)):
            punished = await self._is_due(case, sanction)
        if punished:
            problem = await self._punish(case, sanction, patience)
        current = await self._settle(case, problem, patience)
        if punished and current.state == "lifted":
            await self._take_back(current, sanction)
        return current

    async def _is_due(self, case: Case, sanction: Sanction) -> bool:
        """Ask last of all, since telling takes its time: was the case lifted, would a longer timeout be cut short?"""
        async with transaction(self._pool) as conn:
            current = await cases.find_case(conn, GuildId(case.guild_id), case.number)
            longest = await cases.longest_timeout(conn, case) if sanction is Sanction.TIMEOUT else None
        if current is None or current.state == "lifted":
            return False
        if longest is None or case.expires_at is None or longest <= case.expires_at:
            return True
        # Discord knows whether the longer one still holds: it can be shortened by hand.
        return not await self._in_force(case, sanction)

    async def _take_back(self, case: Case, sanction: Sanction) -> None:
        """Lift what reached Discord after the case had been lifted: the lifting may have come first."""
        reversal = REVERSED.get(sanction)
        if reversal is None or case.target_id is None:
            return
        if sanction is Sanction.BAN:
            async with transaction(self._pool) as conn:
                if await cases.running(conn, GuildId(case.guild_id), UserId(case.target_id), sanction):
                    return  # another ban holds
        await self._punish(case, reversal, None)

    async def _settle(self, case: Case, problem: str | None, patience: float | None) -> Case:
        """Record how it went, take the safety net away, and write to the log channel."""
        guild, sanction = GuildId(case.guild_id), Sanction(case.sanction)
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        async with transaction(self._pool) as conn:
            await cases.settle(
                conn, guild, case.number, state="failed" if problem else "done", problem=problem
            )
            await done(conn, case)
            current = await cases.find_case(conn, guild, case.number)
        assert current is not None
        metrics.MODERATION_SANCTIONS.labels(sanction, current.origin, "failed" if problem else "done").inc()
        try:
            await self._notices.log(current, settings, patience=patience)
        except RateLimited as limited:
            due = self._clock() + timedelta(seconds=limited.wait)
            async with transaction(self._pool) as conn:
                await ensure(conn, LOG_KIND, key_of(case), due, payload_of(case))
        return current

    async def _wait_in_backlog(self, case: Case, seconds: float) -> Case:
        """Leave the rest of a case to whoever works the guild's backlog off, instead of to the safety net."""
        guild = GuildId(case.guild_id)
        due = self._clock() + timedelta(seconds=seconds)
        async with transaction(self._pool) as conn:
            await ensure(conn, BACKLOG_KIND, str(guild), due, {"guild": str(guild)})
            await done(conn, case)
            current = await cases.find_case(conn, guild, case.number)
        assert current is not None
        return current

    async def _refusal(self, case: Case, sanction: Sanction, settings: ModerationSettings) -> Refusal | None:
        assert case.target_id is not None
        by = None if case.moderator_id is None else UserId(case.moderator_id)
        return await self._authority.check(
            GuildId(case.guild_id),
            UserId(case.target_id),
            sanction,
            by=by,
            protection=protection_of(settings),
        )

    async def _delete_message(self, case: Case) -> str | None:
        """Delete the message that the case is about; return what is wrong when Discord refuses."""
        if case.message_id is None or case.channel_id is None:
            return None
        if case.sanction not in {Sanction.DELETE, *PUNISHING} or case.origin not in {
            "automatic",
            "review",
            "raid",
        }:
            return None
        try:
            await self._discord.delete_message(case.channel_id, case.message_id, reason=audit_reason(case))
        except NotFound:
            log.debug("message was gone already", extra={"guild_id": case.guild_id, "case": case.number})
        except Forbidden as error:
            log.warning(
                "cannot delete a message (E006)",
                extra={"guild_id": case.guild_id, "case": case.number, "discord_code": error.discord_code},
            )
            return Refusal.WE_LACK_PERMISSION.value
        return None

    async def _tell(self, case: Case, settings: ModerationSettings, patience: float | None) -> Case:
        """Tell the member and keep whether that worked.

        Raises RateLimited if the member could be told soon, only not within `patience`.
        """
        if case.notified is not None or not settings.notify_members:
            return case
        if case.sanction not in TOLD or case.target_id is None:
            return case
        try:
            told = await self._notices.tell_member(case, settings, patience=patience)
        except RateLimited as limited:
            if patience is not None and patience < limited.wait <= TELL_SECONDS:
                raise
            told = False  # telling must not hold up what protects the others
        except (CannotMessageUser, ContentBlocked, NotFound, DiscordUnreachable):
            told = False
        except DiscordRefused as error:
            log.info("member not told", extra={"case": case.number, "discord_code": error.discord_code})
            told = False
        async with transaction(self._pool) as conn:
            await cases.set_notified(conn, GuildId(case.guild_id), case.number, notified=told)
        return replace(case, notified=told)

    async def _in_force(self, case: Case, sanction: Sanction) -> bool:
        """Return whether Discord has the sanction already: a second one would show in its audit log."""
        assert case.target_id is not None
        try:
            if sanction is Sanction.BAN:
                await self._discord.get_guild_ban(case.guild_id, case.target_id, priority=Priority.MODERATION)
                return True
            if sanction is Sanction.TIMEOUT and case.expires_at is not None:
                member = await self._discord.get_guild_member(
                    case.guild_id, case.target_id, priority=Priority.MODERATION
                )
                until = member.get("communication_disabled_until")
                return until is not None and datetime.fromisoformat(until) >= case.expires_at - SAME_END
        except (NotFound, Forbidden) as error:
            log.debug(
                "sanction is not in force", extra={"case": case.number, "discord_code": error.discord_code}
            )
        return False

    async def _punish(self, case: Case, sanction: Sanction, patience: float | None) -> str | None:
        """Carry out; return what is wrong when Discord refuses for good."""
        assert case.target_id is not None
        guild, target = case.guild_id, case.target_id
        options: Audited = {
            "reason": audit_reason(case),
            "priority": Priority.MODERATION,
            "patience": patience,
        }
        until = None
        if sanction is Sanction.UNTIMEOUT:
            async with transaction(self._pool) as conn:
                until = await cases.longest_timeout(conn, case)  # what another case imposed goes on
        try:
            if sanction is Sanction.TIMEOUT:
                await self._discord.timeout_guild_member(guild, target, until=case.expires_at, **options)
            elif sanction is Sanction.UNTIMEOUT:
                await self._discord.timeout_guild_member(guild, target, until=until, **options)
            elif sanction is Sanction.UNBAN:
                await self._discord.remove_guild_ban(guild, target, **options)
            elif sanction is Sanction.KICK:
                await self._discord.remove_guild_member(guild, target, **options)
            else:
                await self._discord.add_guild_ban(
                    guild, target, delete_message_seconds=case.delete_seconds, **options
                )
        except NotFound:
            # No such ban is what an unban wants; a kicked member who is gone was kicked by the first try.
            return None if sanction in {Sanction.UNBAN, Sanction.KICK} else Refusal.NOT_A_MEMBER.value
        except Forbidden as error:
            log.warning(
                "Discord refuses a sanction (E006)",
                extra={"case": case.number, "discord_code": error.discord_code},
            )
            return Refusal.WE_LACK_PERMISSION.value
        return None


def audit_reason(case: Case) -> str:
    """Return the reason for Discord's own audit log: everybody with access to it reads it."""
    who = "automatic" if case.moderator_id is None else f"by {case.moderator_id}"
    return f"Case {case.number} ({who}): {case.reason}"
