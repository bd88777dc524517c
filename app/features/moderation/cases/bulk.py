"""Banning many at once: a case for each, one call to Discord for up to 200."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.adapters.discord.errors import DiscordRefused, NobodyBanned
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.errors import UserError
from app.features.moderation import carry_out
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.authority import Authority, Refusal, protection_of
from app.features.moderation.carry_out import CarryOut
from app.features.moderation.cases import store
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.models import Sanction
from app.features.moderation.notices import Notices
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import Text, t, tn
from app.snowflake import GuildId, UserId
from app.tenancy.guild_settings import GuildSettings

MOST = 200
"""Users in one bulk ban (contract section 4.4)."""
LOOKUPS = 5
"""Members that are looked up side by side."""


@dataclass(frozen=True, slots=True)
class BulkBan:
    """What came of it. `refused` by authority; `failed` by Discord."""

    banned: tuple[Case, ...]
    failed: tuple[Case, ...]
    refused: tuple[tuple[UserId, Refusal], ...]


class BulkBans:
    """Bans many. Members are not told: this is for waves of accounts, and there is no time for it."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        authority: Authority,
        audit: AuditLog,
        carry: CarryOut,
        settings: GuildSettings,
        notices: Notices,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._authority = authority
        self._audit = audit
        self._carry = carry
        self._settings = settings
        self._notices = notices
        self._clock = clock

    async def ban(
        self,
        guild: GuildId,
        users: Sequence[UserId],
        *,
        by: UserId,
        reason: str,
        delete_seconds: int,
        action_key: str,
        progress: Callable[[Text], Awaitable[None]],
    ) -> BulkBan:
        """Ban everybody on the list whom authority allows. Once per (`action_key`, user).

        Raises UserError for an empty list or more than 200, and the REST client's passing errors.
        """
        unique = list(dict.fromkeys(users))
        if not 1 <= len(unique) <= MOST:
            raise UserError(t("Name 1 to {count} people.", count=MOST))
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        refused = await self._refused(guild, unique, by, settings)
        names = {user for user, _ in refused}
        allowed = [user for user in unique if user not in names]
        opened = await self._record(
            guild, allowed, by=by, reason=reason, delete_seconds=delete_seconds, action_key=action_key
        )
        waiting = [case for case in opened if case.state == "recorded"]
        if waiting:
            await progress(tn("Banning {count} account …", "Banning {count} accounts …", count=len(waiting)))
            await self._carry_out(guild, waiting, reason, delete_seconds)
        async with transaction(self._pool) as conn:
            current = [await store.find_case(conn, guild, case.number) for case in opened]
        found = [case for case in current if case is not None]
        banned = tuple(case for case in found if case.state != "failed")
        if waiting:
            await self._notices.log_many(banned, settings)
        return BulkBan(banned, tuple(case for case in found if case.state == "failed"), tuple(refused))

    async def _refused(
        self, guild: GuildId, users: Sequence[UserId], by: UserId, settings: ModerationSettings
    ) -> list[tuple[UserId, Refusal]]:
        gate = asyncio.Semaphore(LOOKUPS)

        async def check(user: UserId) -> Refusal | None:
            async with gate:
                return await self._authority.check(
                    guild, user, Sanction.BAN, by=by, protection=protection_of(settings)
                )

        answers = await asyncio.gather(*(check(user) for user in users))
        return [(user, why) for user, why in zip(users, answers, strict=True) if why is not None]

    async def _record(
        self,
        guild: GuildId,
        users: Sequence[UserId],
        *,
        by: UserId,
        reason: str,
        delete_seconds: int,
        action_key: str,
    ) -> list[Case]:
        now = self._clock()
        opened = []
        async with transaction(self._pool) as conn:
            for user in users:
                key = f"{action_key}:{user}"
                new = NewCase(
                    guild_id=guild,
                    action_key=key,
                    sanction=Sanction.BAN,
                    origin="command",
                    target_id=user,
                    moderator_id=by,
                    reason=reason,
                    delete_seconds=delete_seconds,
                )
                case = await store.open_case(conn, new)
                if case is None:
                    case = await store.case_of_action(conn, guild, key)
                    assert case is not None
                else:
                    # They are banned without a DM, also should another worker finish this.
                    await store.set_notified(conn, guild, case.number, notified=False)
                    await carry_out.expect(conn, case, now)
                    detail = {"case": case.number, "minutes": None}
                    await self._audit.append(
                        conn, guild, AuditEntry("case.ban", f"user:{user}", by, detail), now
                    )
                opened.append(case)
        return opened

    async def _carry_out(
        self, guild: GuildId, waiting: Sequence[Case], reason: str, delete_seconds: int
    ) -> None:
        numbers = f"{waiting[0].number}-{waiting[-1].number}"
        try:
            answer = await self._discord.bulk_guild_ban(
                guild,
                [case.target_id for case in waiting if case.target_id is not None],
                delete_message_seconds=delete_seconds,
                reason=f"Cases {numbers} (by {waiting[0].moderator_id}): {reason}",
                priority=Priority.MODERATION,
            )
        except NobodyBanned:
            failed = {case.target_id for case in waiting}
        except DiscordRefused:
            # The route wants Manage Server too, and may be closed to us: one after the other then.
            for case in waiting:
                await self._carry.case(case, allowed=True)
            return
        else:
            failed = {int(user) for user in answer.get("failed_users") or ()}
        async with transaction(self._pool) as conn:
            for case in waiting:
                problem = "not_banned" if case.target_id in failed else None
                await store.settle(
                    conn, guild, case.number, state="failed" if problem else "done", problem=problem
                )
                await carry_out.done(conn, case)
