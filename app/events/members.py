"""Members joining, changing, leaving; bans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from app.events.envelope import Envelope
from app.events.event import (
    GUILD_MEMBERS,
    GUILD_MODERATION,
    PARSE_ERRORS,
    malformed,
    milliseconds,
    session_place,
)
from app.events.people import MemberFacts, User, member_of, user_of
from app.snowflake import GuildId


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A user joined (GUILD_MEMBER_ADD). Discord may send it for somebody who is a member already."""

    GATEWAY_EVENT: ClassVar[str] = "GUILD_MEMBER_ADD"
    INTENTS: ClassVar[int] = GUILD_MEMBERS

    envelope: Envelope
    guild_id: GuildId
    user: User
    member: MemberFacts

    @property
    def key(self) -> str:
        """Guild, user and the moment of joining."""
        joined = milliseconds(self.member.joined_at)
        return f"GUILD_MEMBER_ADD:{self.guild_id}:{self.user.id}:{joined}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            return cls(envelope, GuildId(int(data["guild_id"])), user_of(data["user"]), member_of(data))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    """Nickname, roles, timeout or flags of a member changed, or the user's own name (GUILD_MEMBER_UPDATE)."""

    GATEWAY_EVENT: ClassVar[str] = "GUILD_MEMBER_UPDATE"
    INTENTS: ClassVar[int] = GUILD_MEMBERS

    envelope: Envelope
    guild_id: GuildId
    user: User
    member: MemberFacts

    @property
    def key(self) -> str:
        """The place in the session: a member has no version, and may change back."""
        return f"GUILD_MEMBER_UPDATE:{session_place(self.envelope)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            return cls(envelope, GuildId(int(data["guild_id"])), user_of(data["user"]), member_of(data))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member is gone: left, kicked or banned, which is not told (GUILD_MEMBER_REMOVE)."""

    GATEWAY_EVENT: ClassVar[str] = "GUILD_MEMBER_REMOVE"
    INTENTS: ClassVar[int] = GUILD_MEMBERS

    envelope: Envelope
    guild_id: GuildId
    user: User

    @property
    def key(self) -> str:
        """The place in the session: somebody can leave more than once."""
        return f"GUILD_MEMBER_REMOVE:{session_place(self.envelope)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            return cls(envelope, GuildId(int(data["guild_id"])), user_of(data["user"]))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class BanAdded:
    """A user was banned, by whom is not told (GUILD_BAN_ADD)."""

    GATEWAY_EVENT: ClassVar[str] = "GUILD_BAN_ADD"
    INTENTS: ClassVar[int] = GUILD_MODERATION

    envelope: Envelope
    guild_id: GuildId
    user: User

    @property
    def key(self) -> str:
        """The place in the session: a ban can be lifted and given again."""
        return f"GUILD_BAN_ADD:{session_place(self.envelope)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            return cls(envelope, GuildId(int(data["guild_id"])), user_of(data["user"]))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None


@dataclass(frozen=True, slots=True)
class BanRemoved:
    """A ban was lifted (GUILD_BAN_REMOVE)."""

    GATEWAY_EVENT: ClassVar[str] = "GUILD_BAN_REMOVE"
    INTENTS: ClassVar[int] = GUILD_MODERATION

    envelope: Envelope
    guild_id: GuildId
    user: User

    @property
    def key(self) -> str:
        """The place in the session, as for bans."""
        return f"GUILD_BAN_REMOVE:{session_place(self.envelope)}"

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            return cls(envelope, GuildId(int(data["guild_id"])), user_of(data["user"]))
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None
