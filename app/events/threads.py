"""Threads, whose names are text that people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self
from zlib import crc32

from app.events.envelope import Envelope
from app.events.event import GUILDS, PARSE_ERRORS, malformed, optional_id, text
from app.snowflake import ChannelId, GuildId, UserId


@dataclass(frozen=True, slots=True)
class ThreadCreated:
    """A thread was started, or the bot was let into one (THREAD_CREATE); `newly_created` tells which."""

    GATEWAY_EVENT: ClassVar[str] = "THREAD_CREATE"
    INTENTS: ClassVar[int] = GUILDS

    envelope: Envelope
    guild_id: GuildId
    thread_id: ChannelId
    parent_id: ChannelId | None
    owner_id: UserId | None
    name: str
    newly_created: bool

    @property
    def key(self) -> str:
        """The thread and whether it is new."""
        return f"THREAD_CREATE:{self.thread_id}:{int(self.newly_created)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            parent, owner = optional_id(data.get("parent_id")), optional_id(data.get("owner_id"))
            return cls(
                envelope=envelope,
                guild_id=GuildId(int(data["guild_id"])),
                thread_id=ChannelId(int(data["id"])),
                parent_id=None if parent is None else ChannelId(parent),
                owner_id=None if owner is None else UserId(owner),
                name=text(data.get("name")),
                newly_created=bool(data.get("newly_created")),
            )
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class ThreadUpdated:
    """A thread's name or settings changed, by whom is not told (THREAD_UPDATE)."""

    GATEWAY_EVENT: ClassVar[str] = "THREAD_UPDATE"
    INTENTS: ClassVar[int] = GUILDS

    envelope: Envelope
    guild_id: GuildId
    thread_id: ChannelId
    parent_id: ChannelId | None
    owner_id: UserId | None
    name: str

    @property
    def key(self) -> str:
        """The thread and its name: only a new name is news to a reader."""
        return f"THREAD_UPDATE:{self.thread_id}:{crc32(self.name.encode()):08x}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            parent, owner = optional_id(data.get("parent_id")), optional_id(data.get("owner_id"))
            return cls(
                envelope=envelope,
                guild_id=GuildId(int(data["guild_id"])),
                thread_id=ChannelId(int(data["id"])),
                parent_id=None if parent is None else ChannelId(parent),
                owner_id=None if owner is None else UserId(owner),
                name=text(data.get("name")),
            )
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None
