"""What moderators order: checked by authority, recorded as a case, carried out, and answered with its number."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from app.adapters.discord.errors import DiscordRefused, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import AppError, UserError
from app.features.moderation import carry_out
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.authority import Authority, protection_of
from app.features.moderation.carry_out import CarryOut
from app.features.moderation.cases import store
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.directory import LOOKUP_SECONDS
from app.features.moderation.models import Sanction
from app.features.moderation.notices import refused
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import t
from app.snowflake import GuildId, UserId
from app.streams.store import cancel
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

UNKNOWN_BAN = 10026
"""Discord's code for somebody who is not banned (contract section 4.8)."""
MAX_TIMEOUT = timedelta(days=28)
"""Discord's longest timeout (contract section 4.4)."""
SUPERSEDED = {
    Sanction.UNBAN: Sanction.BAN,
    Sanction.UNTIMEOUT: Sanction.TIMEOUT,
    Sanction.TIMEOUT: Sanction.TIMEOUT,
}
"""What an order takes the place of; a timeout that of longer ones, as Discord has it."""


class Moderators:
    """Orders of people. Every method runs once per `action_key` (an interaction id), however often it is called."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        authority: Authority,
        audit: AuditLog,
        carry: CarryOut,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._authority = authority
        self._audit = audit
        self._carry = carry
        self._settings = settings
        self._clock = clock

    async def order(
        self,
        guild: GuildId,
        target: UserId,
        sanction: Sanction,
        *,
        by: UserId,
        reason: str,
        action_key: str,
        lasting: timedelta | None = None,
        delete_seconds: int = 0,
        origin: str = "command",
    ) -> Case:
        """Do it and return the case as it is now.

        Raises UserError with authority's refusal, when there is nothing to be lifted, or when Discord refused; the
        case then says so too.
        """
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        refusal = await self._authority.check(
            guild, target, sanction, by=by, protection=protection_of(settings)
        )
        if refusal is not None:
            raise UserError(refusal.text)
        if sanction in carry_out.LIFTING:
            await self._need_something_to_lift(guild, target, sanction, action_key)
        now = self._clock()
        new = NewCase(
            guild_id=guild,
            action_key=action_key,
            sanction=sanction,
            origin=origin,
            target_id=target,
            moderator_id=by,
            reason=reason,
            expires_at=None if lasting is None else now + lasting,
            delete_seconds=delete_seconds,
        )
        async with transaction(self._pool) as conn:
            case = await store.open_case(conn, new)
            if case is None:
                done = await store.case_of_action(conn, guild, action_key)
                assert done is not None
                return done
            await carry_out.expect(conn, case, now)
            if sanction in SUPERSEDED:
                await self._supersede(conn, case, by)
            entry = AuditEntry(
                f"case.{sanction}", f"user:{target}", by, {"case": case.number, "minutes": _minutes(lasting)}
            )
            await self._audit.append(conn, guild, entry, now)
        case = await self._carry.case(case, allowed=True)
        if case.state == "failed":
            raise UserError(refused(case))
        return case

    async def _need_something_to_lift(
        self, guild: GuildId, target: UserId, sanction: Sanction, action_key: str
    ) -> None:
        """Raise UserError if neither Discord has the sanction nor a case is about to put it on.

        An order that came before is not judged again: it may have lifted the sanction itself.
        """
        async with transaction(self._pool) as conn:
            if await store.case_of_action(conn, guild, action_key) is not None:
                return
            ours = await store.running(conn, guild, target, SUPERSEDED[sanction])
        if any(case.state == "recorded" for case in ours) or await self._stands(guild, target, sanction):
            return
        mention = f"<@{target}>"
        if sanction is Sanction.UNBAN:
            raise UserError(t("{member} is not banned. There is nothing to lift.", member=mention))
        raise UserError(t("{member} is not timed out. There is nothing to lift.", member=mention))

    async def _stands(self, guild: GuildId, target: UserId, sanction: Sanction) -> bool:
        """Return whether Discord has what is to be lifted; if it cannot be asked, say yes and let it answer."""
        try:
            if sanction is Sanction.UNBAN:
                await self._discord.get_guild_ban(
                    guild, target, priority=Priority.MODERATION, deadline=LOOKUP_SECONDS
                )
                return True
            member = await self._discord.get_guild_member(
                guild, target, priority=Priority.MODERATION, deadline=LOOKUP_SECONDS
            )
            until = member.get("communication_disabled_until")
            return until is not None and datetime.fromisoformat(until) > self._clock()
        except NotFound as error:
            return error.discord_code != UNKNOWN_BAN
        except (AppError, DiscordRefused, TimeoutError, ValueError) as error:
            log.warning("lifting: lookup failed", extra={"guild_id": guild, "error": type(error).__name__})
            return True

    async def _supersede(self, conn: Conn, case: Case, by: UserId) -> None:
        """Mark the cases of what the order lifts or shortens, and take their ends off the schedule."""
        assert case.target_id is not None
        guild, replaced = GuildId(case.guild_id), SUPERSEDED[Sanction(case.sanction)]
        for old in await store.running(conn, guild, UserId(case.target_id), replaced):
            if case.expires_at and old.expires_at and old.expires_at <= case.expires_at:
                continue  # ends within the new timeout, or is the new one
            await store.lift(conn, guild, old.number, by)
            await cancel(conn, carry_out.END_KIND, carry_out.key_of(old))

    async def find(self, guild: GuildId, number: int) -> Case:
        """Return the case. Raises UserError when there is none of that number."""
        async with transaction(self._pool) as conn:
            case = await store.find_case(conn, guild, number)
        if case is None:
            raise UserError(t("There is no case {number} in this server.", number=str(number)))
        return case

    async def edit(self, guild: GuildId, number: int, reason: str, by: UserId) -> Case:
        """Change a case's reason; what it was is kept. Raises UserError when there is no such case."""
        async with transaction(self._pool) as conn:
            if not await store.edit_reason(conn, guild, number, reason, by):
                raise UserError(t("There is no case {number} in this server.", number=str(number)))
            entry = AuditEntry("case.edited", f"case:{number}", by)
            await self._audit.append(conn, guild, entry, self._clock())
        return await self.find(guild, number)

    async def history(
        self, guild: GuildId, target: UserId, *, before: int | None = None, limit: int = 10
    ) -> tuple[list[Case], int]:
        """Return a page of a member's cases, newest first, and the strikes that count now."""
        async with transaction(self._pool) as conn:
            found = await store.history(conn, guild, target, limit=limit, before=before)
            return found, await store.strikes_of(conn, guild, target, self._clock())


def _minutes(lasting: timedelta | None) -> int | None:
    return None if lasting is None else int(lasting.total_seconds() // 60)
