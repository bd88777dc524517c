"""The words that all parts of moderation share.

    Message -> Evidence (what is judged) -> Finding (what a stage says) -> Decision (what policy makes of it)
            -> Sanction carried out, Case, AuditEntry, ReviewItem

Severities and their default actions are seed S4's: 0 clean, 1 warn, 2 delete, 3 timeout, 4 ban.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from app.snowflake import ChannelId, GuildId, MessageId, RoleId, UserId


class Severity(IntEnum):
    """How bad (seed S4)."""

    CLEAN = 0
    WARN = 1
    DELETE = 2
    TIMEOUT = 3
    BAN = 4


class Sanction(StrEnum):
    """What is done to a member or a message. Everything but NONE and WARN also deletes the message."""

    NONE = "none"
    WARN = "warn"
    DELETE = "delete"
    TIMEOUT = "timeout"
    KICK = "kick"
    BAN = "ban"
    REVIEW = "review"
    """Nothing is done; people decide."""
    UNTIMEOUT = "untimeout"
    UNBAN = "unban"
    NOTE = "note"
    """Something a moderator writes down; the member hears nothing of it."""
    PURGE = "purge"
    """Messages of a channel were removed in bulk."""
    UNDO = "undo"
    """An earlier case does not count any more, and nothing is left to be lifted in Discord."""


UNSURE = "unsure: "
"""Begins a reason that says why nobody knows: for moderators to read, no reason to give to the member."""


class Source(StrEnum):
    """Which stage found it."""

    RULES = "rules"
    API = "api"
    AGENT = "agent"
    RAID = "raid"
    MODERATOR = "moderator"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what a judgement is about. `version` is 0 for a new message, else the edit's Unix milliseconds.

    `roles` None: the event did not tell them, so they are looked up.
    """

    guild_id: GuildId
    channel_id: ChannelId
    user_id: UserId
    message_id: MessageId | None = None
    version: int = 0
    roles: tuple[RoleId, ...] | None = None
    bot: bool = False

    @property
    def key(self) -> str:
        """The unique key of this happening: effects are claimed under it."""
        return f"{self.guild_id}:{self.message_id or self.user_id}:{self.version}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One stage's or rule's statement about a subject.

    `spans` are [start, end) offsets into the original text, for highlighting. `sanction` overrides the guild's
    policy for the severity. A `shadow` finding is recorded and never acted upon. `unsure` means people must look;
    when a machine could not judge at all, its `reason` begins with UNSURE.
    """

    source: Source
    severity: Severity
    category: str
    reason: str
    rule_id: int | None = None
    rule_version: int | None = None
    sanction: Sanction | None = None
    shadow: bool = False
    unsure: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy makes of the findings: one sanction for one subject, once.

    `record_id` is the decision record from which the verdict can be rebuilt; `expires_at` ends a timeout or ban.
    """

    subject: Subject
    sanction: Sanction
    severity: Severity
    findings: tuple[Finding, ...]
    reason: str
    record_id: int | None = None
    strikes: int = 0
    review: bool = False
    expires_at: datetime | None = None
