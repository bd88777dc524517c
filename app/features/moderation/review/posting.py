"""The message of a review item in the queue's channel: posted, and kept up to date, by whichever worker is free."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import uniform
from typing import Any

from app.adapters.discord.errors import DiscordRefused, Forbidden, NotFound, RateLimited
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.notices import Notices
from app.features.moderation.review import store
from app.features.moderation.review.buttons import rows
from app.features.moderation.review.store import POST_KIND, Item, Posting
from app.features.moderation.review.view import embed_of
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import GuildId, lower_bound
from app.streams.declare import scheduled
from app.streams.retry import Retry, TryLater
from app.streams.store import Scheduled
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)


POSTING_SECONDS = 30.0
"""How long one worker has an item for itself to post it: longer than both calls that it makes may take."""
CREATE_SECONDS, SEARCH_SECONDS = 15.0, 5.0
PATIENCE_SECONDS = 2.5
"""Other scheduled work waits meanwhile; a channel takes about one message a second (contract 4.2)."""
SPREAD_SECONDS = 5.0
CLOCKS = timedelta(minutes=1)
"""How far our database's clock and Discord's may be apart."""


class ReviewPosts:
    """Writes the messages, one per item. Raises the REST client's passing errors: the scheduled work tries again.

    Two workers may be asked to show an item at the same time, and one of them may die between Discord's answer and
    the row that keeps it. So whoever posts an item holds it for half a minute, and whoever comes after an attempt of
    which nothing is known looks for its message in the channel first. The nonce covers what is still on its way.
    """

    def __init__(self, pool: Pool, discord: DiscordRest, settings: GuildSettings, notices: Notices) -> None:
        self._pool = pool
        self._discord = discord
        self._settings = settings
        self._notices = notices

    async def show(self, guild: GuildId, item_id: int) -> None:
        """Bring an item's message up to date. Without a review channel it waits in /review only.

        Raises TryLater while another worker posts it, or the channel takes no more.
        """
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        shown: Item | None = None
        while True:
            async with transaction(self._pool) as conn:
                item = await store.find_item(conn, guild, item_id)
            # Somebody may decide while we write: what is there at the end has to be what is true.
            if item is None or shown == (seen := replace(item, posted_channel=None, posted_message=None)):
                return
            try:
                if item.posted_channel is not None and item.posted_message is not None:
                    await self._edit(item, item.posted_channel, item.posted_message)
                    shown = seen
                elif settings.review_channel is not None:
                    shown = seen if await self._post(item, settings.review_channel) else None
                else:
                    return
            except NotFound:
                log.info("a review message is gone", extra={"guild_id": guild, "item": item_id})
                return
            except DiscordRefused as error:
                log.warning(
                    "review channel not written",
                    extra={"guild_id": guild, "item": item_id, "discord_code": error.discord_code},
                )
                return
            except RateLimited as limited:
                raise TryLater(
                    "the review channel takes no more for now",
                    after=limited.wait + uniform(0, SPREAD_SECONDS),
                ) from None

    async def _edit(self, item: Item, channel: int, message: int) -> None:
        body = await self.body(item, edits=True)
        await self._discord.edit_message(
            channel, message, body, priority=Priority.MODERATION, patience=PATIENCE_SECONDS
        )

    async def _post(self, item: Item, channel: int) -> bool:
        """Post the item, or find the message of an earlier attempt. Return whether it shows the item as it is."""
        async with transaction(self._pool) as conn:
            earlier = await store.begin_posting(conn, item.item_id, channel, seconds=POSTING_SECONDS)
        if earlier is None:
            raise TryLater("another worker is posting it", after=1.0)
        try:
            message = await self._lost_message(item, earlier)
            if message is None:
                message = await self._discord.create_message(
                    channel,
                    await self.body(item, edits=False),
                    nonce=f"review-{item.item_id}",
                    priority=Priority.MODERATION,
                    deadline=CREATE_SECONDS,
                    patience=PATIENCE_SECONDS,
                )
        except (DiscordRefused, RateLimited):
            async with transaction(self._pool) as conn:
                await store.not_posted(conn, item.item_id, earlier)
            raise
        where, number = int(message["channel_id"]), int(message["id"])
        async with transaction(self._pool) as conn:
            kept = await store.posted(conn, item.item_id, where, number)
        if not kept:
            log.warning("a review item was posted twice; one is deleted", extra={"item": item.item_id})
            await self._discord.delete_message(where, number, priority=Priority.MODERATION)
        # What an earlier attempt wrote, or what the nonce gave back, may show the item as it was then.
        return kept and earlier.since is None

    async def _lost_message(self, item: Item, earlier: Posting) -> dict[str, Any] | None:
        """Look for the message of an attempt whose end is not known."""
        if earlier.channel is None or earlier.since is None:
            return None
        after = lower_bound(int((earlier.since - CLOCKS).timestamp() * 1000))
        try:
            found = await self._discord.get_messages(
                earlier.channel,
                after=after,
                limit=100,
                priority=Priority.MODERATION,
                deadline=SEARCH_SECONDS,
                patience=PATIENCE_SECONDS,
            )
        except (NotFound, Forbidden) as error:
            log.info(
                "not looked for a lost review message",
                extra={"item": item.item_id, "discord_code": error.discord_code},
            )
            return None
        ours = (message for message in found if message["author"]["id"] == str(self._discord.application_id))
        return next((message for message in ours if number_of(message) == item.item_id), None)

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


def number_of(message: Mapping[str, Any]) -> int | None:
    """Return which item a message in the queue's channel shows: the number in its heading, in any language."""
    for embed in message.get("embeds") or ():
        found = re.search(r"[0-9]+", embed.get("title") or "")
        if found is not None:
            return int(found[0])
    return None


@scheduled(POST_KIND, retry=Retry(attempts=10, first=5.0, cap=600.0, patience=7 * 86400.0))
async def show_item(job: Scheduled, *, posts: ReviewPosts) -> None:
    """Bring a review item's message up to date."""
    await posts.show(GuildId(int(job.payload["guild"])), int(job.payload["item"]))
