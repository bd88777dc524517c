"""Whose turn is it? A queue in which every guild waits in its own line and the lines take turns.

Within a guild order is kept: at most `parallel` items of it are out at a time, and they are handed out in the
order in which they came. Between guilds it is round-robin, so a guild with 10,000 waiting items delays each
other guild by one item per turn, not by 10,000.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Line(Generic[Item]):
    __slots__ = ("in_ring", "items", "out")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.out = 0
        self.in_ring = False


class FairQueue(Generic[Item]):
    """Lines by guild, in rotation. Not thread-safe; no waiting, no clock."""

    def __init__(self, *, parallel: int = 1) -> None:
        self._parallel = parallel
        self._lines: dict[int, _Line[Item]] = {}
        self._ring: deque[int] = deque()
        self._waiting = 0

    def __len__(self) -> int:
        """Return how many items wait; those that are out do not count."""
        return self._waiting

    def length(self, guild_id: int) -> int:
        """Return how many items of that guild wait."""
        line = self._lines.get(guild_id)
        return 0 if line is None else len(line.items)

    def add(self, guild_id: int, item: Item) -> None:
        """Put the item at the end of the guild's line."""
        line = self._line(guild_id)
        line.items.append(item)
        self._waiting += 1
        self._turn(guild_id, line)

    def add_first(self, guild_id: int, item: Item) -> None:
        """Put the item at the front: one that was handed out and comes back, or that has waited its time."""
        line = self._line(guild_id)
        line.items.appendleft(item)
        self._waiting += 1
        self._turn(guild_id, line)

    def take(self) -> tuple[int, Item] | None:
        """Hand out the next item and its guild, or None. Call `done` for the guild when it is handled."""
        while self._ring:
            guild_id = self._ring.popleft()
            line = self._lines[guild_id]
            line.in_ring = False
            if not line.items or line.out >= self._parallel:
                continue
            item = line.items.popleft()
            self._waiting -= 1
            line.out += 1
            self._turn(guild_id, line)
            return guild_id, item
        return None

    def done(self, guild_id: int) -> None:
        """Say that an item of the guild is no longer out."""
        line = self._lines[guild_id]
        line.out -= 1
        self._turn(guild_id, line)
        self._forget_if_empty(guild_id, line)

    def peek(self, guild_id: int, count: int) -> Iterator[Item]:
        """Yield the first waiting items of the guild without handing them out."""
        line = self._lines.get(guild_id)
        return iter(()) if line is None else islice(line.items, count)

    def remove(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Take out and return the waiting items for which `unwanted` holds."""
        removed: list[Item] = []
        for guild_id, line in list(self._lines.items()):
            kept: deque[Item] = deque()
            for item in line.items:
                (removed if unwanted(item) else kept).append(item)
            line.items = kept
            self._forget_if_empty(guild_id, line)
        self._waiting -= len(removed)
        return removed

    def _line(self, guild_id: int) -> _Line[Item]:
        line = self._lines.get(guild_id)
        if line is None:
            line = self._lines[guild_id] = _Line()
        return line

    def _turn(self, guild_id: int, line: _Line[Item]) -> None:
        if line.items and not line.in_ring and line.out < self._parallel:
            line.in_ring = True
            self._ring.append(guild_id)

    def _forget_if_empty(self, guild_id: int, line: _Line[Item]) -> None:
        if not line.items and not line.out:
            if line.in_ring:
                self._ring.remove(guild_id)
            del self._lines[guild_id]
