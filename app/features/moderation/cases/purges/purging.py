"""Purging: choose, record, then delete; a worker that takes over deletes what was recorded and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from app.adapters.discord.errors import Forbidden, MessagesTooOld, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.errors import DiscordUnreachable, RateLimited, UserError
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.carry_out import audit_reason
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.purges import store
from app.features.moderation.cases.purges.filters import Filters, split_by_age
from app.features.moderation.cases.store import Case, NewCase
from app.features.moderation.models import Sanction
from app.features.moderation.notices import Notices, refused
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import Text, t
from app.snowflake import ChannelId, GuildId, UserId
from app.tenancy.guild_settings import GuildSettings

LOOKED_AT = 1_000
"""How many messages are looked at, at most, for those that fit."""
PAGE = 100
"""Discord's page of messages, and the most that one bulk deletion takes (contract section 4.4)."""
OLD_DEADLINE = 120.0
"""Seconds that the deletion of one old message may wait for its slot: these are rate limited harder."""

Progress = Callable[[Text], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did. `case` None: no message fits."""

    case: Case | None
    removed: int


class Purging:
    """Removes messages of a channel."""

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

    async def purge(
        self,
        guild: GuildId,
        channel: ChannelId,
        count: int,
        filters: Filters,
        *,
        by: UserId,
        action_key: str,
        progress: Progress,
    ) -> Purged:
        """Remove up to `count` messages that fit, newest first. Once per `action_key`, however often it is called.

        Raises UserError when Discord refuses, and the REST client's passing errors: called again it goes on.
        """
        async with transaction(self._pool) as conn:
            case = await cases.case_of_action(conn, guild, action_key)
        if case is None:
            case = await self._record(guild, channel, count, filters, by=by, action_key=action_key)
        if case is None:
            return Purged(None, 0)
        async with transaction(self._pool) as conn:
            purge = await store.find(conn, guild, case.number)
        assert purge is not None
        if case.state == "recorded":
            problem = await self._delete(case, purge, progress)
            async with transaction(self._pool) as conn:
                state = "failed" if problem else "done"
                await cases.settle(conn, guild, case.number, state=state, problem=problem)
                case = await cases.find_case(conn, guild, case.number)
            assert case is not None
            settings = await self._settings.get(guild, FEATURE, ModerationSettings)
            await self._notices.log(case, settings)
        if case.state == "failed":
            if case.problem == "permission":
                raise UserError(
                    t("I may not delete messages here. Grant my role Manage Messages in this channel. (E006)")
                )
            raise UserError(refused(case))
        return Purged(case, len(purge.message_ids))

    async def _record(
        self,
        guild: GuildId,
        channel: ChannelId,
        count: int,
        filters: Filters,
        *,
        by: UserId,
        action_key: str,
    ) -> Case | None:
        chosen = await self._choose(channel, count, filters)
        if not chosen:
            return None
        now = self._clock()
        new = NewCase(
            guild_id=guild,
            action_key=action_key,
            sanction=Sanction.PURGE,
            origin="command",
            target_id=None if filters.user is None else UserId(filters.user),
            moderator_id=by,
            channel_id=channel,
            reason=f"{len(chosen)} × <#{channel}>",
        )
        async with transaction(self._pool) as conn:
            case = await cases.open_case(conn, new)
            if case is None:
                return await cases.case_of_action(conn, guild, action_key)
            await store.keep(conn, guild, case.number, channel, chosen)
            detail = {"case": case.number, "messages": len(chosen)}
            await self._audit.append(
                conn, guild, AuditEntry("case.purge", f"channel:{channel}", by, detail), now
            )
        return case

    async def _choose(self, channel: ChannelId, count: int, filters: Filters) -> list[int]:
        chosen: list[int] = []
        before = filters.before
        for _ in range(LOOKED_AT // PAGE):
            try:
                page = await self._discord.get_messages(
                    channel, before=before, limit=PAGE, priority=Priority.MODERATION
                )
            except Forbidden:
                raise UserError(
                    t("I cannot read this channel. Grant my role Read Message History here. (E006)")
                ) from None
            for message in page:
                before = int(message["id"])
                if filters.after is not None and before <= filters.after:
                    return chosen
                if filters.take(message):
                    chosen.append(before)
                    if len(chosen) == count:
                        return chosen
            if len(page) < PAGE:
                break
        return chosen

    async def _delete(self, case: Case, purge: store.Purge, progress: Progress) -> str | None:
        """Delete; return what is wrong when Discord refuses for good."""
        reason = audit_reason(case)
        young, old = split_by_age(purge.message_ids, self._clock())
        try:
            for start in range(0, len(young), PAGE):
                old += await self._bulk(purge.channel_id, young[start : start + PAGE], reason)
            for number, message in enumerate(old):
                if number % 5 == 0 and len(old) > 1:
                    await progress(
                        t(
                            "{done} of {count} messages are removed …",
                            done=len(purge.message_ids) - len(old) + number,
                            count=len(purge.message_ids),
                        )
                    )
                await self._one(purge.channel_id, message, reason)
        except Forbidden:
            return "permission"
        except (DiscordUnreachable, RateLimited) as error:
            return error.code or "unreachable"
        return None

    async def _bulk(self, channel: int, messages: list[int], reason: str) -> list[int]:
        """Delete in bulk; return those that must go one by one after all."""
        if len(messages) < 2:
            return messages
        try:
            await self._discord.bulk_delete_messages(
                channel, messages, reason=reason, priority=Priority.MODERATION
            )
        except MessagesTooOld:
            return messages
        except NotFound:
            return []
        return []

    async def _one(self, channel: int, message: int, reason: str) -> None:
        try:
            await self._discord.delete_message(
                channel, message, reason=reason, priority=Priority.BULK, deadline=OLD_DEADLINE
            )
        except NotFound:
            return  # gone already: by the first try, or by its author
