"""A message as the gateway sends it: everything in it that a person can read, and who wrote it.

Text hides in more places than `content` (contract section 5.6): embeds, forwarded snapshots, Text Displays in
components, polls, file names and descriptions, sticker names, the name of a thread that was started on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.events.event import ids, instant, objects, optional_id, text
from app.events.people import MemberFacts, User, member_of, user_of
from app.snowflake import ChannelId, GuildId, MessageId, RoleId, UserId

FLAG_EPHEMERAL = 1 << 6
FLAG_COMPONENTS_V2 = 1 << 15
UNDELETABLE_TYPES = frozenset({1, 2, 3, 4, 5, 21})
"""Message types that Discord refuses to delete (contract section 5.6)."""
FORWARD = 1
"""`message_reference.type` of a forward."""


@dataclass(frozen=True, slots=True)
class EmbedFacts:
    """The readable parts of an embed."""

    type: str
    title: str
    description: str
    url: str
    author: str
    footer: str
    fields: tuple[tuple[str, str], ...]

    def texts(self) -> Iterator[str]:
        """Yield every non-empty text of the embed."""
        for part in (self.title, self.description, self.url, self.author, self.footer):
            if part:
                yield part
        for name, value in self.fields:
            if name:
                yield name
            if value:
                yield value


@dataclass(frozen=True, slots=True)
class AttachmentFacts:
    """A file; its URL is signed and expires (contract section 4.6). `size` in bytes."""

    id: int
    filename: str
    title: str
    description: str
    content_type: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """A forwarded message: no author (contract section 5.6)."""

    content: str
    embeds: tuple[EmbedFacts, ...]
    attachments: tuple[AttachmentFacts, ...]
    text_displays: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PollFacts:
    """The words of a poll."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reply or forward points at; `type` 0 reply, 1 forward."""

    type: int
    message_id: MessageId | None
    channel_id: ChannelId | None
    guild_id: GuildId | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `guild_id` is 0 in direct messages."""

    id: MessageId
    channel_id: ChannelId
    guild_id: GuildId
    author: User | None
    """None only in a partial update: fetch the message to learn it."""
    member: MemberFacts | None
    """None for webhooks, direct messages and some updates."""
    webhook_id: int | None
    application_id: int | None
    type: int
    flags: int
    content: str
    timestamp: datetime | None
    edited_at: datetime | None
    """None: never edited by its author. An embed that unfurls later leaves it as it was."""
    embeds: tuple[EmbedFacts, ...]
    attachments: tuple[AttachmentFacts, ...]
    text_displays: tuple[str, ...]
    snapshots: tuple[SnapshotFacts, ...]
    poll: PollFacts | None
    stickers: tuple[str, ...]
    mentions: tuple[UserId, ...]
    mention_roles: tuple[RoleId, ...]
    mention_everyone: bool
    reference: Reference | None
    thread_name: str
    partial: bool
    """True when an update carried no author or no content: what is empty here may be filled in reality."""

    @property
    def by_person(self) -> bool:
        """Written by a user account: no bot, webhook, application or system notice."""
        return (
            self.author is not None
            and not self.author.bot
            and not self.author.system
            and self.webhook_id is None
        )

    @property
    def deletable(self) -> bool:
        """Discord lets it be deleted: not one of the fixed system notices, not ephemeral."""
        return self.type not in UNDELETABLE_TYPES and not self.flags & FLAG_EPHEMERAL

    def texts(self) -> Iterator[str]:
        """Yield every non-empty text that a reader of the channel sees."""
        if self.content:
            yield self.content
        yield from self.text_displays
        for embed in self.embeds:
            yield from embed.texts()
        for snapshot in self.snapshots:
            if snapshot.content:
                yield snapshot.content
            yield from snapshot.text_displays
            for embed in snapshot.embeds:
                yield from embed.texts()
            yield from _file_texts(snapshot.attachments)
        if self.poll is not None:
            if self.poll.question:
                yield self.poll.question
            yield from self.poll.answers
        yield from _file_texts(self.attachments)
        yield from self.stickers
        if self.thread_name:
            yield self.thread_name


def message_of(data: Mapping[str, Any]) -> Message:
    """Read a message object. Raises KeyError, TypeError or ValueError on what no message can look like."""
    author = data.get("author")
    member = data.get("member")
    reference = data.get("message_reference")
    poll = data.get("poll")
    return Message(
        id=MessageId(int(data["id"])),
        channel_id=ChannelId(int(data["channel_id"])),
        guild_id=GuildId(int(data.get("guild_id") or 0)),
        author=None if author is None else user_of(author),
        member=None if member is None else member_of(member),
        webhook_id=optional_id(data.get("webhook_id")),
        application_id=optional_id(data.get("application_id")),
        type=int(data.get("type") or 0),
        flags=int(data.get("flags") or 0),
        content=text(data.get("content")),
        timestamp=instant(data.get("timestamp")),
        edited_at=instant(data.get("edited_timestamp")),
        embeds=_embeds(data.get("embeds")),
        attachments=_attachments(data.get("attachments")),
        text_displays=_text_displays(data.get("components")),
        snapshots=_snapshots(data.get("message_snapshots")),
        poll=None if poll is None else _poll(poll),
        stickers=_stickers(data),
        mentions=tuple([UserId(int(user["id"])) for user in objects(data.get("mentions"))]),
        mention_roles=tuple(map(RoleId, ids(data.get("mention_roles")))),
        mention_everyone=bool(data.get("mention_everyone")),
        reference=None if reference is None else _reference(reference),
        thread_name=text((data.get("thread") or {}).get("name")),
        partial=author is None or "content" not in data,
    )


def _embeds(values: Any) -> tuple[EmbedFacts, ...]:
    if not values:
        return ()
    return tuple(
        [
            EmbedFacts(
                type=text(embed.get("type")),
                title=text(embed.get("title")),
                description=text(embed.get("description")),
                url=text(embed.get("url")),
                author=text((embed.get("author") or {}).get("name")),
                footer=text((embed.get("footer") or {}).get("text")),
                fields=tuple(
                    [
                        (text(item.get("name")), text(item.get("value")))
                        for item in objects(embed.get("fields"))
                    ]
                ),
            )
            for embed in values
        ]
    )


def _attachments(values: Any) -> tuple[AttachmentFacts, ...]:
    if not values:
        return ()
    return tuple(
        [
            AttachmentFacts(
                id=int(item["id"]),
                filename=text(item.get("filename")),
                title=text(item.get("title")),
                description=text(item.get("description")),
                content_type=text(item.get("content_type")),
                size=int(item.get("size") or 0),
                url=text(item.get("url")),
            )
            for item in values
        ]
    )


def _text_displays(components: Any) -> tuple[str, ...]:
    """Collect what components show: Text Displays, labels, placeholders, however deeply nested."""
    if not components:
        return ()
    found: list[str] = []
    pending = list(components)[::-1]
    while pending:
        component = pending.pop()
        if not isinstance(component, dict):
            continue
        found += [part for key in ("content", "label", "placeholder") if (part := text(component.get(key)))]
        found += [
            part
            for option in objects(component.get("options"))
            for key in ("label", "description")
            if (part := text(option.get(key)))
        ]
        for item in objects(component.get("items")):
            if part := text(item.get("description")):
                found.append(part)
        accessory = component.get("accessory")
        if accessory is not None:
            pending.append(accessory)
        pending += list(component.get("components") or ())[::-1]
    return tuple(found)


def _snapshots(values: Any) -> tuple[SnapshotFacts, ...]:
    if not values:
        return ()
    messages = [item.get("message") or {} for item in values]
    return tuple(
        [
            SnapshotFacts(
                content=text(message.get("content")),
                embeds=_embeds(message.get("embeds")),
                attachments=_attachments(message.get("attachments")),
                text_displays=_text_displays(message.get("components")),
            )
            for message in messages
        ]
    )


def _poll(poll: Mapping[str, Any]) -> PollFacts:
    answers = [text((answer.get("poll_media") or {}).get("text")) for answer in objects(poll.get("answers"))]
    return PollFacts(text((poll.get("question") or {}).get("text")), tuple(filter(None, answers)))


def _stickers(data: Mapping[str, Any]) -> tuple[str, ...]:
    stickers = objects(data.get("sticker_items")) or objects(data.get("stickers"))
    return tuple(filter(None, [text(sticker.get("name")) for sticker in stickers])) if stickers else ()


def _reference(data: Mapping[str, Any]) -> Reference:
    message, channel, guild = (
        optional_id(data.get(name)) for name in ("message_id", "channel_id", "guild_id")
    )
    return Reference(
        type=int(data.get("type") or 0),
        message_id=None if message is None else MessageId(message),
        channel_id=None if channel is None else ChannelId(channel),
        guild_id=None if guild is None else GuildId(guild),
    )


def _file_texts(attachments: tuple[AttachmentFacts, ...]) -> Iterator[str]:
    for attachment in attachments:
        for part in (attachment.filename, attachment.title, attachment.description):
            if part:
                yield part
