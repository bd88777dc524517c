"""Users and members as events carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.events.event import ids, instant, text
from app.snowflake import RoleId, UserId

FLAG_QUARANTINED_NAME = 1 << 7
"""Member flag AUTOMOD_QUARANTINED_USERNAME (Discord's member flags)."""


@dataclass(frozen=True, slots=True)
class User:
    """A user; for a webhook's message `id` is the webhook's and nobody can be punished."""

    id: UserId
    username: str
    global_name: str | None
    bot: bool
    system: bool
    avatar: str | None = None

    @property
    def mention(self) -> str:
        """Markup that names the user."""
        return f"<@{self.id}>"


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What a gateway event tells of a guild member; never permissions: those need the guild's roles."""

    roles: tuple[RoleId, ...]
    nick: str | None
    joined_at: datetime | None
    timed_out_until: datetime | None
    """Null **or past** means not timed out (contract section 5.6)."""
    pending: bool
    flags: int


def user_of(data: Mapping[str, Any]) -> User:
    """Read a user object. Raises KeyError or ValueError."""
    return User(
        UserId(int(data["id"])),
        text(data.get("username")),
        text(data.get("global_name")) or None,
        bool(data.get("bot")),
        bool(data.get("system")),
        text(data.get("avatar")) or None,
    )


def member_of(data: Mapping[str, Any]) -> MemberFacts:
    """Read a (partial) member object. Raises ValueError."""
    return MemberFacts(
        tuple(map(RoleId, ids(data.get("roles")))),
        text(data.get("nick")) or None,
        instant(data.get("joined_at")),
        instant(data.get("communication_disabled_until")),
        bool(data.get("pending")),
        int(data.get("flags") or 0),
    )
