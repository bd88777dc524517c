"""Samples and rules for tests of kinds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.events.message import Message, message_of
from app.features.moderation.rules.engine import CompiledGuild, compile_rules
from app.features.moderation.rules.kind import Match, Sample, kinds
from app.features.moderation.rules.store import Rule
from app.features.moderation.text.view import TextView
from app.snowflake import DISCORD_EPOCH_MS

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GUILD = 1_100_000_000_000_000_002


def id_at(ms: float, low: int = 0) -> int:
    return ((int(ms) - DISCORD_EPOCH_MS) << 22) | low


OLD = id_at(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)


def message(
    content: str = "", *, at: datetime = NOW, low: int = 0, author: int = OLD, **fields: Any
) -> Message:
    return message_of(
        {
            "id": str(id_at(at.timestamp() * 1000, low)),
            "channel_id": "77",
            "guild_id": str(GUILD),
            "author": {"id": str(author), "username": "robin"},
            "member": {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00"},
            "content": content,
            "timestamp": at.isoformat(),
            **fields,
        }
    )


def judge(kind: str, settings: dict[str, Any], text: str | Message) -> Match | None:
    found = kinds()[kind]
    compiled = found.compile(found.parse(settings))
    if isinstance(text, Message):
        return compiled(Sample.of_message(text))
    return compiled(Sample(TextView.of(text)))


def stored(kind: str, settings: dict[str, Any], **fields: Any) -> Rule:
    values: dict[str, Any] = {
        "rule_id": 1, "guild_id": GUILD, "kind": kind, "name": kind, "version": 1, "settings": settings,
        "severity": 2, "sanction": None, "enabled": True, "shadow": False, "expires_at": None,
        "exempt_roles": [], "exempt_channels": [],
    }  # fmt: skip
    return Rule(**(values | fields))


def guild_of(*rules: Rule) -> CompiledGuild:
    return compile_rules(1, list(rules))
