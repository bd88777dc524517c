"""What a group has read and not begun: fair between guilds, bounded in bodies and in ids.

A guild's line keeps `guild_bodies` bodies, of the rest only the ids: so the reader can look past a noisy guild
without holding its messages. With `bodies` bodies or `ids` entries in all there is no more room: the rest waits
in Redis.
"""

from __future__ import annotations

from app.streams.entry import Entry, Fields
from app.streams.fair_queue import FairQueue

BODIES = 2_048
GUILD_BODIES = 64
IDS = 20_000


class Waiting:
    """The waiting entries of one group in one worker."""

    def __init__(
        self, *, parallel: int, bodies: int = BODIES, guild_bodies: int = GUILD_BODIES, ids: int = IDS
    ) -> None:
        self._queue: FairQueue[Entry] = FairQueue(parallel=parallel)
        self._most_bodies, self._most_ids = bodies, ids
        self._guild_bodies = guild_bodies
        self._bodies = 0

    def __len__(self) -> int:
        """Return how many entries wait."""
        return len(self._queue)

    @property
    def bodies(self) -> int:
        """How many of them are in memory with their body."""
        return self._bodies

    @property
    def has_room(self) -> bool:
        """Tell whether more may be read."""
        return self._bodies < self._most_bodies and len(self._queue) < self._most_ids

    def add(self, entry: Entry) -> None:
        """Put a fresh entry at the end of its guild's line; it may lose its body."""
        if self._queue.length(entry.guild_id) >= self._guild_bodies:
            entry.fields = None
        self._bodies += entry.fields is not None
        self._queue.add(entry.guild_id, entry)

    def add_first(self, entry: Entry) -> None:
        """Put an entry at the front of its guild's line: it was handed out before, or has waited its time."""
        self._bodies += entry.fields is not None
        self._queue.add_first(entry.guild_id, entry)

    def take(self) -> Entry | None:
        """Hand out the next entry, or None; call `done` when it is handled or put back."""
        found = self._queue.take()
        if found is None:
            return None
        self._bodies -= found[1].fields is not None
        return found[1]

    def done(self, entry: Entry) -> None:
        """Say that the entry is no longer out."""
        self._queue.done(entry.guild_id)

    def drop(self, partition: int) -> None:
        """Forget what waits for a partition."""
        for entry in self._queue.remove(lambda waiting: waiting.partition == partition):
            self._bodies -= entry.fields is not None

    def without_body(self, guild_id: int) -> list[Entry]:
        """Return the next entries of the guild whose bodies should be fetched."""
        first = self._queue.peek(guild_id, self._guild_bodies)
        return [entry for entry in first if entry.fields is None]

    def fill(self, entry: Entry, fields: Fields) -> None:
        """Give a waiting entry its body."""
        if entry.fields is None:
            self._bodies += 1
        entry.fields = fields
