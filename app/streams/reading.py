"""Bring work in: new entries, what is pending and unknown here, and what is due to be tried again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from app.adapters.redis.cancellation import end_if_cancelled
from app.observability import metrics
from app.streams.delayed import Delayed
from app.streams.entry import Entry
from app.streams.failure import describe
from app.streams.gate import Gate
from app.streams.holdings import Holdings
from app.streams.intake import GroupMissing, Intake, create_group
from app.streams.partition import Partition
from app.streams.waiting import Waiting

log = logging.getLogger(__name__)

READ_COUNT = 64
"""Entries per partition and read."""
READ_SECONDS = 0.5
"""How long a read waits for entries; well below the life of a lease."""
DELAYED_SECONDS = 0.5
DELAYED_MOST = 2_000
"""A partition with more delayed work than this is not read: nearly everything fails."""
SWEEP_SECONDS = 10.0
BACKOFF = ExponentialWithJitterBackoff(cap=3.0, base=0.1)


class Reading:
    """The reading side of a group; `take_in`, `left_over` and `pump` are the consumer's."""

    def __init__(
        self,
        redis: Redis,
        group: str,
        *,
        intake: Intake,
        waiting: Waiting,
        gate: Gate,
        take_in: Callable[[list[Entry]], None],
        left_over: Callable[[Partition, list[Entry]], None],
        pump: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._group = group
        self._intake = intake
        self._delayed = Delayed(redis, group)
        self._waiting = waiting
        self._gate = gate
        self._take_in, self._left_over, self._pump = take_in, left_over, pump
        self._room = asyncio.Event()
        self._sweep_at = 0.0
        self.partitions: frozenset[int] = frozenset()
        """Those of which a read that is under way may still bring entries."""

    def wake(self) -> None:
        """Look again: there may be room, or another partition."""
        self._room.set()

    async def read(self, holdings: Holdings, stop: asyncio.Event) -> None:
        """Read until `stop`."""
        failures = 0
        while not stop.is_set():
            end_if_cancelled()
            usable = holdings.usable()
            readable = [partition.number for partition in usable if partition.put_off < DELAYED_MOST]
            if not readable or not self._waiting.has_room or self._gate.remaining():
                self._room.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(READ_SECONDS / 2):
                        await self._room.wait()
                continue
            self.partitions = frozenset(readable)
            try:
                if time.monotonic() >= self._sweep_at:
                    await self._sweep(usable)
                self._take_in(await self._intake.read(readable, count=READ_COUNT, block=READ_SECONDS))
                failures = 0
            except (RedisError, GroupMissing) as error:
                failures += 1
                # The reply that was lost may have held entries: they are pending for us and unknown to us.
                self._sweep_at = 0.0
                await self._recover(error, failures, stop)
            finally:
                self.partitions = frozenset()

    async def _recover(self, error: Exception, failures: int, stop: asyncio.Event) -> None:
        log.log(
            logging.WARNING if failures == 1 else logging.DEBUG,
            "events not read",
            extra={"group": self._group, "error": type(error).__name__, "failures": failures},
        )
        if isinstance(error, GroupMissing):
            with suppress(RedisError):
                await create_group(self._redis, self._group)
        with suppress(TimeoutError):
            async with asyncio.timeout(BACKOFF.compute(failures)):
                await stop.wait()

    async def _sweep(self, usable: list[Partition]) -> None:
        """Take in what is pending in our partitions and unknown here. No read is under way meanwhile."""
        pending = await self._intake.pending([partition.number for partition in usable])
        for partition, count in zip(usable, pending, strict=True):
            if count != len(partition.pending):
                await self._take_left_over(partition)
            await self._intake.forget_dead_consumers(partition.number)
        self._sweep_at = time.monotonic() + SWEEP_SECONDS

    async def _take_left_over(self, partition: Partition) -> None:
        # An entry that is acknowledged while we look is pending in the answer and no longer known after it.
        before = frozenset(partition.pending)

        def known(entry_id: bytes) -> bool:
            return entry_id in before or entry_id in partition.pending

        self._left_over(partition, await self._intake.left_over(partition.number, known))

    async def try_again(self, holdings: Holdings, stop: asyncio.Event) -> None:
        """Bring in what is due to be tried again, until `stop`."""
        while not stop.is_set():
            end_if_cancelled()
            with suppress(TimeoutError):
                async with asyncio.timeout(DELAYED_SECONDS):
                    await stop.wait()
            usable = holdings.usable()
            if self._gate.remaining() or not usable:
                continue
            try:
                backlog = await self._delayed.look([partition.number for partition in usable])
            except RedisError as error:
                log.debug("delayed work not read", extra={"group": self._group, "error": describe(error)})
                continue
            metrics.STREAM_DELAYED.labels(self._group).set(sum(backlog.waiting.values()))
            for partition in usable:
                partition.put_off = backlog.waiting[partition.number]
            for entry in backlog.due:
                partition = next(found for found in usable if found.number == entry.partition)
                assert entry.field is not None
                current = holdings.is_current(partition) and not partition.leaving
                if current and entry.field not in partition.delayed:
                    partition.delayed.add(entry.field)
                    self._waiting.add_first(entry)
            self._pump()
