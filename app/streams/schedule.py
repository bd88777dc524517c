"""Delayed work: rows of `streams.schedule`, done at their time by whichever worker is free.

A caller schedules in its own transaction (`store.schedule`), so the work exists exactly when the caller's change
does. A worker takes due rows for a few seconds (FOR UPDATE SKIP LOCKED, one short transaction), holds on to them while
their handlers run, and removes them. If it dies, the time passes and another worker takes the rows: a handler
runs at least once.
For an effect that happens once the handler removes the row itself, in the transaction of the effect:

    @scheduled("moderation.unban")
    async def unban(job: Scheduled, *, postgres: ..., cases: Cases) -> None:
        async with transaction(pool) as conn:
            if not await finish(conn, job):
                return          # cancelled, scheduled anew, or another worker has it
            await cases.close(conn, job.payload["case"])

Failures follow the same ladder and words as events (retry.py); what is given up stays as a row and is shown by
`gatehouse dead-letters`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
from redis.backoff import ExponentialWithJitterBackoff

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.redis.cancellation import end_if_cancelled
from app.errors import AppError
from app.observability import metrics
from app.services import Services, bind
from app.streams import store
from app.streams.declare import Job
from app.streams.failure import Again, Dead, describe, frames, is_unavailable, judge
from app.streams.store import Scheduled

log = logging.getLogger(__name__)

CONCURRENCY = 8
POLL_SECONDS = 5.0
"""Work that is due at once wakes the workers by NOTIFY, later work is waited for: this is only the safety net."""
TAKEN_SECONDS = 10.0
"""A row is taken for so long, and held on to while its handler runs: a dead worker's work moves on after it."""
HOLD_SECONDS = 3.0
UNAVAILABLE_SECONDS = 5.0
BACKOFF = ExponentialWithJitterBackoff(cap=5.0, base=0.2)
ERRORS = (psycopg.Error, AppError)


