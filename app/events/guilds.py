"""Guilds becoming available and being left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from app.events.envelope import Envelope
from app.events.event import GUILDS, PARSE_ERRORS, malformed, objects, optional_id, session_place, text
from app.snowflake import ChannelId, GuildId, RoleId, UserId


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role; `permissions` is a bit set of unbounded size. The role with the guild's id is @everyone."""

    id: RoleId
    name: str
    position: int
    permissions: int
    managed: bool


@dataclass(frozen=True, slots=True)
class OverwriteFacts:
    """A channel's permission overwrite; `type` 0 role, 1 member."""

    id: int
    type: int
    allow: int
    deny: int


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A channel of the guild."""

    id: ChannelId
    type: int
    name: str
    parent_id: ChannelId | None
    overwrites: tuple[OverwriteFacts, ...]


@dataclass(frozen=True, slots=True)
class GuildAvailable:
    """A guild can be used: after READY, back from an outage, or joined just now (GUILD_CREATE).

    A real join is a guild that was neither in READY nor known before (contract section 5.6).
    """

    GATEWAY_EVENT: ClassVar[str] = "GUILD_CREATE"
    INTENTS: ClassVar[int] = GUILDS

    envelope: Envelope
    guild_id: GuildId
    name: str
    owner_id: UserId
    preferred_locale: str
    member_count: int
    large: bool
    roles: tuple[RoleFacts, ...]
    channels: tuple[ChannelFacts, ...]

    @property
    def key(self) -> str:
        """The place in the session: a guild becomes available again and again."""
        return f"GUILD_CREATE:{session_place(self.envelope)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self | None:
        """Read the envelope; None for a guild that is announced as unavailable. Raises MalformedEvent."""
        try:
            data = envelope.json()
            if data.get("unavailable"):
                return None
            return cls(
                envelope=envelope,
                guild_id=GuildId(int(data["id"])),
                name=text(data.get("name")),
                owner_id=UserId(int(data["owner_id"])),
                preferred_locale=text(data.get("preferred_locale")) or "en-US",
                member_count=int(data.get("member_count") or 0),
                large=bool(data.get("large")),
                roles=tuple([_role(role) for role in objects(data.get("roles"))]),
                channels=tuple([_channel(channel) for channel in objects(data.get("channels"))]),
            )
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class GuildLeft:
    """The bot was removed from a guild (GUILD_DELETE without `unavailable`)."""

    GATEWAY_EVENT: ClassVar[str] = "GUILD_DELETE"
    INTENTS: ClassVar[int] = GUILDS

    envelope: Envelope
    guild_id: GuildId

    @property
    def key(self) -> str:
        """The place in the session: a bot can be invited and removed again."""
        return f"GUILD_DELETE:{session_place(self.envelope)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self | None:
        """Read the envelope; None for an outage (`unavailable` present). Raises MalformedEvent."""
        try:
            data = envelope.json()
            return None if "unavailable" in data else cls(envelope, GuildId(int(data["id"])))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


def _role(data: Mapping[str, Any]) -> RoleFacts:
    return RoleFacts(
        RoleId(int(data["id"])),
        text(data.get("name")),
        int(data.get("position") or 0),
        int(data.get("permissions") or 0),
        bool(data.get("managed")),
    )


def _channel(data: Mapping[str, Any]) -> ChannelFacts:
    parent = optional_id(data.get("parent_id"))
    return ChannelFacts(
        ChannelId(int(data["id"])),
        int(data.get("type") or 0),
        text(data.get("name")),
        None if parent is None else ChannelId(parent),
        tuple(
            [
                OverwriteFacts(
                    int(item["id"]),
                    int(item["type"]),
                    int(item.get("allow") or 0),
                    int(item.get("deny") or 0),
                )
                for item in objects(data.get("permission_overwrites"))
            ]
        ),
    )
