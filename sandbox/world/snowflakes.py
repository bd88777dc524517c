"""Discord's 64-bit ids: milliseconds since 2015 in the upper 42 bits, a counter in the lower 22 (contract
section 0).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000
"""2015-01-01 in Unix milliseconds (contract section 0)."""

SEQUENCE_BITS = 22


def wall_clock_ms() -> int:
    """Unix milliseconds now."""
    return time.time_ns() // 1_000_000


def created_ms(snowflake: int) -> int:
    """Unix milliseconds at which the id was made."""
    return (snowflake >> SEQUENCE_BITS) + DISCORD_EPOCH_MS


def at(unix_ms: int, sequence: int = 0) -> int:
    """Return the id with that time and that counter."""
    return (max(0, unix_ms - DISCORD_EPOCH_MS) << SEQUENCE_BITS) | sequence


def iso(unix_ms: int) -> str:
    """Return the time as Discord writes it: ISO 8601 with microseconds and a UTC offset."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="microseconds")


class Snowflakes:
    """Hands out ids that only ever rise, even when the clock stands still or goes back."""

    def __init__(self, clock: Callable[[], int] = wall_clock_ms, last: int = 0) -> None:
        self._clock = clock
        self.last = last

    def next(self) -> int:
        """Return a new id for the present millisecond."""
        self.last = max(at(self._clock()), self.last + 1)
        return self.last
