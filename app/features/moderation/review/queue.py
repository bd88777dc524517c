"""Deciding review items: claimed, decided once, undone; with authority asked before and a case written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import UserError
from app.features.moderation import carry_out
from app.features.moderation.appeals import store as appeals
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.authority import Authority, Refusal, protection_of
from app.features.moderation.carry_out import CarryOut
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.lifting import Lifting
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.models import UNSURE, Sanction, Severity
from app.features.moderation.review import store
from app.features.moderation.review.act import Act, case_to_undo, lifts, possible, sanction_of, undoable
from app.features.moderation.review.store import CLAIM_TIME, Item
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import t
from app.observability import metrics
from app.snowflake import GuildId, UserId
from app.tenancy.guild_settings import GuildSettings


@dataclass(frozen=True, slots=True)
class Resolved:
    """The item as it is now; `done`: this call decided it; `case`: what the decision opened."""

    item: Item
    done: bool
    case: Case | None = None


class Reviews:
    """The queue of a guild."""

    def __init__(
        self,
        pool: Pool,
        authority: Authority,
        audit: AuditLog,
        carry: CarryOut,
        lifting: Lifting,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._authority = authority
        self._audit = audit
        self._carry = carry
        self._lifting = lifting
        self._settings = settings
        self._clock = clock

    async def find(self, guild: GuildId, item_id: int) -> Item:
        """Return the item. Raises UserError when there is none."""
        async with transaction(self._pool) as conn:
            item = await store.find_item(conn, guild, item_id)
        if item is None:
            raise UserError(t("This is not in the review queue any more."))
        return item

    async def page(self, guild: GuildId, *, after: int = 0) -> tuple[Item | None, int, bool]:
        """Return the next open item behind `after`, how many are open, and whether more follow."""
        async with transaction(self._pool) as conn:
            found = await store.open_items(conn, guild, after=after, limit=2)
            return (found[0] if found else None), await store.count_open(conn, guild), len(found) > 1

    async def claim(self, guild: GuildId, item_id: int, version: int, *, by: UserId) -> Resolved:
        """Take an item for oneself, or give it back. `done` False: it has changed, or is somebody else's.

        Raises UserError for an item about oneself.
        """
        _refuse_own(await self.find(guild, item_id), by)
        now = self._clock()
        async with transaction(self._pool) as conn:
            claimed = await store.claim(conn, guild, item_id, version, by=by, now=now)
            if claimed is not None:
                await store.have_shown(conn, guild, item_id, now)
                entry = AuditEntry(
                    "review.claimed" if claimed.claimed_by else "review.released", f"review:{item_id}", by
                )
                await self._audit.append(conn, guild, entry, now)
        if claimed is None:
            return Resolved(await self.find(guild, item_id), done=False)
        return Resolved(claimed, done=True)

    async def resolve(self, guild: GuildId, item_id: int, version: int, act: Act, *, by: UserId) -> Resolved:
        """Decide an item. `done` False: somebody else did, or it has changed; the item shows what is now.

        Raises UserError when it may not be decided so: claimed by another, authority's refusal, one's own case.
        """
        item = await self.find(guild, item_id)
        now = self._clock()
        if item.state != "open" or item.version != version:
            return Resolved(item, done=False)
        if act not in possible(item):
            raise UserError(t("That cannot be done here."))
        _refuse_own(item, by)
        _refuse_claimed(item, by, now)
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        sanction = sanction_of(item, act)
        if sanction is not None:
            refusal = await self._authority.check(
                guild, UserId(item.user_id), sanction, by=by, protection=protection_of(settings)
            )
            if refusal is not None:
                raise UserError(refusal.text)
        old, reversal = await self._judge_lifting(item, act, by)
        opened: Case | None = None
        async with transaction(self._pool) as conn:
            decided = await store.resolve(conn, guild, item_id, version, act.value, by=by, now=now)
            if decided is not None:
                if sanction is not None:
                    opened = await self._sanction(conn, item, sanction, settings, by=by, now=now)
                elif old is not None:
                    opened = await self._lift(conn, item, old, reversal, by=by, now=now)
                if opened is not None:
                    await store.note_case(conn, item_id, opened.number)
                if item.appeal_id is not None:
                    state = "overturned" if act is Act.OVERTURN else "upheld"
                    await appeals.decide(conn, guild, item.appeal_id, state, by=by, now=now)
                await store.have_shown(conn, guild, item_id, now)
                detail = {"case": opened.number if opened else item.case_number, "act": act.value}
                await self._audit.append(
                    conn, guild, AuditEntry("review.resolved", f"review:{item_id}", by, detail), now
                )
        if decided is None:
            return Resolved(await self.find(guild, item_id), done=False)
        metrics.MODERATION_REVIEWS.labels(item.kind, act.value).inc()
        if opened is not None:
            opened = await self._carry.case(opened, allowed=True)
        return Resolved(await self.find(guild, item_id), done=True, case=opened)

    async def undo(self, guild: GuildId, item_id: int, version: int, *, by: UserId) -> Resolved:
        """Lift what a decision did. Raises UserError when there is nothing to lift, or authority refuses."""
        item = await self.find(guild, item_id)
        if item.version != version or item.state != "resolved":
            return Resolved(item, done=False)
        number = case_to_undo(item)
        if not undoable(item) or number is None:
            raise UserError(t("There is nothing here that could be undone."))
        now = self._clock()
        async with transaction(self._pool) as conn:
            old = await cases.find_case(conn, guild, number)
        assert old is not None
        reversal = await self._lifting.judge(old, by)
        async with transaction(self._pool) as conn:
            undone = await store.undo(conn, guild, item_id, version)
            opened = None
            if undone is not None:
                opened = await self._lifting.record(conn, old, reversal, by=by, origin="review", now=now)
                await store.have_shown(conn, guild, item_id, now)
        if undone is None:
            return Resolved(await self.find(guild, item_id), done=False)
        if opened is not None:
            opened = await self._lifting.carry_out(opened)
        return Resolved(undone, done=True, case=opened)

    async def _judge_lifting(self, item: Item, act: Act, by: UserId) -> tuple[Case | None, Sanction | None]:
        """Return the case that the act lifts, and what that means in Discord (None: it is lifted already).

        Raises UserError with authority's refusal, and for an appeal against one's own decision.
        """
        if item.case_number is None or (item.kind != "appeal" and not lifts(item, act)):
            return None, None
        async with transaction(self._pool) as conn:
            old = await cases.find_case(conn, GuildId(item.guild_id), item.case_number)
            about = await store.items_of_case(conn, GuildId(item.guild_id), item.case_number)
        if old is None:
            return None, None
        # Who approved what the machine did has decided about it as well.
        decided = {other.resolved_by for other in about if other.kind != "appeal"}
        if item.kind == "appeal" and by in {old.moderator_id, *decided}:
            raise UserError(t("You made this decision. Somebody else has to look at the appeal."))
        if not lifts(item, act):
            return None, None
        if old.state == "lifted":
            return old, None
        return old, await self._lifting.judge(old, by)

    async def _lift(
        self, conn: Conn, item: Item, old: Case, reversal: Sanction | None, *, by: UserId, now: datetime
    ) -> Case | None:
        opened = None
        if reversal is not None:
            origin = "appeal" if item.kind == "appeal" else "review"
            opened = await self._lifting.record(conn, old, reversal, by=by, origin=origin, now=now)
        if opened is None:
            # It ended, or a moderator lifted it, and the strike was left: that it was wrong is known only now.
            await cases.revoke_strike(conn, GuildId(item.guild_id), UserId(item.user_id), old.action_key)
        return opened

    async def _sanction(
        self,
        conn: Conn,
        item: Item,
        sanction: Sanction,
        settings: ModerationSettings,
        *,
        by: UserId,
        now: datetime,
    ) -> Case | None:
        minutes = settings.timeout_minutes if sanction is Sanction.TIMEOUT else None
        key = f"review:{item.item_id}"
        weight = settings.strike_weights.get(Severity(item.severity), 1) if item.severity else 0
        if weight and item.case_number is None:
            # What people confirm counts as if the machine had been sure; undo revokes it with the case.
            # Before the case, as verdicts do: two transactions would wait for each other.
            await cases.strike(
                conn,
                GuildId(item.guild_id),
                UserId(item.user_id),
                key,
                weight=weight,
                at=now,
                expires_at=now + timedelta(days=settings.strike_days),
            )
        opened = await cases.open_case(
            conn,
            NewCase(
                guild_id=GuildId(item.guild_id),
                action_key=key,
                sanction=sanction,
                origin="review",
                target_id=UserId(item.user_id),
                moderator_id=by,
                channel_id=item.channel_id,
                message_id=item.message_id,
                # Why a machine was unsure is no reason to give to the member.
                reason="" if item.reason.startswith(UNSURE) else item.reason[:400],
                decision_id=item.decision_id,
                expires_at=None if minutes is None else now + timedelta(minutes=minutes),
            ),
        )
        if opened is None:
            return None
        await carry_out.expect(conn, opened, now)
        return opened


def _refuse_own(item: Item, by: UserId) -> None:
    """Refuse also what authority is not asked about: to dismiss a report about oneself, or to keep it from others."""
    if by == item.user_id:
        raise UserError(Refusal.SELF.text)


def _refuse_claimed(item: Item, by: UserId, now: datetime) -> None:
    if item.claimed_by is None or item.claimed_by == by or item.claimed_at is None:
        return
    if item.claimed_at >= now - CLAIM_TIME:
        raise UserError(
            t(
                "{member} has claimed this. It is free again {when}.",
                member=f"<@{item.claimed_by}>",
                when=f"<t:{int((item.claimed_at + CLAIM_TIME).timestamp())}:R>",
            )
        )
