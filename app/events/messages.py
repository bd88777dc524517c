"""Messages posted, changed and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from app.events.envelope import Envelope
from app.events.event import GUILD_MESSAGES, MESSAGE_CONTENT, PARSE_ERRORS, ids, malformed, milliseconds
from app.events.message import Message, message_of
from app.snowflake import ChannelId, GuildId, MessageId


@dataclass(frozen=True, slots=True)
class MessageCreated:
    """A message was posted (MESSAGE_CREATE)."""

    GATEWAY_EVENT: ClassVar[str] = "MESSAGE_CREATE"
    INTENTS: ClassVar[int] = GUILD_MESSAGES | MESSAGE_CONTENT

    envelope: Envelope
    message: Message

    @property
    def key(self) -> str:
        """The message: it is posted once."""
        return f"MESSAGE_CREATE:{self.message.id}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent, also when the author is missing."""
        try:
            data = envelope.json()
            data["author"]["id"]
            return cls(envelope, message_of(data))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class MessageUpdated:
    """A message was edited, or its embeds unfurled, or it was pinned (MESSAGE_UPDATE).

    Documented as a full message; `message.partial` tells when it was not (contract section 5.6).
    """

    GATEWAY_EVENT: ClassVar[str] = "MESSAGE_UPDATE"
    INTENTS: ClassVar[int] = GUILD_MESSAGES | MESSAGE_CONTENT

    envelope: Envelope
    message: Message

    @property
    def key(self) -> str:
        """The message, the edit and the number of embeds: a link that unfurls adds text without an edit."""
        message = self.message
        return f"MESSAGE_UPDATE:{message.id}:{milliseconds(message.edited_at)}:{len(message.embeds)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            return cls(envelope, message_of(envelope.json()))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A message was deleted, by whom is not told (MESSAGE_DELETE). `guild_id` is 0 in direct messages."""

    GATEWAY_EVENT: ClassVar[str] = "MESSAGE_DELETE"
    INTENTS: ClassVar[int] = GUILD_MESSAGES

    envelope: Envelope
    guild_id: GuildId
    channel_id: ChannelId
    message_id: MessageId

    @property
    def key(self) -> str:
        """The message: it is deleted once."""
        return f"MESSAGE_DELETE:{self.message_id}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            return cls(
                envelope,
                GuildId(int(data.get("guild_id") or 0)),
                ChannelId(int(data["channel_id"])),
                MessageId(int(data["id"])),
            )
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class MessagesBulkDeleted:
    """Several messages of a channel were deleted at once (MESSAGE_DELETE_BULK)."""

    GATEWAY_EVENT: ClassVar[str] = "MESSAGE_DELETE_BULK"
    INTENTS: ClassVar[int] = GUILD_MESSAGES

    envelope: Envelope
    guild_id: GuildId
    channel_id: ChannelId
    message_ids: tuple[MessageId, ...]

    @property
    def key(self) -> str:
        """First and last message and their number: a message is deleted once."""
        found = self.message_ids
        return f"MESSAGE_DELETE_BULK:{self.channel_id}:{min(found)}:{max(found)}:{len(found)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self | None:
        """Read the envelope; None when it lists no message. Raises MalformedEvent."""
        try:
            data = envelope.json()
            found = tuple(map(MessageId, ids(data["ids"])))
            if not found:
                return None
            return cls(
                envelope, GuildId(int(data.get("guild_id") or 0)), ChannelId(int(data["channel_id"])), found
            )
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None
