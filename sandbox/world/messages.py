"""What happens to messages. Nothing here asks for permission: REST and the admin API do that before they
call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.world import mentions
from sandbox.world.models import MESSAGE_FLAG_HAS_THREAD, AuditEntry, Message, Reaction
from sandbox.world.payloads import member_payload, message_event, message_payload, user_payload
from sandbox.world.snowflakes import created_ms, iso
from sandbox.world.state import Unknown, WorldState

MESSAGE_DELETE, MESSAGE_BULK_DELETE, MESSAGE_PIN, MESSAGE_UNPIN = 72, 73, 74, 75
AUDIT_MERGE_MS = 5 * 60_000
"""Deletions by one person of one author's messages in one channel share an entry for this long (our choice:
the length is not documented, the `count` option is)."""

Json = dict[str, Any]


class MessageActions(WorldState):
    """Post, edit, delete, pin, react."""

    def post_message(
        self,
        channel_id: int,
        author_id: int,
        content: str = "",
        *,
        embeds: Sequence[Json] = (),
        components: Sequence[Json] = (),
        attachments: Sequence[Json] = (),
        flags: int = 0,
        type: int = 0,  # noqa: A002 - Discord's own field name
        tts: bool = False,
        nonce: str | int | None = None,
        reference: Json | None = None,
        snapshots: Sequence[Json] = (),
        allowed_mentions: Json | None = None,
        webhook_id: int | None = None,
        application_id: int | None = None,
        interaction_metadata: Json | None = None,
        poll: Json | None = None,
        sticker_ids: Sequence[int] = (),
        ephemeral_for: int | None = None,
    ) -> Message:
        """Put a message into a channel and dispatch MESSAGE_CREATE.

        `reference` is a full message_reference; its message, when known, makes this a reply (type 19) unless
        it is a forward. An ephemeral message (`ephemeral_for`) is dispatched without a guild and stays out of
        the history.
        """
        channel = self.channel(channel_id)
        replied = self._replied_message(reference)
        if replied is not None and type == 0:
            type = 19  # noqa: A001 - the message's type
        text = mentions.text_of(content, list(components))
        pinged = mentions.resolve(
            self,
            channel,
            author_id,
            text,
            allowed_mentions,
            replied_to=replied.author_id if replied else None,
        )
        message = Message(
            id=self.ids.next(),
            channel_id=channel_id,
            author_id=author_id,
            content=content,
            guild_id=channel.guild_id,
            type=type,
            flags=flags,
            tts=tts,
            mention_everyone=pinged.everyone,
            mentions=pinged.users,
            mention_roles=pinged.roles,
            embeds=list(embeds),
            components=list(components),
            attachments=list(attachments),
            reference=reference,
            snapshots=list(snapshots),
            nonce=nonce,
            webhook_id=webhook_id,
            application_id=application_id,
            interaction_metadata=interaction_metadata,
            poll=poll,
            sticker_ids=list(sticker_ids),
            ephemeral_for=ephemeral_for,
        )
        self.save_message(message)
        if ephemeral_for is None:
            channel.last_message_id = message.id
            channel.message_count += 1
            self.save_channel(channel)
        self._emit_message("MESSAGE_CREATE", message)
        return message

    def _replied_message(self, reference: Json | None) -> Message | None:
        if reference is None or reference.get("type", 0) != 0:
            return None
        return self.messages.get(int(reference["channel_id"]), {}).get(int(reference["message_id"]))

    def _emit_message(self, event: str, message: Message) -> None:
        guild_id = None if message.ephemeral_for is not None else message.guild_id
        self.emit(event, message_event(self, message), guild_id)

    def edit_message(
        self,
        channel_id: int,
        message_id: int,
        *,
        content: str | None = None,
        embeds: Sequence[Json] | None = None,
        components: Sequence[Json] | None = None,
        attachments: Sequence[Json] | None = None,
        flags: int | None = None,
        poll: Json | None = None,
        allowed_mentions: Json | None = None,
        by_author: bool = True,
    ) -> Message:
        """Change what is given, keep the rest, dispatch MESSAGE_UPDATE.

        `by_author` false (suppressed embeds, a finished deferral) leaves `edited_timestamp` as it was.
        """
        message = self.message(channel_id, message_id)
        if content is not None:
            message.content = content
        if embeds is not None:
            message.embeds = list(embeds)
        if components is not None:
            message.components = list(components)
        if attachments is not None:
            message.attachments = list(attachments)
        if flags is not None:
            message.flags = flags
        if poll is not None:
            message.poll = poll
        text = mentions.text_of(message.content, message.components)
        pinged = mentions.resolve(self, self.channel(channel_id), message.author_id, text, allowed_mentions)
        message.mentions, message.mention_roles = pinged.users, pinged.roles
        message.mention_everyone = pinged.everyone
        if by_author:
            message.edited_ms = self.clock()
        self.save_message(message)
        self._emit_message("MESSAGE_UPDATE", message)
        return message

    def delete_message(
        self, channel_id: int, message_id: int, *, actor: int | None = None, reason: str | None = None
    ) -> None:
        """Delete a message, dispatch MESSAGE_DELETE. `actor` None, or the author, leaves no audit entry."""
        message = self.message(channel_id, message_id)
        self.drop_message(message)
        data: Json = {"id": str(message_id), "channel_id": str(channel_id)}
        guild_id = None if message.ephemeral_for is not None else message.guild_id
        if guild_id is not None:
            data["guild_id"] = str(guild_id)
        self.emit("MESSAGE_DELETE", data, guild_id)
        if guild_id is not None and actor is not None and actor != message.author_id:
            self._audit_deletion(guild_id, channel_id, actor, message.author_id, reason)

    def _audit_deletion(
        self, guild_id: int, channel_id: int, actor: int, author: int, reason: str | None
    ) -> None:
        last = next(reversed(self.guild(guild_id).audit), None)
        if last is not None and self._merges(last, channel_id, actor, author, reason):
            assert last.options is not None
            last.options = {**last.options, "count": str(int(last.options["count"]) + 1)}
            self.touch("audit", last, last.id)
            return
        options = {"channel_id": str(channel_id), "count": "1"}
        self.audit(guild_id, MESSAGE_DELETE, actor, author, reason=reason, options=options)

    def _merges(
        self, entry: AuditEntry, channel_id: int, actor: int, author: int, reason: str | None
    ) -> bool:
        same = (entry.action_type, entry.user_id, entry.target_id, entry.reason) == (
            MESSAGE_DELETE,
            actor,
            author,
            reason,
        )
        fresh = created_ms(entry.id) > self.clock() - AUDIT_MERGE_MS
        return (
            same and fresh and bool(entry.options) and (entry.options or {})["channel_id"] == str(channel_id)
        )

    def bulk_delete_messages(
        self,
        channel_id: int,
        message_ids: Iterable[int],
        *,
        actor: int | None = None,
        reason: str | None = None,
    ) -> list[int]:
        """Delete those that exist, dispatch one MESSAGE_DELETE_BULK; returns the ids that were deleted."""
        channel = self.channel(channel_id)
        history = self.messages.get(channel_id, {})
        found = [history[m] for m in message_ids if m in history]
        for message in found:
            self.drop_message(message)
        if not found:
            return []
        data: Json = {"ids": [str(m.id) for m in found], "channel_id": str(channel_id)}
        if channel.guild_id is not None:
            data["guild_id"] = str(channel.guild_id)
        self.emit("MESSAGE_DELETE_BULK", data, channel.guild_id)
        if channel.guild_id is not None and actor is not None:
            options = {"count": str(len(found))}
            self.audit(
                channel.guild_id, MESSAGE_BULK_DELETE, actor, channel_id, reason=reason, options=options
            )
        return [message.id for message in found]

    def pin_message(
        self, channel_id: int, message_id: int, *, pinned: bool, actor: int, reason: str | None = None
    ) -> None:
        """Pin or unpin; dispatches MESSAGE_UPDATE and CHANNEL_PINS_UPDATE, and a system message (type 6) for
        a pin.
        """
        message = self.message(channel_id, message_id)
        if message.pinned == pinned:
            return
        message.pinned = pinned
        self.save_message(message)
        self._emit_message("MESSAGE_UPDATE", message)
        channel = self.channel(channel_id)
        if pinned:
            channel.last_pin_ms = self.clock()
            self.save_channel(channel)
        data: Json = {"channel_id": str(channel_id)}
        if channel.last_pin_ms is not None:
            data["last_pin_timestamp"] = iso(channel.last_pin_ms)
        if channel.guild_id is not None:
            data["guild_id"] = str(channel.guild_id)
        self.emit("CHANNEL_PINS_UPDATE", data, channel.guild_id)
        if channel.guild_id is not None:
            options = {"channel_id": str(channel_id), "message_id": str(message_id)}
            action = MESSAGE_PIN if pinned else MESSAGE_UNPIN
            self.audit(channel.guild_id, action, actor, message.author_id, reason=reason, options=options)
        if pinned:
            self.post_message(channel_id, actor, type=6, reference=self.reference_to(message))

    def reference_to(self, message: Message) -> Json:
        """Return the message_reference that an answer to this message carries."""
        reference: Json = {"type": 0, "channel_id": str(message.channel_id), "message_id": str(message.id)}
        if message.guild_id is not None:
            reference["guild_id"] = str(message.guild_id)
        return reference

    def add_reaction(self, channel_id: int, message_id: int, user_id: int, emoji: str) -> None:
        """React; dispatches MESSAGE_REACTION_ADD once per user and emoji."""
        message = self.message(channel_id, message_id)
        reaction = next((r for r in message.reactions if r.emoji == emoji), None)
        if reaction is None:
            reaction = Reaction(emoji)
            message.reactions.append(reaction)
        if user_id in reaction.user_ids:
            return
        reaction.user_ids.append(user_id)
        self.save_message(message)
        data = self._reaction_event(message, user_id, emoji) | {"message_author_id": str(message.author_id)}
        guild = self.guilds.get(message.guild_id) if message.guild_id is not None else None
        if guild is not None and user_id in guild.members:
            data["member"] = member_payload(self, guild.members[user_id])
        self.emit("MESSAGE_REACTION_ADD", data, message.guild_id)

    def remove_reaction(self, channel_id: int, message_id: int, user_id: int, emoji: str) -> None:
        """Take a reaction back; dispatches MESSAGE_REACTION_REMOVE when there was one."""
        message = self.message(channel_id, message_id)
        reaction = next((r for r in message.reactions if r.emoji == emoji), None)
        if reaction is None or user_id not in reaction.user_ids:
            return
        reaction.user_ids.remove(user_id)
        if not reaction.user_ids:
            message.reactions.remove(reaction)
        self.save_message(message)
        self.emit("MESSAGE_REACTION_REMOVE", self._reaction_event(message, user_id, emoji), message.guild_id)

    def _reaction_event(self, message: Message, user_id: int, emoji: str) -> Json:
        name, _, emoji_id = emoji.partition(":")
        data: Json = {
            "user_id": str(user_id),
            "channel_id": str(message.channel_id),
            "message_id": str(message.id),
            "emoji": {"id": emoji_id or None, "name": name},
            "burst": False,
            "type": 0,
        }
        if message.guild_id is not None:
            data["guild_id"] = str(message.guild_id)
        return data

    def start_typing(self, channel_id: int, user_id: int) -> None:
        """Dispatch TYPING_START."""
        channel = self.channel(channel_id)
        data: Json = {
            "channel_id": str(channel_id),
            "user_id": str(user_id),
            "timestamp": self.clock() // 1000,
        }
        if channel.guild_id is not None:
            data["guild_id"] = str(channel.guild_id)
            member = self.guilds[channel.guild_id].members.get(user_id)
            if member is not None:
                data["member"] = member_payload(self, member)
        self.emit("TYPING_START", data, channel.guild_id)

    def forward_snapshot(self, message: Message) -> Json:
        """Return the message_snapshots entry of a forward: the text without its author (contract section
        5.6).
        """
        kept = (
            "type",
            "content",
            "embeds",
            "attachments",
            "timestamp",
            "edited_timestamp",
            "flags",
            "components",
        )
        full = message_payload(self, message, deep=False)
        mentioned = [user_payload(self.users[u]) for u in message.mentions if u in self.users]
        body = {key: full[key] for key in kept} | {
            "mentions": mentioned,
            "mention_roles": full["mention_roles"],
        }
        return {"message": body}

    def mark_thread(self, message: Message, thread_id: int) -> None:
        """Note on a message that a thread hangs on it, and dispatch MESSAGE_UPDATE."""
        message.thread_id = thread_id
        message.flags |= MESSAGE_FLAG_HAS_THREAD
        self.save_message(message)
        self._emit_message("MESSAGE_UPDATE", message)

    def purge_recent(self, guild_id: int, author_id: int, seconds: int) -> int:
        """Delete an author's messages of the last `seconds` in every channel of a guild; returns how many."""
        since = self.clock() - seconds * 1000
        total = 0
        for channel_id in list(self.guild(guild_id).channel_ids):
            mine = [
                m.id
                for m in self.messages.get(channel_id, {}).values()
                if m.author_id == author_id and created_ms(m.id) >= since
            ]
            total += len(self.bulk_delete_messages(channel_id, mine))
        return total

    def find_message(self, message_id: int) -> Message:
        """Return a message by its id alone."""
        for history in self.messages.values():
            if message_id in history:
                return history[message_id]
        if message_id in self.ephemeral:
            return self.ephemeral[message_id]
        raise Unknown("message", message_id)
