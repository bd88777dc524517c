"""Consume the event streams as one group: read → claim the event in the handler's own transaction → handle →
commit → acknowledge.

Theory. Delivery is at least once; an effect happens once because it is claimed (`store.claim`). A worker holds
leases on some partitions (leases.py, holdings.py) and is their only reader. Four loops share the state:

    holdings        every second: renew, take in what was gained, drop what was lost, give up what is too much
    reading         new entries of the partitions held; now and then, what is pending but unknown here
    delayed         what is due to be tried again → front of its guild's line
    acknowledging   successes, in batches that form by themselves

and a pump that begins an entry whenever there is room: guilds take turns (fair_queue.py), at most `concurrency`
entries run, none while the gate is closed (gate.py).

What an entry goes through: pending in Redis → waiting → running → acknowledged; or put off (delayed.py: in Redis
and acknowledged), or a dead letter. A worker that dies leaves entries pending; the next holder of the lease takes
them over, in order, before it reads anything new. A worker that stops leaves what it has not begun in the same
way.

Order. Within a guild entries are begun in the order of the stream, and one ends before the next begins unless the
handlers allow more (`parallel`). What fails steps aside and comes later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from app.adapters.postgres.pool import Pool
from app.observability import metrics
from app.services import Services
from app.streams.acknowledging import Acknowledging
from app.streams.discovery import Group
from app.streams.entry import ALL_HANDLERS, Entry
from app.streams.failure import Again, Dead, describe, frames
from app.streams.gate import DeadLetterLimit, Gate
from app.streams.handling import Handling, Outcome
from app.streams.holdings import Holdings
from app.streams.intake import GroupMissing, Intake
from app.streams.leases import LEASE_SECONDS, Leases
from app.streams.partition import Partition
from app.streams.reading import Reading
from app.streams.settlement import Failed, Settlement
from app.streams.waiting import Waiting

log = logging.getLogger(__name__)

CONCURRENCY = 16
CRASHES = 8
"""An entry that was begun so often and never ended kills its worker: a dead letter."""
HELD_BACK_SECONDS = 60.0
BACKOFF = ExponentialWithJitterBackoff(cap=3.0, base=0.1)


@dataclass(frozen=True, slots=True)
class Status:
    """What /health tells about a group. `paused` is the reason, empty when it is not."""

    partitions: tuple[int, ...]
    waiting: int
    running: int
    paused: str
    settled: bool


class GroupConsumer:
    """One group in one worker. `blocking`: a client whose socket timeout exceeds `reading.READ_SECONDS`."""

    def __init__(
        self,
        group: Group,
        services: Services,
        *,
        redis: Redis,
        blocking: Redis,
        postgres: Pool,
        worker: str,
        concurrency: int = CONCURRENCY,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.name = name = group.name
        self._handling = Handling(group, services)
        self._intake = Intake(redis, blocking, name, worker)
        self._settlement = Settlement(redis, name)
        self._waiting = Waiting(parallel=group.parallel)
        self._gate = Gate(width=concurrency)
        self._limit = DeadLetterLimit()
        self._handled = metrics.STREAM_HANDLED.labels(name)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._reading = Reading(
            redis,
            name,
            intake=self._intake,
            waiting=self._waiting,
            gate=self._gate,
            take_in=self._take_in,
            left_over=self._left_over,
            pump=self._pump,
        )
        self._holdings = Holdings(
            redis,
            postgres,
            Leases(redis, name, worker, seconds=lease_seconds),
            self._intake,
            name,
            gained=self._left_over,
            dropped=self._dropped,
            being_read=lambda: self._reading.partitions,
        )
        self._acknowledging = Acknowledging(self._settlement, idle=lambda _: self._holdings.nudge())

    def status(self) -> Status:
        """Return what the group is doing."""
        return Status(
            partitions=tuple(sorted(partition.number for partition in self._holdings.held())),
            waiting=len(self._waiting),
            running=len(self._tasks),
            paused=self._gate.reason,
            settled=self._holdings.settled,
        )

    async def run(self, stop: asyncio.Event, *, grace: float) -> None:
        """Consume until `stop` is set; then finish what runs within `grace` seconds and give up the partitions."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._run(tasks, stop, grace)
        finally:
            # Also when a loop failed or this was cancelled: nothing may be begun any more.
            self._stop.set()
            for task in self._tasks:
                task.cancel()

    async def _run(self, tasks: asyncio.TaskGroup, stop: asyncio.Event, grace: float) -> None:
        clock = asyncio.get_running_loop().time
        holdings = tasks.create_task(self._holdings.run(), name=f"{self.name}:holdings")
        acknowledging = tasks.create_task(self._acknowledging.run(), name=f"{self.name}:acknowledging")
        incoming = [
            tasks.create_task(self._reading.read(self._holdings, self._stop), name=f"{self.name}:reading"),
            tasks.create_task(
                self._reading.try_again(self._holdings, self._stop), name=f"{self.name}:delayed"
            ),
        ]
        try:
            await stop.wait()
        finally:
            self._stop.set()
            self._reading.wake()
        deadline = clock() + grace
        self._holdings.depart()
        await asyncio.wait(incoming, timeout=grace)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline - clock()))
        for task in [*self._tasks, *incoming]:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(1.0, deadline - clock())):
                await self._holdings.departed()
        for task in (holdings, acknowledging):
            task.cancel()

    # What comes in

    def _left_over(self, partition: Partition, entries: list[Entry]) -> None:
        if entries:
            metrics.STREAM_TAKEN_OVER.labels(self.name).inc(len(entries))
            log.info(
                "entries taken over",
                extra={"group": self.name, "partition": partition.number, "entries": len(entries)},
            )
        self._take_in(entries)
        self._reading.wake()

    def _dropped(self, partition: Partition) -> None:
        """Forget what waits; it stays pending in Redis for the next holder."""
        self._waiting.drop(partition.number)
        self._reading.wake()

    def _take_in(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            partition = self._holdings.find(entry.partition)
            if partition is None or not partition.active or partition.leaving:
                continue
            partition.pending.add(entry.id)
            if entry.fields is None:
                self._body_is_gone(entry, partition)
            elif not self._handling.wants(entry):
                metrics.STREAM_SKIPPED.labels(self.name).inc()
                self._acknowledging.add(entry, partition)
            else:
                self._waiting.add(entry)
        self._pump()

    def _body_is_gone(self, entry: Entry, partition: Partition) -> None:
        metrics.STREAM_LOST.labels(self.name).inc()
        log.error(
            "an entry was trimmed before it was handled",
            extra={"group": self.name, "partition": entry.partition, "entry": entry.id.decode()},
        )
        self._acknowledging.add(entry, partition)

    # What runs

    def _pump(self) -> None:
        """Begin entries while there is room."""
        now = time.monotonic()
        while not self._stop.is_set() and self._gate.allows(len(self._tasks)):
            entry = self._waiting.take()
            if entry is None:
                break
            partition = self._holdings.find(entry.partition)
            if partition is None or not partition.usable(now):
                # Ours no more, or not for sure: it is pending in Redis and will be taken in again.
                self._waiting.done(entry)
                if partition is not None:
                    self._holdings.drop(partition, "lost")
                continue
            partition.running += 1
            self._tasks.add(asyncio.create_task(self._work(entry, partition)))
        if self._waiting.has_room:
            self._reading.wake()

    async def _work(self, entry: Entry, partition: Partition) -> None:
        try:
            try:
                outcome = await self._attempt(entry, partition)
            except (RedisError, GroupMissing) as error:
                outcome = Outcome(unavailable=describe(error))
            await self._settle(entry, partition, outcome)
        except Exception as error:
            # A fault of ours, not of a handler: the entry keeps its place.
            log.error("an entry could not be settled", extra={"group": self.name, "trace": frames(error)})
            self._put_back(entry, partition, describe(error))
        finally:
            partition.running -= 1
            self._waiting.done(entry)
            task = asyncio.current_task()
            assert task is not None
            self._tasks.discard(task)
            if partition.leaving:
                self._holdings.nudge()
            self._pump()

    async def _attempt(self, entry: Entry, partition: Partition) -> Outcome:
        if entry.fields is None:
            await self._fetch(entry)
            if entry.fields is None:
                return Outcome(gone=True)
        if entry.taken_over:
            if entry.starts >= CRASHES:
                return Outcome([Failed(ALL_HANDLERS, Dead("crash", entry.starts), None)])
            await self._intake.count_start(entry)
            entry.taken_over = False
        return await self._handling.run(entry, partition.fence(self.name))

    async def _fetch(self, entry: Entry) -> None:
        """Fetch the body, and those of the next ones of the guild, which will be needed soon."""
        wanted = [entry, *self._waiting.without_body(entry.guild_id)]
        bodies = await self._intake.bodies(entry.partition, [one.id for one in wanted])
        entry.fields = bodies[0]
        for one, body in zip(wanted[1:], bodies[1:], strict=True):
            if body is not None:
                self._waiting.fill(one, body)

    # What comes of it

    async def _settle(self, entry: Entry, partition: Partition, outcome: Outcome) -> None:
        if outcome.lost:
            metrics.STREAM_STALE_CLAIMS.labels(self.name).inc()
            self._holdings.drop(partition, "lost")
            self._holdings.nudge()
        elif outcome.gone:
            self._body_is_gone(entry, partition)
        elif outcome.unavailable is not None:
            self._put_back(entry, partition, outcome.unavailable)
        elif outcome.failed:
            failed = [self._within_limit(entry, one) for one in outcome.failed]
            await self._settle_failed(entry, partition, failed)
        else:
            self._handled.inc()
            self._gate.success()
            self._limit.success()
            self._acknowledging.add(entry, partition)

    def _put_back(self, entry: Entry, partition: Partition, reason: str) -> None:
        self._pause("store", reason)
        if self._holdings.is_current(partition) and not partition.leaving:
            self._waiting.add_first(entry)

    def _within_limit(self, entry: Entry, failed: Failed) -> Failed:
        """Hold a dead letter back when too many of them come: then the fault is ours."""
        if not isinstance(failed.verdict, Dead) or self._limit.allow():
            return failed
        self._pause("dead_letters", "too many of the last events failed for good: is this release broken?")
        return Failed(failed.handler, Again(HELD_BACK_SECONDS, entry.failures), failed.error)

    def _pause(self, reason: str, text: str) -> None:
        if self._gate.remaining():
            return
        seconds = self._gate.pause(text)
        metrics.STREAM_PAUSES.labels(self.name, reason).inc()
        log.error("group paused", extra={"group": self.name, "reason": text, "seconds": round(seconds, 1)})
        asyncio.get_running_loop().call_later(seconds + 0.01, self._pump)

    async def _settle_failed(self, entry: Entry, partition: Partition, failed: list[Failed]) -> None:
        failures = 0
        while self._holdings.is_current(partition):
            try:
                await self._settlement.failed(entry, failed)
            except RedisError as error:
                failures += 1
                self._pause("store", describe(error))
                await asyncio.sleep(BACKOFF.compute(failures))
                continue
            partition.forget(entry)
            for one in failed:
                if isinstance(one.verdict, Again):
                    metrics.STREAM_RETRIED.labels(self.name).inc()
                    continue
                why = one.verdict.why
                metrics.STREAM_DEAD_LETTERS.labels(self.name, why).inc()
                log.error(
                    "dead letter",
                    extra={
                        "group": self.name,
                        "handler": one.handler,
                        "entry": entry.id.decode(),
                        "reason": why,
                    },
                )
            return
