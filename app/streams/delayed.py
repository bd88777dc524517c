"""What is tried again later.

It is kept in Redis beside the stream, so that it neither blocks its guild nor holds back trimming, and
survives the worker. A delayed piece of work is named `entry-id|handler` (`*`: every handler). The script that
acknowledges the entry writes it, and the one that ends it removes it (settlement.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson
from redis.asyncio import Redis

from app.streams import names
from app.streams.entry import ALL_HANDLERS, Entry, Fields, guild_of

DUE_AT_ONCE = 64
"""Due pieces fetched per partition and look."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a look at the delayed set found: `waiting` by partition, and what is due now."""

    waiting: dict[int, int]
    due: list[Entry]


class Delayed:
    """The delayed work of one group."""

    def __init__(self, redis: Redis, group: str) -> None:
        self._group = group
        text = files(__package__).joinpath("due.lua").read_text(encoding="utf-8")
        self._due = redis.register_script(text)

    async def look(self, partitions: Sequence[int]) -> Backlog:
        """Return what is due in these partitions. It stays in the set until it ends. Raises RedisError."""
        keys = [key for p in partitions for key in (names.due(self._group, p), names.delayed(self._group, p))]
        if not keys:
            return Backlog({}, [])
        reply: list[list[Any]] = await self._due(keys=keys, args=[DUE_AT_ONCE])
        waiting: dict[int, int] = {}
        due: list[Entry] = []
        for partition, found in zip(partitions, reply, strict=True):
            waiting[partition] = int(found[0])
            due += [
                decode(partition, field, value) for field, value in zip(found[1::2], found[2::2], strict=True)
            ]
        return Backlog(waiting, due)


def field_of(entry_id: bytes, handler: str) -> bytes:
    """Return the name of a delayed piece of work."""
    return entry_id + b"|" + handler.encode()


def encode(fields: Fields, *, failures: int, starts: int) -> bytes:
    """Return the record of a delayed piece of work. Latin-1 carries any bytes through JSON."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items()}
    return orjson.dumps({"failures": failures, "starts": starts, "fields": named})


def decode(partition: int, field: bytes, record: bytes) -> Entry:
    """Read a record back."""
    data = orjson.loads(record)
    fields = {name.encode("latin-1"): value.encode("latin-1") for name, value in data["fields"].items()}
    entry_id, _, handler = field.partition(b"|")
    return Entry(
        partition=partition,
        id=entry_id,
        guild_id=guild_of(fields),
        fields=fields,
        handlers=None if handler == ALL_HANDLERS.encode() else (handler.decode(),),
        failures=data["failures"],
        starts=data["starts"],
        field=field,
    )
