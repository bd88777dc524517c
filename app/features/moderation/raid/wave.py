"""Acting on a whole wave: a case for each, as few calls to Discord as possible, and invites paused in a lockdown.

Everything is decided and recorded first, so a worker that dies is continued by the next one. A refusal that would
hold for everybody ends the calls at once: 200 refused calls would eat the bot's budget for bad answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.adapters.discord.errors import DiscordRefused, Forbidden, NobodyBanned, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.authority import Authority, Inquiry, Refusal, protection_of
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.models import Sanction
from app.features.moderation.notices import Notices
from app.features.moderation.raid import store
from app.features.moderation.raid.settings import FEATURE, LEVELS, Level, RaidSettings
from app.features.moderation.raid.store import Raid
from app.features.moderation.settings import FEATURE as MODERATION
from app.features.moderation.settings import ModerationSettings
from app.interactions.permissions import Permission
from app.locale.text import t
from app.observability import metrics
from app.snowflake import GuildId, UserId
from app.streams.retry import TryLater
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

BATCH = 200
"""People of one step: a bulk ban takes as many (contract section 4.4)."""
SIDE_BY_SIDE = 5
PAUSE = timedelta(hours=1)
"""For how long invites are paused; the step down opens them again. Discord allows 24 hours."""
REASON = "Raid: joined in a burst"


class RaidWave:
    """Does what the level asks for."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        authority: Authority,
        audit: AuditLog,
        settings: GuildSettings,
        notices: Notices,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._authority = authority
        self._audit = audit
        self._settings = settings
        self._notices = notices
        self._clock = clock

    async def act(self, guild: GuildId) -> int:
        """Act on everybody of the wave who has not been; return how many cases were opened.

        Raises TryLater when it cannot be looked up who may be acted on, and the REST client's passing errors.
        """
        async with transaction(self._pool) as conn:
            raid = await store.lock(conn, guild)
            if raid is None:
                return 0
            fresh = raid.acting
            if fresh:
                raid = replace(raid, acting=False)
                await store.put(conn, raid)
        settings = await self._settings.get(guild, FEATURE, RaidSettings)
        await self._invites(guild, raid, settings, anew=fresh and raid.manual_by is not None)
        total = await self._carry_out(guild, raid, ())
        while raid.level >= Level.RAISED:
            opened = await self._decide(guild, raid, settings)
            if opened is None:
                break
            total += await self._carry_out(guild, raid, opened)
        if fresh and raid.level >= Level.RAISED:
            await self._announce(guild, raid)
        return total

    async def _announce(self, guild: GuildId, raid: Raid) -> None:
        """Tell the log channel, once per level of a raid (Discord drops repetitions of a nonce for minutes)."""
        moderation = await self._settings.get(guild, MODERATION, ModerationSettings)
        async with transaction(self._pool) as conn:
            members = await store.count_members(conn, guild, raid.wave)
        text = t(
            "Raid alarm: {level}. People in the wave so far: {count}. `/raid status` shows more.",
            level=LEVELS[Level(raid.level)],
            count=members,
        )
        await self._notices.announce(guild, text, moderation, key=f"raid:{raid.wave}:{raid.level}")

    async def _decide(self, guild: GuildId, raid: Raid, settings: RaidSettings) -> Sequence[Case] | None:
        """Open cases for the next step of the wave; None: there is nobody left."""
        async with transaction(self._pool) as conn:
            waiting = await store.unhandled(conn, guild, raid.wave, limit=BATCH)
        if not waiting:
            return None
        users = [UserId(member.user_id) for member in waiting]
        joined_ms = {member.user_id: int(member.joined_at.timestamp() * 1000) for member in waiting}
        moderation = await self._settings.get(guild, MODERATION, ModerationSettings)
        sanction = Sanction(settings.sanction)
        allowed, refused = await self._allowed(guild, users, sanction, moderation)
        now = self._clock()
        until = now + timedelta(minutes=settings.timeout_minutes) if sanction is Sanction.TIMEOUT else None
        opened = []
        async with transaction(self._pool) as conn:
            for user in allowed:
                case = await cases.open_case(
                    conn,
                    NewCase(
                        guild_id=guild,
                        action_key=f"raid:{raid.wave}:{user}:{joined_ms[user]}",  # who comes back is acted on again
                        sanction=sanction,
                        origin="raid",
                        target_id=user,
                        reason=REASON,
                        expires_at=until,
                    ),
                )
                if case is not None:
                    # A wave of accounts is not written to: opening 200 DMs gets a bot quarantined.
                    await cases.set_notified(conn, guild, case.number, notified=False)
                    opened.append(case)
            await store.mark_handled(conn, guild, raid.wave, users)
            detail = {
                "wave": raid.wave,
                "sanction": sanction,
                "cases": [case.number for case in opened],
                "refused": refused,
            }
            await self._audit.append(conn, guild, AuditEntry("raid.wave", "guild", None, detail), now)
        return opened

    async def _allowed(
        self, guild: GuildId, users: Sequence[UserId], sanction: Sanction, settings: ModerationSettings
    ) -> tuple[list[UserId], dict[str, int]]:
        """Ask authority about everybody: one look-up of the guild, since newcomers hold no roles."""
        allowed: list[UserId] = []
        refused: dict[str, int] = {}
        if sanction is Sanction.NONE:
            return allowed, refused
        for user in users:
            inquiry = await self._inquire(guild, user, settings)
            refusal = inquiry.refusal(sanction)
            if refusal is Refusal.UNKNOWN:
                raise TryLater("the guild could not be looked up", after=10.0)
            if refusal is None:
                allowed.append(user)
            else:
                refused[refusal] = refused.get(refusal, 0) + 1
                metrics.MODERATION_REFUSALS.labels(refusal).inc()
        return allowed, refused

    async def _inquire(self, guild: GuildId, user: UserId, settings: ModerationSettings) -> Inquiry:
        return await self._authority.inquire(
            guild, user, by=None, protection=protection_of(settings), roles=(), bot=False
        )

    async def _carry_out(self, guild: GuildId, raid: Raid, opened: Sequence[Case]) -> int:
        """Carry out what was opened, and what a worker that died has left."""
        async with transaction(self._pool) as conn:
            waiting = await cases.unfinished(conn, guild, f"raid:{raid.wave}:")
        for sanction in (Sanction.BAN, Sanction.KICK, Sanction.TIMEOUT):
            due = [case for case in waiting if case.sanction == sanction]
            for start in range(0, len(due), BATCH):
                await self._carry_out_batch(guild, sanction, due[start : start + BATCH])
        if waiting:
            moderation = await self._settings.get(guild, MODERATION, ModerationSettings)
            async with transaction(self._pool) as conn:
                found = [await cases.find_case(conn, guild, case.number) for case in waiting]
            await self._notices.log_many([case for case in found if case is not None], moderation)
        return len(opened)

    async def _carry_out_batch(self, guild: GuildId, sanction: Sanction, due: Sequence[Case]) -> None:
        left = list(due)
        if sanction is Sanction.BAN and len(due) > 1 and await self._may_ban_in_bulk(guild):
            left = await self._ban_in_bulk(guild, due)
        queue, refused = iter(left), False

        async def work_off() -> None:
            nonlocal refused
            for case in queue:
                problem = Refusal.WE_LACK_PERMISSION if refused else await self._punish(case, sanction)
                refused = refused or problem == Refusal.WE_LACK_PERMISSION
                await self._settle(guild, [case], problem)

        # One that fails for now (no answer from Discord) ends its own line, and the work is done anew later.
        ends = await asyncio.gather(*(work_off() for _ in range(SIDE_BY_SIDE)), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _may_ban_in_bulk(self, guild: GuildId) -> bool:
        """A bulk ban needs MANAGE_GUILD too (contract section 4.4)."""
        inquiry = await self._inquire(guild, UserId(self._discord.application_id), ModerationSettings())
        return inquiry.standings is not None and Permission.MANAGE_GUILD in inquiry.standings[1].permissions

    async def _ban_in_bulk(self, guild: GuildId, due: Sequence[Case]) -> list[Case]:
        """Ban with one call; return those whom Discord did not ban, which may be because they are banned already."""
        numbers = f"{due[0].number}-{due[-1].number}"
        try:
            answer = await self._discord.bulk_guild_ban(
                guild,
                [case.target_id for case in due if case.target_id is not None],
                reason=f"Cases {numbers} (automatic): {REASON}",
                priority=Priority.MODERATION,
            )
        except (NobodyBanned, Forbidden):
            return list(due)
        banned = {int(user) for user in answer.get("banned_users") or ()}
        await self._settle(guild, [case for case in due if case.target_id in banned], None)
        return [case for case in due if case.target_id not in banned]

    async def _punish(self, case: Case, sanction: Sanction) -> str | None:
        """Carry one case out; return what is wrong when Discord refuses for good."""
        assert case.target_id is not None
        guild, target = case.guild_id, case.target_id
        reason = f"Case {case.number} (automatic): {case.reason}"
        try:
            if sanction is Sanction.TIMEOUT:
                await self._discord.timeout_guild_member(
                    guild, target, until=case.expires_at, reason=reason, priority=Priority.MODERATION
                )
            elif sanction is Sanction.KICK:
                await self._discord.remove_guild_member(
                    guild, target, reason=reason, priority=Priority.MODERATION
                )
            else:
                await self._discord.add_guild_ban(guild, target, reason=reason, priority=Priority.MODERATION)
        except NotFound:
            return None if sanction is Sanction.KICK else Refusal.NOT_A_MEMBER
        except Forbidden as error:
            log.warning(
                "Discord refuses a raid's sanction (E006)",
                extra={"guild_id": guild, "case": case.number, "discord_code": error.discord_code},
            )
            return Refusal.WE_LACK_PERMISSION
        return None

    async def _settle(self, guild: GuildId, done: Sequence[Case], problem: str | None) -> None:
        state = "failed" if problem else "done"
        async with transaction(self._pool) as conn:
            for case in done:
                await cases.settle(conn, guild, case.number, state=state, problem=problem)
                metrics.MODERATION_SANCTIONS.labels(case.sanction, case.origin, state).inc()

    async def _invites(self, guild: GuildId, raid: Raid, settings: RaidSettings, *, anew: bool) -> None:
        """Pause invites in a lockdown, open them again after it; a refusal stops nothing.

        `anew`: also when they are paused already, since the lockdown may have been given another length.
        """
        wanted = raid.level == Level.LOCKDOWN and settings.pause_invites
        if wanted == raid.invites_paused and not (wanted and anew):
            return
        until = max(raid.calm_at, self._clock() + PAUSE) if wanted else None
        if until is not None:
            until = min(until, self._clock() + timedelta(hours=23))
        try:
            await self._discord.modify_guild_incident_actions(
                guild, invites_disabled_until=until, reason="Raid", priority=Priority.MODERATION
            )
        except DiscordRefused as error:
            log.warning(
                "invites not paused or opened (E006)",
                extra={"guild_id": guild, "discord_code": error.discord_code},
            )
            return
        async with transaction(self._pool) as conn:
            current = await store.lock(conn, guild)
            if current is not None:
                await store.put(conn, replace(current, invites_paused=wanted))
            entry = AuditEntry("raid.invites", "guild", None, {"paused": wanted})
            await self._audit.append(conn, guild, entry, self._clock())
