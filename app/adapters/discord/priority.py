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
        """Whether such calls are spread over a window, so that a more urgent one finds a free slot."""
        return self.pace > 0

    @property
    def pace(self) -> float:
        """The exponent by which they are: no slot after the n-th is taken before (n / limit) ** pace of the window.

        Logs go evenly. Bulk leaves two thirds of a window's slots to others until half of it is over: a burst
        of urgent calls mostly finds its slots although it was not foreseen. 0: they go at once.
        """
        return _PACES.get(self, 0.0)


_PACES = {Priority.LOGS: 1.0, Priority.BULK: 2 / 3}

_DEADLINES = {
    Priority.INTERACTION: 10.0,
    Priority.MODERATION: 30.0,
    Priority.ASSISTANT: 30.0,
    Priority.LOGS: 120.0,
    Priority.BULK: 600.0,
}
