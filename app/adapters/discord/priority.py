"""Who goes first when calls to Discord have to wait for one another."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """The order in which waiting calls get a slot; a lower number goes first, in all processes of a bot."""

    INTERACTION = 0
    """A person looks at "thinking…"."""
    MODERATION = 1
    """Something must disappear, or somebody must be stopped."""
    ASSISTANT = 2
    """A person reads the answer in a channel."""
    LOGS = 3
    """Log channels and reports."""
    BULK = 4
    """Backfills, purges of thousands, command registration."""

    @property
    def deadline(self) -> float:
        """Seconds that a call of this priority may take if the caller names no other deadline."""
        return _DEADLINES[self]

    @property
    def paced(self) -> bool:
        """Whether such calls are spread evenly over a window, so that a more urgent one finds a free slot."""
        return self >= Priority.LOGS


_DEADLINES = {
    Priority.INTERACTION: 10.0,
    Priority.MODERATION: 30.0,
    Priority.ASSISTANT: 30.0,
    Priority.LOGS: 120.0,
    Priority.BULK: 600.0,
}
