"""Dead letters: what could not be handled, with the reason; listed, replayed and dropped by an operator.

One stream per group, `dead:{group}`. An entry is the original's fields, so that it can be replayed, and

    id  id in the event stream    p  partition         h      handler, `*` for all
    n   failures                  why  poison | malformed | attempts | crash | handler-gone
    error  type of the error, and its message where we wrote it      trace  where it arose, without values

What a member wrote stands only in `d`, which nothing here prints. KEPT letters are kept, for KEPT_DAYS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from app.streams import names
from app.streams.delayed import encode, field_of
from app.streams.entry import Entry
from app.streams.failure import describe, frames

KEPT = 10_000
KEPT_DAYS = 14.0
TRACE_BYTES = 8_000
OWN_FIELDS = frozenset({b"id", b"p", b"h", b"n", b"why", b"error", b"trace"})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, without what a member wrote."""

    id: str
    group: str
    entry_id: str
    partition: int
    event: str
    guild_id: int
    handler: str
    failures: int
    why: str
    error: str
    trace: str
    payload_bytes: int

    @property
    def died_at(self) -> datetime:
        """When it was given up."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1000, UTC)


def letter_fields(
    entry: Entry, handler: str, *, failures: int, why: str, error: BaseException | None
) -> dict[bytes, bytes]:
    """Return the stream fields of a dead letter."""
    return {
        **(entry.fields or {}),
        b"id": entry.id,
        b"p": b"%d" % entry.partition,
        b"h": handler.encode(),
        b"n": b"%d" % failures,
        b"why": why.encode(),
        b"error": b"" if error is None else describe(error).encode(),
        b"trace": b"" if error is None else frames(error).encode()[-TRACE_BYTES:],
    }


async def groups_with_letters(redis: Redis) -> list[tuple[str, int]]:
    """Return the groups that have dead letters, and how many."""
    prefix = names.dead("")
    found = [key.decode() async for key in redis.scan_iter(match=f"{prefix}*", count=1000, _type="stream")]
    lengths = [(name.removeprefix(prefix), int(await redis.xlen(name))) for name in sorted(found)]
    return [(group, length) for group, length in lengths if length]


async def newest(redis: Redis, group: str, *, limit: int) -> list[DeadLetter]:
    """Return the newest dead letters of a group."""
    found: Any = await redis.xrevrange(names.dead(group), count=limit)
    return [_letter(group, letter_id, fields) for letter_id, fields in found]


async def find(redis: Redis, group: str, letter_id: str) -> DeadLetter | None:
    """Return one dead letter."""
    found: Any = await redis.xrange(names.dead(group), min=letter_id, max=letter_id)
    return _letter(group, *found[0]) if found else None


async def replay(redis: Redis, group: str, letter_id: str) -> bool:
    """Have the handler tried again, at once, by whoever reads the partition. False: no such letter."""
    found: Any = await redis.xrange(names.dead(group), min=letter_id, max=letter_id)
    if not found:
        return False
    fields: Mapping[bytes, bytes] = found[0][1]
    letter = _letter(group, letter_id.encode(), fields)
    original = {name: value for name, value in fields.items() if name not in OWN_FIELDS}
    field: Any = field_of(letter.entry_id.encode(), letter.handler)
    record: Any = encode(original, failures=0, starts=0)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(names.delayed(group, letter.partition), field, record)
        pipe.zadd(names.due(group, letter.partition), {field: 0})
        pipe.xdel(names.dead(group), letter_id)
        await pipe.execute()
    return True


async def drop(redis: Redis, group: str, letter_id: str) -> bool:
    """Delete a dead letter. False: there was none."""
    return int(await redis.xdel(names.dead(group), letter_id)) > 0


async def prune(redis: Redis, group: str, *, now: datetime) -> int:
    """Delete the letters older than KEPT_DAYS and return how many."""
    oldest = int((now.timestamp() - KEPT_DAYS * 86_400) * 1000)
    return int(await redis.xtrim(names.dead(group), minid=f"{oldest}-0", approximate=False))


def _letter(group: str, letter_id: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode(errors="replace")

    def number(name: bytes) -> int:
        try:
            return int(fields.get(name, b"0"))
        except ValueError:
            return 0

    return DeadLetter(
        id=letter_id.decode(),
        group=group,
        entry_id=text(b"id"),
        partition=number(b"p"),
        event=text(b"t"),
        guild_id=number(b"g"),
        handler=text(b"h"),
        failures=number(b"n"),
        why=text(b"why"),
        error=text(b"error"),
        trace=text(b"trace"),
        payload_bytes=len(fields.get(b"d", b"")),
    )
