"""Keeping messages as they come, for guilds that said so, and forgetting what was deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.adapters.postgres.pool import Pool, transaction
from app.events.messages import MessageCreated, MessageDeleted, MessagesBulkDeleted, MessageUpdated
from app.features.moderation.rules.messages import store
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import GuildId, UserId
from app.streams.declare import consumes
from app.streams.retry import Retry
from app.tenancy.guild_settings import GuildSettings

FIELDS = (
    "id", "channel_id", "guild_id", "type", "flags", "content", "timestamp", "edited_timestamp", "embeds",
    "components", "message_snapshots", "poll", "sticker_items", "mention_roles", "mention_everyone",
)  # fmt: skip
"""What rules look at and is kept as it is."""


def shortened(data: Mapping[str, Any]) -> bytes:
    """Return the fields of a message that rules look at, without names, avatars and signed URLs."""
    kept = {name: data[name] for name in FIELDS if data.get(name)}
    author, member = data.get("author") or {}, data.get("member") or {}
    kept["author"] = {"id": author.get("id"), "bot": bool(author.get("bot"))}
    kept["member"] = {"roles": member.get("roles") or [], "joined_at": member.get("joined_at")}
    kept["mentions"] = [{"id": user["id"]} for user in data.get("mentions") or ()]
    kept["attachments"] = [
        {name: file.get(name) for name in ("id", "filename", "title", "description", "content_type", "size")}
        for file in data.get("attachments") or ()
    ]
    return orjson.dumps(kept)


class KeptMessages:
    """Keeps messages for `retention_days` in guilds with `keep_messages`."""

    def __init__(self, pool: Pool, settings: GuildSettings, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._settings = settings
        self._clock = clock

    async def keep(self, event: MessageCreated | MessageUpdated) -> None:
        """Keep the message as it reads now. Raises DatabaseUnavailable (E004)."""
        message = event.message
        if not message.guild_id or not message.by_person or message.author is None or message.partial:
            return
        settings = await self._settings.get(message.guild_id, FEATURE, ModerationSettings)
        if not settings.keep_messages:
            return
        until = self._clock() + timedelta(days=settings.retention_days)
        payload = shortened(event.envelope.json())
        async with transaction(self._pool) as conn:
            await store.keep(conn, message.guild_id, message.id, UserId(message.author.id), payload, until)

    async def forget(self, guild: GuildId, messages: Sequence[int]) -> None:
        """Forget deleted messages; those that a case is about stay."""
        if guild:
            async with transaction(self._pool) as conn:
                await store.forget(conn, guild, messages)

    async def forget_all(self, guild: GuildId) -> int:
        """Forget everything of a guild and return how much that was."""
        async with transaction(self._pool) as conn:
            return await store.forget_all(conn, guild)

    async def count(self, guild: GuildId) -> int:
        """Return how many messages are kept."""
        async with transaction(self._pool) as conn:
            return await store.count(conn, guild)


@consumes(
    MessageCreated,
    MessageUpdated,
    group="moderation",
    retry=Retry(attempts=5, first=1.0, cap=60.0),
    parallel=8,
)
async def keep_message(event: MessageCreated | MessageUpdated, *, kept: KeptMessages) -> None:
    """Keep a message where the guild wants it."""
    await kept.keep(event)


@consumes(
    MessageDeleted, MessagesBulkDeleted, group="moderation", retry=Retry(attempts=5, first=1.0), parallel=8
)
async def forget_message(event: MessageDeleted | MessagesBulkDeleted, *, kept: KeptMessages) -> None:
    """Forget what was deleted."""
    messages = event.message_ids if isinstance(event, MessagesBulkDeleted) else (event.message_id,)
    await kept.forget(event.guild_id, messages)
