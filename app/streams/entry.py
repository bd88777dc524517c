"""One piece of work of a group: an entry of a partition's stream, fresh, taken over, or tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ALL_HANDLERS = "*"
"""Stands for every handler of the event where a single handler's name is expected."""

Fields = Mapping[bytes, bytes]


@dataclass(slots=True, eq=False)
class Entry:
    """What a handler is given to do. Mutable: its body may be fetched late, and handlers are ticked off.

    `fields` is None while the body is not in memory: a long line of one guild keeps only ids.
    `handlers` are those that must still run, None for all that want the event.
    `starts` is how often somebody began with it before (taken over or tried again).
    `field` is its name in the delayed set, None when it is pending in the stream.
    """

    partition: int
    id: bytes
    guild_id: int
    fields: Fields | None
    handlers: tuple[str, ...] | None = None
    failures: int = 0
    starts: int = 0
    taken_over: bool = False
    field: bytes | None = None

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """Tells it from every other piece of work of its partition."""
        return self.id, self.field or b""

    @property
    def created_ms(self) -> int:
        """Unix milliseconds at which it entered the stream, from its id."""
        return int(self.id.partition(b"-")[0])


def guild_of(fields: Fields) -> int:
    """Return the guild id of an entry's fields, 0 when it cannot be read: the parser will say so."""
    try:
        return int(fields.get(b"g", b"0"))
    except ValueError:
        return 0
