"""Opening appeals, and telling members how they ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from app.adapters.discord.errors import CannotMessageUser, DiscordRefused
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.errors import UserError
from app.features.moderation.appeals import store
from app.features.moderation.appeals.store import ANSWER_KIND, Appeal
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.store import Case
from app.features.moderation.notices import APPEALABLE, Notices
from app.features.moderation.review.store import NewItem, open_item
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import Text, t
from app.snowflake import GuildId, UserId
from app.streams.declare import scheduled
from app.streams.retry import Retry
from app.streams.store import Scheduled
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

STATES = {
    "open": t("Your appeal is with the moderators."),
    "upheld": t("Your appeal was looked at. The decision stands."),
    "overturned": t("Your appeal was successful. The decision was taken back."),
}
"""What the member reads."""


class Appeals:
    """A member's side of an appeal; the moderators' side is its review item."""

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

    async def case_for(self, guild: GuildId, number: int, user: UserId) -> Case:
        """Return the case if this member may appeal against it now. Raises UserError with the reason why not."""
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        async with transaction(self._pool) as conn:
            case = await cases.find_case(conn, guild, number)
            latest = await store.latest(conn, guild, number)
        if case is None or case.target_id != user or case.sanction not in APPEALABLE:
            raise UserError(t("There is no such decision about you."))
        if latest is not None:
            raise UserError(STATES[latest.state])
        if case.state == "lifted":
            raise UserError(t("This decision was taken back already."))
        if not settings.appeals:
            raise UserError(t("This server takes no appeals."))
        return case

    async def open(
        self,
        guild: GuildId,
        number: int,
        user: UserId,
        text: str,
        *,
        dm: tuple[int, int] | None,
    ) -> Text:
        """Open an appeal and its review item; return what the DM (`dm`: channel and message) now says.

        Raises UserError when there is one already, or none is possible.
        """
        case = await self.case_for(guild, number, user)
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        now = self._clock()
        expires = now + timedelta(days=settings.retention_days)
        async with transaction(self._pool) as conn:
            appeal = await store.open_appeal(
                conn,
                guild,
                number,
                user,
                text,
                text_expires_at=expires,
                dm_channel=dm[0] if dm else None,
                dm_message=dm[1] if dm else None,
                now=now,
            )
            if appeal is not None:
                new = NewItem(
                    guild_id=guild,
                    item_key=f"appeal:{appeal.appeal_id}",
                    kind="appeal",
                    user_id=user,
                    reason=case.reason,
                    channel_id=case.channel_id,
                    case_number=number,
                    appeal_id=appeal.appeal_id,
                    excerpt=text,
                    excerpt_expires_at=expires,
                )
                await open_item(conn, new, now)
                detail = {"appeal": appeal.appeal_id}
                await self._audit.append(
                    conn, guild, AuditEntry("appeal.opened", f"case:{number}", user, detail), now
                )
        if appeal is None:
            raise UserError(STATES["open"])
        return await self._notices.told(case, STATES["open"])

    async def answer(self, guild: GuildId, appeal_id: int) -> None:
        """Tell the member how the appeal ended: a new DM, and the old one shows it too. May be called again."""
        async with transaction(self._pool) as conn:
            appeal = await store.find(conn, guild, appeal_id)
            case = None if appeal is None else await cases.find_case(conn, guild, appeal.case_number)
        if appeal is None or case is None or appeal.state == "open":
            return
        body = await self._notices.dm(case, STATES[appeal.state], appeal=False, edits=True)
        try:
            await self._edit(appeal, body)
            channel = await self._discord.create_dm(appeal.user_id, priority=Priority.MODERATION)
            created = await self._notices.dm(case, STATES[appeal.state], appeal=False)
            await self._discord.create_message(
                int(channel["id"]), created, nonce=f"appeal-{appeal_id}", priority=Priority.MODERATION
            )
        except CannotMessageUser:
            log.info("member not told of an appeal", extra={"guild_id": guild, "appeal": appeal_id})
            async with transaction(self._pool) as conn:
                reversal = await cases.case_of_action(conn, guild, f"lift:{case.number}")
                if reversal is not None:
                    await cases.set_notified(conn, guild, reversal.number, notified=False)

    async def _edit(self, appeal: Appeal, body: dict[str, object]) -> None:
        if appeal.dm_channel is None or appeal.dm_message is None:
            return
        try:
            await self._discord.edit_message(
                appeal.dm_channel, appeal.dm_message, body, priority=Priority.MODERATION
            )
        except DiscordRefused as error:
            log.info("an appealed DM stays as it was", extra={"discord_code": error.discord_code})


@scheduled(ANSWER_KIND, retry=Retry(attempts=10, first=5.0, cap=600.0))
async def answer_appeal(job: Scheduled, *, appeals: Appeals) -> None:
    """Tell a member how the appeal ended."""
    await appeals.answer(GuildId(int(job.payload["guild"])), int(job.payload["appeal"]))
