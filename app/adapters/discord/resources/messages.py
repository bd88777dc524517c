"""Messages, reactions and typing in a channel (contract sections 4.4 to 4.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Audited, Caller, File, Json, Options, created, edited
from app.observability import metrics

BULK_DELETE_MIN, BULK_DELETE_MAX = 2, 100
"""Messages per bulk delete (contract 4.4)."""

NONCE_MAX = 25
"""Characters of a nonce (contract 4.5)."""


class Messages(Caller):
    """Operations on messages."""

    async def get_messages(
        self,
        channel_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int = 50,
        **options: Unpack[Options],
    ) -> list[Json]:
        """Return up to 100 messages, newest first."""
        query = {"before": before, "after": after, "around": around, "limit": limit}
        target = routes.GET_MESSAGES.at(channel_id=channel_id)
        return cast(list[Json], await self.request(target, query=query, **options))

    async def get_message(self, channel_id: int, message_id: int, **options: Unpack[Options]) -> Json:
        target = routes.GET_MESSAGE.at(channel_id=channel_id, message_id=message_id)
        return cast(Json, await self.request(target, **options))

    async def create_message(
        self,
        channel_id: int,
        message: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        nonce: str | None = None,
        **options: Unpack[Options],
    ) -> Json:
        """Post a message (`content`, `embeds`, `components`, `flags`, …); it pings nobody unless it says so.

        With a `nonce` (at most 25 characters, e.g. a digest of a job id) a repetition within minutes returns
        the first message, so the call is also repeated after network errors; without one it is not.
        """
        body = created(message, files)
        if nonce is not None:
            if not 0 < len(nonce) <= NONCE_MAX:
                raise ValueError(f"a nonce has 1 to {NONCE_MAX} characters, not {len(nonce)}")
            body |= {"nonce": nonce, "enforce_nonce": True}
        target = routes.CREATE_MESSAGE.at(channel_id=channel_id)
        idempotent = nonce is not None
        message_sent = await self.request(target, json=body, files=files, idempotent=idempotent, **options)
        metrics.DISCORD_MESSAGES_SENT.inc()
        return cast(Json, message_sent)

    async def edit_message(
        self,
        channel_id: int,
        message_id: int,
        message: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        **options: Unpack[Options],
    ) -> Json:
        """Change the given fields. Only attachments listed in `attachments`, and `files`, stay."""
        target = routes.EDIT_MESSAGE.at(channel_id=channel_id, message_id=message_id)
        return cast(Json, await self.request(target, json=edited(message, files), files=files, **options))

    async def delete_message(self, channel_id: int, message_id: int, **options: Unpack[Audited]) -> None:
        """Raise NotFound (10008) if it is gone already."""
        target = routes.DELETE_MESSAGE.at(channel_id=channel_id, message_id=message_id)
        await self.request(target, **options)

    async def bulk_delete_messages(
        self, channel_id: int, message_ids: Sequence[int], **options: Unpack[Audited]
    ) -> None:
        """Delete 2 to 100 messages, none older than 14 days (else MessagesTooOld, and none is deleted)."""
        unique = list(dict.fromkeys(message_ids))
        if not BULK_DELETE_MIN <= len(unique) <= BULK_DELETE_MAX:
            raise ValueError(f"a bulk delete takes 2 to 100 messages, not {len(unique)}")
        target = routes.BULK_DELETE_MESSAGES.at(channel_id=channel_id)
        await self.request(target, json={"messages": [str(message) for message in unique]}, **options)

    async def pin_message(self, channel_id: int, message_id: int, **options: Unpack[Audited]) -> None:
        target = routes.PIN_MESSAGE.at(channel_id=channel_id, message_id=message_id)
        await self.request(target, **options)

    async def unpin_message(self, channel_id: int, message_id: int, **options: Unpack[Audited]) -> None:
        target = routes.UNPIN_MESSAGE.at(channel_id=channel_id, message_id=message_id)
        await self.request(target, **options)

    async def create_reaction(
        self, channel_id: int, message_id: int, emoji: str, **options: Unpack[Options]
    ) -> None:
        """React with a Unicode emoji or `name:id`."""
        target = routes.CREATE_REACTION.at(channel_id=channel_id, message_id=message_id, emoji=emoji)
        await self.request(target, **options)

    async def trigger_typing(self, channel_id: int, **options: Unpack[Options]) -> None:
        """Show "is typing" for about ten seconds."""
        await self.request(routes.TRIGGER_TYPING.at(channel_id=channel_id), **options)
