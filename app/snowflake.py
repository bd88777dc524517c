"""Discord's 64-bit ids: typed, and with the time they carry (contract section 0)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

GuildId = NewType("GuildId", int)
ChannelId = NewType("ChannelId", int)
UserId = NewType("UserId", int)
RoleId = NewType("RoleId", int)
MessageId = NewType("MessageId", int)
InteractionId = NewType("InteractionId", int)

DISCORD_EPOCH_MS = 1_420_070_400_000
"""2015-01-01 in Unix milliseconds (contract section 0)."""


def created_ms(snowflake: int) -> int:
    """Unix milliseconds at which the id was made."""
    return (snowflake >> 22) + DISCORD_EPOCH_MS


def created_at(snowflake: int) -> datetime:
    """Return the aware UTC time at which the id was made."""
    return datetime.fromtimestamp(created_ms(snowflake) / 1000, UTC)


def lower_bound(unix_ms: int) -> int:
    """Return the smallest id made at or after that millisecond, for paging with before/after."""
    return max(0, unix_ms - DISCORD_EPOCH_MS) << 22