class Schedule:
    """The scheduled work of one worker. Raises MissingService when it is made."""

    def __init__(
        self,
        jobs: Sequence[Job],
        services: Services,
        *,
        postgres: Pool,
        database_url: str,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._jobs = {job.kind: job for job in jobs}
        self._services = {job.kind: bind(job.function, services) for job in jobs}
        self._postgres = postgres
        self._url = database_url
        self._concurrency = concurrency
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Scheduled] = {}
        self._full = False

    @property
    def running(self) -> int:
        """How many handlers are at work."""
        return len(self._running)

    async def run(self, stop: asyncio.Event, *, grace: float) -> None:
        """Do due work until `stop`; then finish what runs within `grace` seconds and give back the rest."""
        if not self._jobs:
            await stop.wait()
            return
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(), name="schedule:listening")
            polling = tasks.create_task(self._poll(stop), name="schedule:polling")
            holding = tasks.create_task(self._hold(), name="schedule:holding")
            await stop.wait()
            self._wake.set()
            listening.cancel()
            await polling
            if self._running:
                await asyncio.wait(self._running, timeout=grace)
            await self._give_back()
            holding.cancel()

    async def _hold(self) -> None:
        while True:
            end_if_cancelled()
            await asyncio.sleep(HOLD_SECONDS)
            if not self._running:
                continue
            try:
                async with transaction(self._postgres) as conn:
                    await store.keep_taken(conn, list(self._running.values()), seconds=TAKEN_SECONDS)
            except ERRORS as error:
                log.warning("scheduled work not held on to", extra={"error": describe(error)})

    async def _poll(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            end_if_cancelled()
            self._wake.clear()
            try:
                pause = await self._take()
                failures = 0
            except ERRORS as error:
                failures += 1
                pause = BACKOFF.compute(failures)
                if failures == 1:
                    log.warning("schedule not read", extra={"error": describe(error)})
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _take(self) -> float:
        """Begin what is due, as far as there is room; return the seconds until the next look."""
        room = self._concurrency - len(self._running)
        self._full = room <= 0
        if self._full:
            return POLL_SECONDS
        kinds = list(self._jobs)
        async with transaction(self._postgres) as conn:
            due = await store.take_due(conn, kinds, limit=room, seconds=TAKEN_SECONDS)
            wait = await store.seconds_to_next(conn, kinds)
        for job in sorted(due, key=lambda one: one.due_at):
            task = asyncio.create_task(self._work(job), name=f"schedule:{job.kind}")
            self._running[task] = job
        self._full = len(due) == room
        if self._full or wait is None:
            return POLL_SECONDS
        return min(POLL_SECONDS, max(0.02, wait))

    async def _work(self, job: Scheduled) -> None:
        declared = self._jobs[job.kind]
        started = time.perf_counter()
        if job.attempts == 1:
            late = (datetime.now(UTC) - job.due_at).total_seconds() * 1000
            metrics.SCHEDULE_LATE_MS.labels(job.kind).observe(max(0.0, late))
        try:
            error: Exception | None = None
            try:
                async with asyncio.timeout(declared.seconds):
                    await declared.function(job, **self._services[job.kind])
            except Exception as caught:
                error = caught
            metrics.SCHEDULE_MS.labels(job.kind).observe((time.perf_counter() - started) * 1000)
            outcome = await self._settle(declared, job, error)
            metrics.SCHEDULE_FINISHED.labels(job.kind, outcome).inc()
        except ERRORS as lost:
            # The row stays taken until its time has passed; then it is done again.
            log.warning("scheduled work not settled", extra={"kind": job.kind, "error": describe(lost)})
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._running.pop(task, None)
            if self._full:
                self._wake.set()

    async def _settle(self, declared: Job, job: Scheduled, error: Exception | None) -> str:
        async with transaction(self._postgres) as conn:
            if error is None:
                await store.finish(conn, job)
                return "done"
            if is_unavailable(error):
                self._wake_in(UNAVAILABLE_SECONDS)
                await store.put_off(
                    conn, job, seconds=UNAVAILABLE_SECONDS, failed=False, error=describe(error)
                )
                return "unavailable"
            age = (datetime.now(UTC) - job.due_at).total_seconds()
            verdict = judge(error, declared.retry, failures=job.failures, age=age)
            put_off = isinstance(verdict, Again) and verdict.failures == job.failures
            log.log(
                logging.DEBUG if put_off else logging.WARNING,
                "scheduled work put off" if put_off else "scheduled work failed",
                extra={
                    "kind": job.kind,
                    "key": job.key,
                    "failures": job.failures if put_off else job.failures + 1,
                    "follows": type(verdict).__name__.lower(),
                    "error": describe(error),
                },
            )
            if isinstance(verdict, Dead):
                log.error("scheduled work given up", extra={"kind": job.kind, "key": job.key})
                await store.give_up(conn, job, error=frames(error))
                return "given_up"
            assert isinstance(verdict, Again)
            self._wake_in(verdict.seconds)
            failed = verdict.failures > job.failures
            await store.put_off(conn, job, seconds=verdict.seconds, failed=failed, error=describe(error))
            return "failed" if failed else "later"

    def _wake_in(self, seconds: float) -> None:
        if seconds <= POLL_SECONDS:
            asyncio.get_running_loop().call_later(seconds + 0.01, self._wake.set)

    async def _give_back(self) -> None:
        """Cancel what did not end in time and let others have it at once."""
        unfinished = dict(self._running)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        with suppress(*ERRORS):
            async with transaction(self._postgres) as conn:
                for job in unfinished.values():
                    await store.put_off(conn, job, seconds=0.0, failed=False, error="the worker stopped")

    async def _listen(self) -> None:
        """Wake when work is scheduled that is due at once."""
        failures = 0
        while True:
            end_if_cancelled()
            try:
                async for _ in store.wakes(self._url):
                    failures = 0
                    self._wake.set()
            except psycopg.Error as error:
                failures += 1
                log.debug("not listening for scheduled work", extra={"error": describe(error)})
            await asyncio.sleep(BACKOFF.compute(failures))
