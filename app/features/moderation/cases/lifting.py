"""Taking back what was done: a moderator's undo, a won appeal, the end of a temporary ban."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import UserError
from app.features.moderation import carry_out
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.authority import Authority, Refusal, protection_of
from app.features.moderation.carry_out import REVERSED, CarryOut
from app.features.moderation.cases import store
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.models import Sanction
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import t
from app.snowflake import GuildId, UserId
from app.streams.declare import scheduled
from app.streams.retry import Retry
from app.streams.store import Scheduled, cancel, finish
from app.tenancy.guild_settings import GuildSettings

LIFTABLE = frozenset({Sanction.WARN, Sanction.DELETE, Sanction.TIMEOUT, Sanction.KICK, Sanction.BAN})


class Lifting:
    """Lifts a case once: marks it, revokes its strike, and opens the case of the reversal."""

    def __init__(
        self,
        pool: Pool,
        authority: Authority,
        audit: AuditLog,
        carry: CarryOut,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._authority = authority
        self._audit = audit
        self._carry = carry
        self._settings = settings
        self._clock = clock

    async def judge(self, case: Case, by: UserId) -> Sanction:
        """Return what lifting the case means in Discord (unban, untimeout, or undo: nothing).

        Raises UserError with authority's refusal, and for cases that cannot be lifted.
        """
        sanction = Sanction(case.sanction)
        if case.state == "lifted" or sanction not in LIFTABLE or case.target_id is None:
            raise UserError(t("There is nothing to lift in case {number}.", number=str(case.number)))
        guild, target = GuildId(case.guild_id), UserId(case.target_id)
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        inquiry = await self._authority.inquire(guild, target, by=by, protection=protection_of(settings))
        reversal = self._reversal(case)
        refusal = inquiry.refusal(reversal)
        if refusal is Refusal.NOT_A_MEMBER:  # who has left has no timeout that could be lifted
            reversal = Sanction.UNDO
            refusal = inquiry.refusal(reversal)
        if refusal is not None:
            raise UserError(refusal.text)
        return reversal

    def _reversal(self, case: Case) -> Sanction:
        over = case.expires_at is not None and case.expires_at <= self._clock()
        if case.state == "failed" or (over and case.sanction == Sanction.TIMEOUT):
            return Sanction.UNDO
        return REVERSED.get(Sanction(case.sanction), Sanction.UNDO)

    async def record(
        self, conn: Conn, case: Case, reversal: Sanction, *, by: UserId | None, origin: str, now: datetime
    ) -> Case | None:
        """Lift the case in the caller's transaction and return the reversal's case; None: it is lifted already.

        Carry the returned case out after the commit.
        """
        guild = GuildId(case.guild_id)
        await store.lock_cases(conn, guild)
        reversal = await self._unless_held(conn, case, reversal)
        if not await store.lift(conn, guild, case.number, by):
            return None
        key = f"{guild}:{case.number}"
        await cancel(conn, carry_out.END_KIND, key)
        await cancel(conn, carry_out.KIND, key)
        target = None if case.target_id is None else UserId(case.target_id)
        revoked = False
        if target is not None and origin != "expiry":
            revoked = await store.revoke_strike(conn, guild, target, case.action_key)
        opened = await store.open_case(
            conn,
            NewCase(
                guild_id=guild,
                action_key=f"lift:{case.number}",
                sanction=reversal,
                origin=origin,
                target_id=target,
                moderator_id=by,
                reason=f"Case {case.number}",
            ),
        )
        assert opened is not None  # a case is lifted once
        if origin == "appeal":
            # The answer to the appeal tells the member; one message about one thing.
            await store.set_notified(conn, guild, opened.number, notified=True)
            opened = replace(opened, notified=True)
        await carry_out.expect(conn, opened, now)
        detail = {"case": opened.number, "lifts": case.number, "strike_revoked": revoked}
        await self._audit.append(
            conn, guild, AuditEntry(f"case.{reversal}", f"user:{target}", by, detail), now
        )
        return opened

    async def _unless_held(self, conn: Conn, case: Case, reversal: Sanction) -> Sanction:
        """Return `undo` where another case keeps the member banned, or timed out at least as long."""
        held = False
        if reversal is Sanction.UNBAN and case.target_id is not None:
            others = await store.running(conn, GuildId(case.guild_id), UserId(case.target_id), Sanction.BAN)
            held = any(other.number != case.number for other in others)
        elif reversal is Sanction.UNTIMEOUT and case.expires_at is not None:
            longest = await store.longest_timeout(conn, case)
            held = longest is not None and longest >= case.expires_at
        return Sanction.UNDO if held else reversal

    async def carry_out(self, case: Case) -> Case:
        """Do in Discord what the reversal's case says. Raises the REST client's passing errors."""
        return await self._carry.case(case, allowed=True)

    async def undo(self, guild: GuildId, number: int, *, by: UserId, origin: str = "command") -> Case:
        """Lift a case and return the reversal's case. Raises UserError when it cannot be lifted, or was."""
        async with transaction(self._pool) as conn:
            case = await store.find_case(conn, guild, number)
        if case is None:
            raise UserError(t("There is no case {number} in this server.", number=str(number)))
        reversal = await self.judge(case, by)
        async with transaction(self._pool) as conn:
            opened = await self.record(conn, case, reversal, by=by, origin=origin, now=self._clock())
        if opened is None:
            raise UserError(t("There is nothing to lift in case {number}.", number=str(number)))
        return await self.carry_out(opened)

    async def end(self, job: Scheduled) -> Case | None:
        """End a temporary ban whose time has come, once; None: there is nothing to be ended any more."""
        guild, number, now = GuildId(int(job.payload["guild"])), int(job.payload["number"]), self._clock()
        async with transaction(self._pool) as conn:
            await store.lock_cases(conn, guild)  # before the scheduled work, as everywhere
            if not await finish(conn, job):
                return None
            case = await store.find_case(conn, guild, number)
            if case is None or case.state in {"lifted", "failed"} or case.target_id is None:
                return None
            longer = await store.running(conn, guild, UserId(case.target_id), Sanction.BAN)
            if any(other.number != number for other in longer):
                # A later ban holds on: this one is over, the member stays banned.
                await store.lift(conn, guild, number, None)
                return None
            opened = await self.record(conn, case, Sanction.UNBAN, by=None, origin="expiry", now=now)
        return None if opened is None else await self.carry_out(opened)


@scheduled(carry_out.END_KIND, retry=Retry(attempts=20, first=5.0, cap=600.0))
async def end_ban(job: Scheduled, *, lifting: Lifting) -> None:
    """End a temporary ban. Whatever fails after the commit is done by the case's own safety net."""
    await lifting.end(job)
