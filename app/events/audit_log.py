"""What moderators did, as Discord's audit log tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from app.events.envelope import Envelope
from app.events.event import GUILD_MODERATION, PARSE_ERRORS, malformed, objects, optional_id
from app.snowflake import GuildId, UserId

MEMBER_KICK = 20
MEMBER_PRUNE = 21
MEMBER_BAN_ADD = 22
MEMBER_BAN_REMOVE = 23
MEMBER_UPDATE = 24
MEMBER_ROLE_UPDATE = 25
MESSAGE_DELETE = 72
MESSAGE_BULK_DELETE = 73
AUTO_MODERATION_BLOCK_MESSAGE = 143
AUTO_MODERATION_FLAG_TO_CHANNEL = 144
AUTO_MODERATION_USER_COMMUNICATION_DISABLED = 145
AUTO_MODERATION_QUARANTINE_USER = 146
"""Action types (contract section 4.4)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field of the target; values are JSON as Discord sent them, None when absent."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class AuditLogEntryCreated:
    """Somebody did something that the guild's audit log records (GUILD_AUDIT_LOG_ENTRY_CREATE).

    Needs VIEW_AUDIT_LOG in the guild. A timeout shows as MEMBER_UPDATE with a change of
    `communication_disabled_until`.
    """

    GATEWAY_EVENT: ClassVar[str] = "GUILD_AUDIT_LOG_ENTRY_CREATE"
    INTENTS: ClassVar[int] = GUILD_MODERATION

    envelope: Envelope
    guild_id: GuildId
    entry_id: int
    action_type: int
    actor_id: UserId | None
    target_id: int | None
    reason: str | None
    changes: tuple[Change, ...]
    options: Mapping[str, Any]
    """Further facts by action type, e.g. `channel_id`, `count`; strings as Discord sent them."""

    @property
    def key(self) -> str:
        """The entry."""
        return f"GUILD_AUDIT_LOG_ENTRY_CREATE:{self.entry_id}"

    def change(self, key: str) -> Change | None:
        """Return the change of that field, e.g. `communication_disabled_until`."""
        return next((change for change in self.changes if change.key == key), None)

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """Read the envelope. Raises MalformedEvent."""
        try:
            data = envelope.json()
            actor = optional_id(data.get("user_id"))
            return cls(
                envelope=envelope,
                guild_id=GuildId(int(data["guild_id"])),
                entry_id=int(data["id"]),
                action_type=int(data["action_type"]),
                actor_id=None if actor is None else UserId(actor),
                target_id=optional_id(data.get("target_id")),
                reason=data.get("reason"),
                changes=tuple(
                    [
                        Change(str(item["key"]), item.get("old_value"), item.get("new_value"))
                        for item in objects(data.get("changes"))
                    ]
                ),
                options=data.get("options") or {},
            )
        except PARSE_ERRORS as error:
            raise malformed(cls, error) from None
