"""The message of a review item in the queue's channel: posted, and kept up to date, by whichever worker is free."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from app.adapters.discord.errors import DiscordRefused, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.notices import Notices
from app.features.moderation.review import store
from app.features.moderation.review.buttons import rows
from app.features.moderation.review.store import POST_KIND, Item
from app.features.moderation.review.view import embed_of
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import GuildId
from app.streams.declare import scheduled
from app.streams.retry import Retry
from app.streams.store import Scheduled
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)


class ReviewPosts:
    """Writes the messages. Raises the REST client's passing errors: the scheduled work tries again."""

    def __init__(self, pool: Pool, discord: DiscordRest, settings: GuildSettings, notices: Notices) -> None:
        self._pool = pool
        self._discord = discord
        self._settings = settings
        self._notices = notices

    async def show(self, guild: GuildId, item_id: int) -> None:
        """Bring an item's message up to date. Without a review channel it waits in /review only."""
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        shown: Item | None = None
        while True:
            async with transaction(self._pool) as conn:
                item = await store.find_item(conn, guild, item_id)
            # Somebody may decide while we write: what is there at the end has to be what is true.
            if item is None or shown == (seen := replace(item, posted_channel=None, posted_message=None)):
                return
            shown = seen
            if not await self._write(item, settings):
                return

    async def _write(self, item: Item, settings: ModerationSettings) -> bool:
        guild = GuildId(item.guild_id)
        try:
            if item.posted_channel is not None and item.posted_message is not None:
                body = await self.body(item, edits=True)
                await self._discord.edit_message(
                    item.posted_channel, item.posted_message, body, priority=Priority.MODERATION
                )
            elif settings.review_channel is not None:
                body = await self.body(item, edits=False)
                message = await self._discord.create_message(
                    settings.review_channel,
                    body,
                    nonce=f"review-{item.item_id}",
                    priority=Priority.MODERATION,
                )
                async with transaction(self._pool) as conn:
                    await store.posted(conn, item.item_id, settings.review_channel, int(message["id"]))
            else:
                return False
        except NotFound:
            log.info("a review message is gone", extra={"guild_id": guild, "item": item.item_id})
            return False
        except DiscordRefused as error:
            log.warning(
                "review channel not written",
                extra={"guild_id": guild, "item": item.item_id, "discord_code": error.discord_code},
            )
            return False
        return True

    async def body(self, item: Item, *, edits: bool) -> dict[str, Any]:
        """Return the message of an item in the guild's language."""
        guild = GuildId(item.guild_id)
        return self._notices.renderer().body(
            None,
            rows(item),
            [embed_of(item)],
            guild=guild,
            locale=await self._notices.locale(guild),
            edits=edits,
        )


@scheduled(POST_KIND, retry=Retry(attempts=10, first=5.0, cap=600.0))
async def show_item(job: Scheduled, *, posts: ReviewPosts) -> None:
    """Bring a review item's message up to date."""
    await posts.show(GuildId(int(job.payload["guild"])), int(job.payload["item"]))
