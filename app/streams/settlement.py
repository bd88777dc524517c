"""Tell Redis how a piece of work ended.

Successes are acknowledged in batches that form by themselves under load; anything else is one atomic script per
entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from app.events.envelope import stream_name
from app.streams import names
from app.streams.dead_letters import KEPT, letter_fields
from app.streams.delayed import encode, field_of
from app.streams.entry import Entry
from app.streams.failure import Again, Dead


@dataclass(frozen=True, slots=True)
class Failed:
    """A handler (`*`: all) that did not succeed, and what follows."""

    handler: str
    verdict: Again | Dead
    error: BaseException | None


class Settlement:
    """Ends the work of one group."""

    def __init__(self, redis: Redis, group: str) -> None:
        self._redis = redis
        self._group = group
        text = files(__package__).joinpath("settle.lua").read_text(encoding="utf-8")
        self._settle = redis.register_script(text)

    async def succeeded(self, entries: Sequence[Entry]) -> None:
        """Acknowledge these; take those that were tried again out of the delayed set. Raises RedisError."""
        acknowledged: dict[int, list[Any]] = defaultdict(list)
        ended: dict[int, list[Any]] = defaultdict(list)
        for entry in entries:
            if entry.field is None:
                acknowledged[entry.partition].append(entry.id)
            else:
                ended[entry.partition].append(entry.field)
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition, ids in acknowledged.items():
                pipe.xack(stream_name(partition), self._group, *ids)
            for partition, fields in ended.items():
                # Due time first: a field without it is never tried again, one without a record is swept away.
                pipe.zrem(names.due(self._group, partition), *fields)
                pipe.hdel(names.delayed(self._group, partition), *fields)
            await pipe.execute()

    async def failed(self, entry: Entry, failures: Sequence[Failed]) -> None:
        """Put each failed handler off or make it a dead letter, and end the entry. Raises RedisError."""
        retries: list[Any] = []
        letters: list[Any] = []
        for failure in failures:
            verdict = failure.verdict
            if isinstance(verdict, Again):
                assert entry.fields is not None
                record = encode(entry.fields, failures=verdict.failures, starts=0)
                retries += [field_of(entry.id, failure.handler), record, int(verdict.seconds * 1000)]
            else:
                fields = letter_fields(
                    entry, failure.handler, failures=verdict.failures, why=verdict.why, error=failure.error
                )
                flat = [part for pair in fields.items() for part in pair]
                letters += [len(flat), *flat]
        await self._settle(
            keys=[
                stream_name(entry.partition),
                names.delayed(self._group, entry.partition),
                names.due(self._group, entry.partition),
                names.dead(self._group),
            ],
            args=[
                self._group,
                entry.id if entry.field is None else b"",
                entry.field or b"",
                KEPT,
                len(retries) // 3,
                *retries,
                sum(isinstance(failure.verdict, Dead) for failure in failures),
                *letters,
            ],
        )
