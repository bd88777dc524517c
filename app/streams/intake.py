"""Read entries from the event streams, and find again what was read and never ended.

An entry that was delivered stays pending for its consumer until it is acknowledged. Whoever holds the lease of
a partition is the only rightful reader of it, so everything pending there that is not in its memory is left
over: by a worker that died, or by a reply that was lost on the way. It is taken over in the order of the stream.

XPENDING + XCLAIM rather than XAUTOCLAIM: the first tells how often an entry was begun (one that kills its
worker is thereby found), and both behave alike on Redis 6.2 and 7 for entries that are deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.events.envelope import PARTITIONS, stream_name
from app.streams import names
from app.streams.entry import Entry, Fields, guild_of

PAGE = 500


class GroupMissing(Exception):
    """Redis does not know the consumer group: it lost its data."""


class Intake:
    """The reading side of one group for one worker. `blocking`: a client whose socket timeout exceeds the block."""

    def __init__(self, redis: Redis, blocking: Redis, group: str, worker: str) -> None:
        self._redis = redis
        self._blocking = blocking
        self._group = group
        self._worker = worker
        text = files(__package__).joinpath("bury.lua").read_text(encoding="utf-8")
        self._bury = redis.register_script(text)

    async def read(self, partitions: Iterable[int], *, count: int, block: float) -> list[Entry]:
        """Wait up to `block` seconds for new entries, at most `count` per partition.

        Raises GroupMissing or RedisError.
        """
        streams: dict[Any, Any] = {stream_name(partition): ">" for partition in partitions}
        try:
            reply: Any = await self._blocking.xreadgroup(
                self._group, self._worker, streams, count=count, block=int(block * 1000)
            )
        except ResponseError as error:
            raise _translated(error) from None
        entries: list[Entry] = []
        for name, found in reply or ():
            partition = int(name.rpartition(b":")[2])
            entries += [
                Entry(partition, entry_id, guild_of(fields), fields) for entry_id, fields in found if fields
            ]
        return entries

    async def left_over(self, partition: int, known: Callable[[bytes], bool]) -> list[Entry]:
        """Take over what is pending in the partition and not `known`, in order, with bodies.

        An entry whose body is gone (trimmed by the hard cap) comes with `fields` None. Raises GroupMissing or
        RedisError.
        """
        stream = stream_name(partition)
        entries: list[Entry] = []
        start = "-"
        try:
            while True:
                page: list[Any] = await self._redis.xpending_range(stream, self._group, start, "+", PAGE)
                unknown = [item for item in page if not known(item["message_id"])]
                foreign = [
                    item["message_id"] for item in unknown if item["consumer"] != self._worker.encode()
                ]
                if foreign:
                    await self._redis.xclaim(stream, self._group, self._worker, 0, foreign, justid=True)
                bodies = await self.bodies(partition, [item["message_id"] for item in unknown])
                entries += [
                    Entry(
                        partition,
                        item["message_id"],
                        guild_of(body or {}),
                        body,
                        starts=item["times_delivered"],
                        taken_over=True,
                    )
                    for item, body in zip(unknown, bodies, strict=True)
                ]
                if len(page) < PAGE:
                    return entries
                start = f"({page[-1]['message_id'].decode()}"
        except ResponseError as error:
            raise _translated(error) from None

    async def pending(self, partitions: Sequence[int]) -> list[int]:
        """Return how many entries are pending in each partition. Raises GroupMissing, RedisError."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for partition in partitions:
                    pipe.xpending(stream_name(partition), self._group)
                return [int(summary["pending"]) for summary in await pipe.execute()]
        except ResponseError as error:
            raise _translated(error) from None

    async def bodies(self, partition: int, ids: Sequence[bytes]) -> list[Fields | None]:
        """Fetch the fields of these entries; None for one that is gone. Raises RedisError."""
        if not ids:
            return []
        stream = stream_name(partition)
        async with self._redis.pipeline(transaction=False) as pipe:
            for entry_id in ids:
                pipe.xrange(stream, entry_id.decode(), entry_id.decode())
            return [found[0][1] if found else None for found in await pipe.execute()]

    async def count_start(self, entry: Entry) -> None:
        """Note that a taken-over entry is begun once more, so that one that kills its worker is found out."""
        await self._redis.xclaim(
            stream_name(entry.partition),
            self._group,
            self._worker,
            0,
            [entry.id],
            retrycount=entry.starts + 1,
            justid=True,
        )

    async def forget_dead_consumers(self, partition: int) -> None:
        """Delete consumers of the group that have nothing pending and whose worker is gone. Raises RedisError."""
        await self._bury(
            keys=[stream_name(partition), names.workers(self._group)], args=[self._group, self._worker]
        )


async def create_group(redis: Redis, group: str, *, partitions: Iterable[int] = range(PARTITIONS)) -> None:
    """Create the group in every partition, from the beginning of the stream, where it is missing.

    From the beginning: what the ingester wrote before the first worker started is handled too. Raises RedisError.
    """
    async with redis.pipeline(transaction=False) as pipe:
        for partition in partitions:
            pipe.xgroup_create(stream_name(partition), group, id="0", mkstream=True)
        for result in await pipe.execute(raise_on_error=False):
            if isinstance(result, Exception) and "BUSYGROUP" not in str(result):
                raise result


def _translated(error: ResponseError) -> Exception:
    return GroupMissing(str(error)) if "NOGROUP" in str(error) or "no such key" in str(error) else error
