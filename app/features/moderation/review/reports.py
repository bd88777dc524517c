"""Reports of members: one review item per message, however many report it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.review import store
from app.features.moderation.review.store import Item, NewItem
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import ChannelId, GuildId, MessageId, UserId
from app.tenancy.guild_settings import GuildSettings


class Reports:
    """Takes reports."""

    def __init__(
        self, pool: Pool, audit: AuditLog, settings: GuildSettings, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._audit = audit
        self._settings = settings
        self._clock = clock

    async def report(
        self,
        guild: GuildId,
        *,
        channel: ChannelId | None,
        message: MessageId,
        author: UserId,
        text: str,
        by: UserId,
    ) -> Item:
        """Open an item for a message, or join the reporters of the one there is; return it."""
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        now = self._clock()
        new = NewItem(
            guild_id=guild,
            item_key=f"report:{message}",
            kind="report",
            user_id=author,
            channel_id=channel,
            message_id=message,
            reporters=[by],
            excerpt=text[:4000],
            excerpt_expires_at=now + timedelta(days=settings.retention_days),
        )
        async with transaction(self._pool) as conn:
            item = await store.open_item(conn, new, now)
            entry = AuditEntry("review.reported", f"user:{author}", by, {"item": item.item_id})
            await self._audit.append(conn, guild, entry, now)
        return item

    async def add_reason(self, guild: GuildId, item: int, by: UserId, text: str) -> bool:
        """Add what a reporter says. False: the item is decided already, or not theirs."""
        now = self._clock()
        async with transaction(self._pool) as conn:
            added = await store.add_reason(conn, guild, item, by, " ".join(text.split()))
            if added:
                await store.have_shown(conn, guild, item, now)
        return added
