"""What happens to channels, their overwrites, threads and direct messages."""

from __future__ import annotations

from typing import Any

from sandbox.world.members import MemberActions
from sandbox.world.models import Channel, ChannelType, Overwrite, ThreadState
from sandbox.world.payloads import channel_payload, thread_member_payload
from sandbox.world.state import Unknown

CHANNEL_CREATE, CHANNEL_UPDATE, CHANNEL_DELETE = 10, 11, 12
OVERWRITE_CREATE, OVERWRITE_UPDATE, OVERWRITE_DELETE = 13, 14, 15
THREAD_CREATE, THREAD_UPDATE, THREAD_DELETE = 110, 111, 112
THREAD_CREATED_MESSAGE = 18

Json = dict[str, Any]


class ChannelActions(MemberActions):
    """Create, edit and delete channels and threads; open direct messages."""

    def create_channel(
        self,
        guild_id: int,
        name: str,
        *,
        type: int = ChannelType.TEXT,  # noqa: A002 - Discord's own field name
        actor: int | None = None,
        reason: str | None = None,
        channel_id: int | None = None,
        **fields: Any,
    ) -> Channel:
        """Make a channel at the end of the list; `fields` are further fields of `Channel`."""
        guild = self.guild(guild_id)
        fields.setdefault("position", len([c for c in guild.channel_ids if not self.channels[c].is_thread]))
        channel = Channel(channel_id or self.ids.next(), int(type), guild_id, name, **fields)
        guild.channel_ids.append(channel.id)
        self.save_channel(channel)
        self.emit("CHANNEL_CREATE", channel_payload(self, channel), guild_id)
        changes: list[Json] = [{"key": "name", "new_value": name}, {"key": "type", "new_value": channel.type}]
        self.audit(guild_id, CHANNEL_CREATE, actor, channel.id, reason=reason, changes=changes)
        return channel

    def edit_channel(
        self, channel_id: int, *, actor: int | None = None, reason: str | None = None, **fields: Any
    ) -> Channel:
        """Change the given fields of `Channel` (for a thread also those of `ThreadState`)."""
        channel = self.channel(channel_id)
        changes: list[Json] = []
        for name, value in fields.items():
            holder = channel if hasattr(channel, name) else channel.thread
            if holder is None or not hasattr(holder, name):
                raise AttributeError(f"a channel has no field {name}")
            old = getattr(holder, name)
            if old != value:
                setattr(holder, name, value)
                if name != "overwrites":
                    changes.append({"key": name, "old_value": old, "new_value": value})
        if channel.thread is not None and "archived" in fields:
            channel.thread.archive_changed_ms = self.clock()
        self.save_channel(channel)
        is_thread = channel.thread is not None
        event = "THREAD_UPDATE" if is_thread else "CHANNEL_UPDATE"
        self.emit(event, channel_payload(self, channel), channel.guild_id)
        if changes and channel.guild_id is not None:
            action = THREAD_UPDATE if is_thread else CHANNEL_UPDATE
            self.audit(channel.guild_id, action, actor, channel_id, reason=reason, changes=changes)
        return channel

    def delete_channel(self, channel_id: int, *, actor: int | None = None, reason: str | None = None) -> Json:
        """Delete a channel with its messages and threads; returns its last payload."""
        channel = self.channel(channel_id)
        payload = channel_payload(self, channel)
        if channel.guild_id is None:
            raise Unknown("channel", channel_id)
        guild = self.guild(channel.guild_id)
        for thread in [self.channels[c] for c in guild.channel_ids]:
            if thread.is_thread and thread.parent_id == channel_id:
                self._drop_channel(thread)
        for child in [self.channels[c] for c in guild.channel_ids]:
            if child.parent_id == channel_id:
                self.edit_channel(child.id, actor=actor, parent_id=None)
        self._drop_channel(channel)
        if channel.is_thread:
            kept = ("id", "guild_id", "parent_id", "type")
            self.emit("THREAD_DELETE", {key: payload[key] for key in kept}, guild.id)
        else:
            self.emit("CHANNEL_DELETE", payload, guild.id)
        action = THREAD_DELETE if channel.is_thread else CHANNEL_DELETE
        changes: list[Json] = [
            {"key": "name", "old_value": channel.name},
            {"key": "type", "old_value": channel.type},
        ]
        self.audit(guild.id, action, actor, channel_id, reason=reason, changes=changes)
        return payload

    def _drop_channel(self, channel: Channel) -> None:
        for message_id in self.messages.pop(channel.id, {}):
            self.forget("message", message_id)
        del self.channels[channel.id]
        self.forget("channel", channel.id)
        if channel.guild_id is not None:
            self.guilds[channel.guild_id].channel_ids.remove(channel.id)

    def set_overwrite(
        self, channel_id: int, overwrite: Overwrite, *, actor: int | None = None, reason: str | None = None
    ) -> None:
        """Replace or add the exception for one role or member."""
        channel = self.channel(channel_id)
        existed = any(o.id == overwrite.id for o in channel.overwrites)
        kept = [o for o in channel.overwrites if o.id != overwrite.id]
        self._change_overwrites(
            channel,
            [*kept, overwrite],
            OVERWRITE_UPDATE if existed else OVERWRITE_CREATE,
            overwrite,
            actor,
            reason,
        )

    def delete_overwrite(
        self, channel_id: int, target_id: int, *, actor: int | None = None, reason: str | None = None
    ) -> None:
        """Remove the exception for one role or member, if there is one."""
        channel = self.channel(channel_id)
        gone = next((o for o in channel.overwrites if o.id == target_id), None)
        if gone is not None:
            kept = [o for o in channel.overwrites if o.id != target_id]
            self._change_overwrites(channel, kept, OVERWRITE_DELETE, gone, actor, reason)

    def _change_overwrites(
        self,
        channel: Channel,
        overwrites: list[Overwrite],
        action: int,
        about: Overwrite,
        actor: int | None,
        reason: str | None,
    ) -> None:
        channel.overwrites = overwrites
        self.save_channel(channel)
        self.emit("CHANNEL_UPDATE", channel_payload(self, channel), channel.guild_id)
        if channel.guild_id is not None:
            options: Json = {"id": str(about.id), "type": str(about.type)}
            role = self.guilds[channel.guild_id].roles.get(about.id)
            if role is not None:
                options["role_name"] = role.name
            changes = [
                {"key": "allow", "new_value": str(about.allow)},
                {"key": "deny", "new_value": str(about.deny)},
            ]
            self.audit(
                channel.guild_id, action, actor, channel.id, reason=reason, changes=changes, options=options
            )

    def create_thread(
        self,
        channel_id: int,
        name: str,
        owner_id: int,
        *,
        type: int = ChannelType.PUBLIC_THREAD,  # noqa: A002 - Discord's own field name
        message_id: int | None = None,
        auto_archive_minutes: int = 4320,
        rate_limit_per_user: int = 0,
        reason: str | None = None,
    ) -> Channel:
        """Start a thread, on a message (the thread then has its id) or beside the channel's messages."""
        parent = self.channel(channel_id)
        if parent.guild_id is None:
            raise Unknown("channel", channel_id)
        message = self.message(channel_id, message_id) if message_id is not None else None
        state = ThreadState(
            owner_id, self.clock(), auto_archive_minutes=auto_archive_minutes, member_ids=[owner_id]
        )
        thread = Channel(
            message.id if message is not None else self.ids.next(),
            int(type),
            parent.guild_id,
            name,
            parent_id=channel_id,
            rate_limit_per_user=rate_limit_per_user,
            thread=state,
        )
        self.guild(parent.guild_id).channel_ids.append(thread.id)
        self.save_channel(thread)
        data = channel_payload(self, thread) | {"newly_created": True}
        self.emit("THREAD_CREATE", data, parent.guild_id)
        changes: list[Json] = [{"key": "name", "new_value": name}, {"key": "type", "new_value": thread.type}]
        self.audit(parent.guild_id, THREAD_CREATE, owner_id, thread.id, reason=reason, changes=changes)
        if message is not None:
            self.mark_thread(message, thread.id)
        elif thread.type != ChannelType.PRIVATE_THREAD:
            reference = {"type": 0, "channel_id": str(thread.id), "guild_id": str(parent.guild_id)}
            self.post_message(
                channel_id,
                owner_id,
                name,
                type=THREAD_CREATED_MESSAGE,
                reference=reference | {"message_id": str(thread.id)},
            )
        return thread

    def add_thread_member(self, thread_id: int, user_id: int) -> None:
        """Add somebody to a thread; dispatches THREAD_MEMBERS_UPDATE."""
        self._change_thread_members(thread_id, user_id, present=True)

    def remove_thread_member(self, thread_id: int, user_id: int) -> None:
        """Take somebody out of a thread; dispatches THREAD_MEMBERS_UPDATE."""
        self._change_thread_members(thread_id, user_id, present=False)

    def _change_thread_members(self, thread_id: int, user_id: int, *, present: bool) -> None:
        thread = self.channel(thread_id)
        if thread.thread is None or thread.guild_id is None:
            raise Unknown("channel", thread_id)
        ids = thread.thread.member_ids
        if (user_id in ids) == present:
            return
        if present:
            ids.append(user_id)
        else:
            ids.remove(user_id)
        self.save_channel(thread)
        data: Json = {"id": str(thread_id), "guild_id": str(thread.guild_id), "member_count": len(ids)}
        if present:
            data["added_members"] = [thread_member_payload(thread, user_id)]
        else:
            data["removed_member_ids"] = [str(user_id)]
        self.emit("THREAD_MEMBERS_UPDATE", data, thread.guild_id)

    def open_dm(self, one: int, other: int) -> Channel:
        """Return the direct-message channel of two users, made when there is none. No event: bots get none
        either.
        """
        self.user(one)
        self.user(other)
        for channel in self.channels.values():
            if channel.type == ChannelType.DM and set(channel.recipients) == {one, other}:
                return channel
        channel = Channel(self.ids.next(), ChannelType.DM, recipients=[one, other])
        self.save_channel(channel)
        return channel

    def dms_of(self, user_id: int) -> list[Channel]:
        """Return the direct messages that the user takes part in."""
        return [c for c in self.channels.values() if c.type == ChannelType.DM and user_id in c.recipients]
