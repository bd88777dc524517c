"""Acknowledge what succeeded, in batches that form by themselves: what comes while one is under way is the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from app.adapters.redis.cancellation import end_if_cancelled
from app.streams.entry import Entry
from app.streams.partition import Partition
from app.streams.settlement import Settlement

BACKOFF = ExponentialWithJitterBackoff(cap=3.0, base=0.1)


class Acknowledging:
    """The acknowledgements of one group; `idle(partition)` is called when one that is leaving has none left."""

    def __init__(self, settlement: Settlement, *, idle: Callable[[Partition], None]) -> None:
        self._settlement = settlement
        self._idle = idle
        self._ended: list[tuple[Entry, Partition]] = []
        self._wake = asyncio.Event()

    def add(self, entry: Entry, partition: Partition) -> None:
        """Have the entry acknowledged, also when the partition is lost by now: its effect has happened."""
        partition.unacknowledged += 1
        self._ended.append((entry, partition))
        self._wake.set()

    async def run(self) -> None:
        """Acknowledge until cancelled; while Redis is away, keep everything and try again."""
        failures = 0
        while True:
            end_if_cancelled()
            await self._wake.wait()
            self._wake.clear()
            batch, self._ended = self._ended, []
            try:
                await self._settlement.succeeded([entry for entry, _ in batch])
            except RedisError:
                failures += 1
                self._ended = [*batch, *self._ended]
                self._wake.set()
                await asyncio.sleep(BACKOFF.compute(failures))
                continue
            failures = 0
            for entry, partition in batch:
                partition.unacknowledged -= 1
                partition.forget(entry)
                if partition.leaving and partition.idle:
                    self._idle(partition)
