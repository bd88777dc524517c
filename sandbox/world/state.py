"""The state itself: tables by id, the clock, the listeners, and the list of what has changed since it was
last saved.

The action classes of this package build on `WorldState`; `World` joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from sandbox.world.models import Application, AuditEntry, Channel, Command, Guild, Member, Message, User
from sandbox.world.permissions import NONE, Permission, channel_permissions, guild_permissions
from sandbox.world.snowflakes import Snowflakes, wall_clock_ms

Listener = Callable[[str, dict[str, Any], int | None], None]
"""Called with (event name, data as Discord would dispatch it, guild id or None for direct messages)."""

MESSAGES_KEPT = 20_000
"""Messages that a channel remembers; the oldest go first. Far above what a person or a test looks at."""

AUDIT_KEPT = 5_000
"""Audit entries that a guild remembers."""


class Unknown(LookupError):
    """Something was named that does not exist: `kind` is channel, guild, member, message, role, user, ban or
    command.
    """

    def __init__(self, kind: str, *ids: int) -> None:
        super().__init__(f"unknown {kind} {'/'.join(map(str, ids))}")
        self.kind = kind


class WorldState:
    """Tables and lookups. Look-ups raise `Unknown`."""

    def __init__(self, application: Application, *, clock: Callable[[], int] = wall_clock_ms) -> None:
        self.application = application
        self.clock = clock
        self.ids = Snowflakes(clock)
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, dict[int, Message]] = {}
        self.commands: dict[int, Command] = {}
        self.command_creates: dict[str, list[int]] = {}
        self.ephemeral: dict[int, Message] = {}
        self.changed: dict[tuple[str, Hashable], Any] = {}
        self._listeners: list[Listener] = []

    # -- events

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every event from now on, in order; returns what ends the subscription."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def emit(self, event: str, data: dict[str, Any], guild_id: int | None) -> None:
        """Tell every listener. Data belongs to the listeners afterwards: nobody changes it."""
        for listener in tuple(self._listeners):
            listener(event, data, guild_id)

    # -- change tracking, read by the store

    def touch(self, kind: str, record: Any, *key: Hashable) -> None:
        """Note that a record is new or changed."""
        self.changed[kind, key if len(key) > 1 else key[0]] = record

    def forget(self, kind: str, *key: Hashable) -> None:
        """Note that a record is gone."""
        self.changed[kind, key if len(key) > 1 else key[0]] = None

    def save_user(self, user: User) -> None:
        """Put a user in its table and on the list of changes."""
        self.users[user.id] = user
        self.touch("user", user, user.id)

    def save_guild(self, guild: Guild) -> None:
        """Put a guild in its table and on the list of changes."""
        self.guilds[guild.id] = guild
        self.touch("guild", guild, guild.id)

    def save_channel(self, channel: Channel) -> None:
        """Put a channel in its table and on the list of changes."""
        self.channels[channel.id] = channel
        self.touch("channel", channel, channel.id)

    def save_message(self, message: Message) -> None:
        """Put a message in its table and on the list of changes; ephemeral ones stand apart, unsaved."""
        if message.ephemeral_for is not None:
            self.ephemeral[message.id] = message
            return
        history = self.messages.setdefault(message.channel_id, {})
        history[message.id] = message
        self.touch("message", message, message.id)
        if len(history) > MESSAGES_KEPT:
            oldest = next(iter(history))
            del history[oldest]
            self.forget("message", oldest)

    def drop_message(self, message: Message) -> None:
        """Take a message out of its table."""
        if message.ephemeral_for is not None:
            self.ephemeral.pop(message.id, None)
            return
        self.messages.get(message.channel_id, {}).pop(message.id, None)
        self.forget("message", message.id)

    def save_application(self) -> None:
        """Note that the application has changed."""
        self.touch("application", self.application, self.application.id)

    # -- look-ups

    @property
    def bot_id(self) -> int:
        """The user id of the application's bot."""
        return self.application.bot_id

    def user(self, user_id: int) -> User:
        """Return the user."""
        try:
            return self.users[user_id]
        except KeyError:
            raise Unknown("user", user_id) from None

    def guild(self, guild_id: int) -> Guild:
        """Return the guild."""
        try:
            return self.guilds[guild_id]
        except KeyError:
            raise Unknown("guild", guild_id) from None

    def channel(self, channel_id: int) -> Channel:
        """Return the channel, thread or direct message."""
        try:
            return self.channels[channel_id]
        except KeyError:
            raise Unknown("channel", channel_id) from None

    def member(self, guild_id: int, user_id: int) -> Member:
        """Return the member of that guild."""
        try:
            return self.guild(guild_id).members[user_id]
        except KeyError:
            raise Unknown("member", guild_id, user_id) from None

    def message(self, channel_id: int, message_id: int) -> Message:
        """Return the message, ephemeral ones included."""
        found = self.messages.get(channel_id, {}).get(message_id) or self.ephemeral.get(message_id)
        if found is None or found.channel_id != channel_id:
            raise Unknown("message", channel_id, message_id)
        return found

    def history(self, channel_id: int) -> list[Message]:
        """Return a channel's messages, oldest first; no ephemeral ones."""
        return list(self.messages.get(channel_id, {}).values())

    def guild_channels(self, guild_id: int) -> list[Channel]:
        """Return a guild's channels without its threads, in the order in which people see them."""
        found = [self.channels[c] for c in self.guild(guild_id).channel_ids]
        return sorted((c for c in found if not c.is_thread), key=lambda c: (c.position, c.id))

    def guild_threads(self, guild_id: int) -> list[Channel]:
        """Return a guild's threads that are not archived."""
        found = [self.channels[c] for c in self.guild(guild_id).channel_ids]
        return [c for c in found if c.is_thread and c.thread is not None and not c.thread.archived]

    def bot_guilds(self) -> list[Guild]:
        """Return the guilds that the bot is in."""
        return [guild for guild in self.guilds.values() if self.bot_id in guild.members]

    # -- permissions

    def permissions_in(self, channel: Channel, user_id: int) -> Permission:
        """Return what the user may do in the channel; nothing for strangers."""
        if channel.guild_id is None:
            return DM_PERMISSIONS if user_id in channel.recipients else NONE
        guild = self.guilds[channel.guild_id]
        member = guild.members.get(user_id)
        if member is None:
            return NONE
        parent = self.channels.get(channel.parent_id) if channel.is_thread and channel.parent_id else None
        return channel_permissions(guild, channel, member, self.clock(), parent=parent)

    def guild_permissions_of(self, guild_id: int, user_id: int) -> Permission:
        """Return the member's guild-level permissions; nothing for strangers."""
        guild = self.guild(guild_id)
        member = guild.members.get(user_id)
        return NONE if member is None else guild_permissions(guild, member)

    def can_view(self, channel_id: int, user_id: int) -> bool:
        """Whether the user sees the channel; a private thread only as its member or with MANAGE_THREADS."""
        channel = self.channels.get(channel_id)
        if channel is None:
            return False
        granted = self.permissions_in(channel, user_id)
        if not granted & Permission.VIEW_CHANNEL:
            return False
        if channel.type == 12 and channel.thread is not None:
            return user_id in channel.thread.member_ids or bool(granted & Permission.MANAGE_THREADS)
        return True

    # -- audit log

    def audit(
        self,
        guild_id: int,
        action_type: int,
        actor: int | None,
        target: int | None,
        *,
        reason: str | None = None,
        changes: list[dict[str, Any]] | None = None,
        options: dict[str, Any] | None = None,
    ) -> AuditEntry:
        """Write an entry and dispatch GUILD_AUDIT_LOG_ENTRY_CREATE."""
        guild = self.guild(guild_id)
        entry = AuditEntry(
            self.ids.next(), guild_id, action_type, actor, target, reason, changes or [], options
        )
        guild.audit.append(entry)
        self.touch("audit", entry, entry.id)
        while len(guild.audit) > AUDIT_KEPT:
            self.forget("audit", guild.audit.pop(0).id)
        self.emit(
            "GUILD_AUDIT_LOG_ENTRY_CREATE", {**audit_payload(entry), "guild_id": str(guild_id)}, guild_id
        )
        return entry


DM_PERMISSIONS = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.MENTION_EVERYONE
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.ADD_REACTIONS
    | Permission.PIN_MESSAGES
    | Permission.SEND_POLLS
    | Permission.SEND_VOICE_MESSAGES
)
"""What both people may do in a direct message."""


def audit_payload(entry: AuditEntry) -> dict[str, Any]:
    """Return an audit-log entry as Discord's JSON."""
    payload: dict[str, Any] = {
        "id": str(entry.id),
        "user_id": None if entry.user_id is None else str(entry.user_id),
        "target_id": None if entry.target_id is None else str(entry.target_id),
        "action_type": entry.action_type,
    }
    if entry.changes:
        payload["changes"] = entry.changes
    if entry.options:
        payload["options"] = entry.options
    if entry.reason:
        payload["reason"] = entry.reason
    return payload
