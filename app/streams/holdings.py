"""Which partitions this worker serves for a group: gained, made ready, given up, lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from redis.asyncio import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.redis.cancellation import end_if_cancelled
from app.errors import AppError
from app.observability import metrics
from app.streams import store
from app.streams.entry import Entry
from app.streams.failure import describe
from app.streams.intake import GroupMissing, Intake, create_group
from app.streams.leases import RENEWALS, Leases
from app.streams.partition import Partition

log = logging.getLogger(__name__)

STORE_ERRORS = (RedisError, GroupMissing, psycopg.Error, AppError)
BACKOFF = ExponentialWithJitterBackoff(cap=3.0, base=0.1)


class Holdings:
    """The partitions of one group in one worker.

    `gained(partition, left_over)` is called when a partition may be read; `dropped(partition)` when nothing more of
    it may be begun. `being_read()` tells which partitions a read that is under way may still bring entries of.
    """

    def __init__(
        self,
        redis: Redis,
        postgres: Pool,
        leases: Leases,
        intake: Intake,
        group: str,
        *,
        gained: Callable[[Partition, list[Entry]], None],
        dropped: Callable[[Partition], None],
        being_read: Callable[[], frozenset[int]],
    ) -> None:
        self._redis = redis
        self._postgres = postgres
        self._leases = leases
        self._intake = intake
        self._group = group
        self._gained, self._dropped, self._being_read = gained, dropped, being_read
        self._partitions: dict[int, Partition] = {}
        self._nudge = asyncio.Event()
        self._activation: asyncio.Task[None] | None = None
        self._departing = False
        self._departed = asyncio.Event()
        self.renewed_at = 0.0

    def find(self, number: int) -> Partition | None:
        """Return the partition if it is held."""
        return self._partitions.get(number)

    def is_current(self, partition: Partition) -> bool:
        """Tell whether the partition is held, and under the same lease."""
        return self._partitions.get(partition.number) is partition

    def usable(self) -> list[Partition]:
        """Return the partitions of which entries may be begun."""
        now = time.monotonic()
        return [partition for partition in self._partitions.values() if partition.usable(now)]

    def held(self) -> list[Partition]:
        """Return all partitions held."""
        return list(self._partitions.values())

    @property
    def settled(self) -> bool:
        """True while leases are renewed and every partition that stays is ready."""
        fresh = time.monotonic() - self.renewed_at < self._leases.seconds
        return fresh and all(partition.active for partition in self._partitions.values())

    def nudge(self) -> None:
        """Look at once: a partition may have become idle, or a lease may be stale."""
        self._nudge.set()

    def drop(self, partition: Partition, change: str) -> None:
        """Forget a partition that is no longer ours."""
        if self.is_current(partition):
            del self._partitions[partition.number]
            self._dropped(partition)
            if change == "lost":
                log.warning("lease lost", extra={"group": self._group, "partition": partition.number})
            metrics.STREAM_LEASE_CHANGES.labels(self._group, change).inc()
            metrics.STREAM_PARTITIONS.labels(self._group).set(len(self._partitions))

    def depart(self) -> None:
        """Give up everything as soon as it is idle, and take nothing any more."""
        self._departing = True
        self._nudge.set()

    async def departed(self) -> None:
        """Wait until everything is given up."""
        await self._departed.wait()

    async def run(self) -> None:
        """Renew, take and give up until departed."""
        failures = 0
        interval = self._leases.seconds / RENEWALS
        try:
            while not self._departed.is_set():
                end_if_cancelled()
                self._nudge.clear()
                pause = interval
                try:
                    await self._look()
                    failures = 0
                except RedisError as error:
                    failures += 1
                    pause = min(interval, BACKOFF.compute(failures))
                    if failures == 1:
                        log.warning(
                            "leases not renewed", extra={"group": self._group, "error": describe(error)}
                        )
                    self._expire()
                if self._departing and not self._partitions and not failures:
                    self._departed.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._nudge.wait()
        finally:
            if self._activation is not None:
                self._activation.cancel()

    async def _look(self) -> None:
        leaving = [partition.number for partition in self._partitions.values() if partition.leaving]
        share, held = await self._leases.renew(leaving=leaving, take_part=not self._departing)
        self.renewed_at = time.monotonic()
        for partition in self.held():
            lease = held.get(partition.number)
            if lease is None or lease.token != partition.lease.token:
                self.drop(partition, "lost")
            else:
                partition.lease = lease
        for number, lease in held.items():
            if number not in self._partitions:
                self._partitions[number] = Partition(number, lease)
                metrics.STREAM_LEASE_CHANGES.labels(self._group, "gained").inc()
        metrics.STREAM_PARTITIONS.labels(self._group).set(len(self._partitions))
        self._leave_surplus(share)
        await self._release_idle()
        waiting = [p for p in self._partitions.values() if not p.active and not p.leaving]
        if waiting and (self._activation is None or self._activation.done()):
            self._activation = asyncio.create_task(self._activate(waiting), name=f"activate:{self._group}")

    def _leave_surplus(self, share: int) -> None:
        staying = sorted(
            (p for p in self._partitions.values() if not p.leaving), key=lambda p: (p.active, p.number)
        )
        # Those that are not ready yet go first: they cost nothing to give up.
        for partition in staying[: max(0, len(staying) - share)]:
            partition.leaving = True
            self._dropped(partition)

    async def _release_idle(self) -> None:
        being_read = self._being_read()
        idle = [p for p in self._partitions.values() if p.leaving and p.idle and p.number not in being_read]
        if idle:
            await self._leases.release([partition.number for partition in idle])
            for partition in idle:
                self.drop(partition, "given_up")

    def _expire(self) -> None:
        """Drop what has not been renewed in time: another worker may have it."""
        now = time.monotonic()
        for partition in self.held():
            if now >= partition.lease.valid_until:
                self.drop(partition, "lost")

    async def _activate(self, partitions: list[Partition]) -> None:
        """Shut out older leases, then take in what is left over. What fails is tried again at the next look."""
        numbers = [partition.number for partition in partitions]
        try:
            await create_group(self._redis, self._group, partitions=numbers)
            tokens = {partition.number: partition.lease.token for partition in partitions}
            async with transaction(self._postgres) as conn:
                newest = await store.raise_fences(conn, self._group, tokens)
            for partition in partitions:
                if newest[partition.number] > partition.lease.token:
                    # Redis forgot its tokens and its clock went back: continue above what PostgreSQL knows.
                    self._leases.floor = max(self._leases.floor, newest[partition.number])
                    await self._leases.release([partition.number])
                    self.drop(partition, "lost")
                    continue
                left_over = await self._intake.left_over(partition.number, partition.pending.__contains__)
                if self.is_current(partition) and not partition.leaving:
                    partition.active = True
                    self._gained(partition, left_over)
                await self._intake.forget_dead_consumers(partition.number)
        except STORE_ERRORS as error:
            log.warning(
                "partitions not ready yet",
                extra={"group": self._group, "partitions": numbers, "error": describe(error)},
            )
