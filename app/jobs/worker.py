"""Runs interaction jobs: reads the stream, runs each job once, brings its reply, and takes over from the dead.

An entry belongs to the worker that read it. While it runs, its idle time is reset every few seconds; an entry that
has been idle for longer belongs to a dead worker and is claimed by another one. It is acknowledged and deleted
after the reply, in one transaction with the mark that the interaction's job is finished, so a job is run again only
if its worker died under way. What its effect needs to happen once is in `app.jobs.declare`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.adapters.redis.cancellation import end_if_cancelled
from app.jobs.declare import InteractionJob
from app.jobs.late_answers import token_seconds_left
from app.jobs.queue import GROUP, STREAM, QueuedJob
from app.jobs.run import JobRun, RunTools
from app.jobs.sealing import CannotOpen, Sealer
from app.observability import metrics
from app.services import Services, bind

log = logging.getLogger(__name__)

CONCURRENCY = 16
READ_MS = 500
BEAT_SECONDS = 2.0
DEAD_AFTER_BEATS = 4
"""A worker that missed four is dead, or stands still for so long that it might as well be."""
MOST_DELIVERIES = 3
"""A job whose third worker died too is given up: it probably kills them."""
CLAIM_SECONDS = 30 * 60
PAUSE_SECONDS = 1.0


class JobWorker:
    """One per worker process. Raises MissingService when a job wants a service that no feature provides."""

    def __init__(
        self,
        jobs: Mapping[str, InteractionJob],
        services: Services,
        tools: RunTools,
        *,
        redis: Redis,
        blocking: Redis,
        sealer: Sealer,
        worker: str,
        concurrency: int = CONCURRENCY,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        """`blocking` is a client whose timeout lies above READ_MS; `worker` names this process."""
        self._jobs = jobs
        self._services = {job.name: bind(job.function, services) for job in jobs.values()}
        self._tools = tools
        self._redis = redis
        self._blocking = blocking
        self._sealer = sealer
        self._worker = worker
        self._concurrency = concurrency
        self._beat_seconds = beat_seconds
        self._dead_after_ms = int(beat_seconds * DEAD_AFTER_BEATS * 1000)
        self._running: dict[bytes, asyncio.Task[None]] = {}

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    async def run(self, stop: asyncio.Event, *, grace: float) -> None:
        """Serve until `stop`, then let running jobs end for `grace` seconds and hand the others over."""
        upkeep = asyncio.create_task(self._forever(self._upkeep), name="jobs upkeep")
        try:
            await self._once(self._create_group)
            while not stop.is_set():
                end_if_cancelled()
                await self._once(self._read)
        finally:
            if self._running:
                await asyncio.wait(self._running.values(), timeout=grace)
            await self._hand_over()
            upkeep.cancel()
            await asyncio.gather(upkeep, return_exceptions=True)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            end_if_cancelled()
            await self._once(step)
            await asyncio.sleep(self._beat_seconds)

    async def _once(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step; a Redis that is away is waited for, and a lost group is made again."""
        try:
            await step()
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            with suppress(RedisError, OSError):
                await self._create_group()
        except (RedisError, OSError) as error:
            log.warning("the job stream cannot be read", extra={"error": type(error).__name__})
            await asyncio.sleep(PAUSE_SECONDS)

    async def _create_group(self) -> None:
        try:
            await self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _read(self) -> None:
        free = self._concurrency - len(self._running)
        if free <= 0:
            await asyncio.wait(
                self._running.values(), timeout=READ_MS / 1000, return_when=asyncio.FIRST_COMPLETED
            )
            return
        reply: Any = await self._blocking.xreadgroup(
            GROUP, self._worker, {STREAM: ">"}, count=free, block=READ_MS
        )
        streams = reply.items() if isinstance(reply, dict) else (reply or ())
        for _stream, entries in streams:
            for entry_id, fields in _flat(entries):
                self._start(entry_id, fields, deliveries=1)

    async def _upkeep(self) -> None:
        """Say that the running ones are alive; take over from the dead."""
        if self._running:
            await self._redis.xclaim(
                STREAM, GROUP, self._worker, min_idle_time=0, message_ids=list(self._running), justid=True
            )
        free = self._concurrency - len(self._running)
        if free <= 0:
            return
        reply: Any = await self._redis.xautoclaim(
            STREAM, GROUP, self._worker, min_idle_time=self._dead_after_ms, start_id="0-0", count=free
        )
        for entry_id, fields in reply[1]:
            if entry_id is None or fields is None or entry_id in self._running:
                continue  # Redis 6.2 names entries that were deleted meanwhile as None
            pending: Any = await self._redis.xpending_range(
                STREAM, GROUP, min=entry_id, max=entry_id, count=1
            )
            deliveries = pending[0]["times_delivered"] if pending else 1
            log.warning("took a job over", extra={"entry": entry_id.decode(), "deliveries": deliveries})
            self._start(entry_id, fields, deliveries=deliveries)

    def _start(self, entry_id: bytes, fields: Mapping[bytes, bytes], *, deliveries: int) -> None:
        task = asyncio.create_task(self._work(entry_id, fields, deliveries))
        self._running[entry_id] = task
        task.add_done_callback(lambda _: self._running.pop(entry_id, None))

    async def _work(self, entry_id: bytes, fields: Mapping[bytes, bytes], deliveries: int) -> None:
        started = time.perf_counter()
        name, outcome = "unknown", "unreadable"
        try:
            try:
                queued = QueuedJob.from_entry(entry_id, fields, self._sealer)
            except (CannotOpen, ValueError) as error:
                log.error("a job is unreadable", extra={"entry": entry_id.decode(), "error": str(error)})
                await self._finish(entry_id, None)
                return
            declared = self._jobs.get(queued.job)
            name = queued.job if declared is not None else "unknown"
            if not await self._claim(queued):
                outcome = "duplicate"
                await self._finish(entry_id, None)
                return
            if token_seconds_left(queued.interaction_id) <= 0:
                outcome = "expired"
                log.error(
                    "a job came too late", extra={"job": name, "interaction": str(queued.interaction_id)}
                )
            else:
                run = JobRun(self._tools, queued)
                if declared is None:
                    outcome = await run.give_up("unknown")
                elif deliveries > MOST_DELIVERIES:
                    outcome = await run.give_up("interrupted")
                else:
                    outcome = await run.run(declared, self._services[queued.job])
            await self._finish(entry_id, queued)
        except (RedisError, OSError) as error:
            outcome = "unfinished"  # its entry stays, and is taken over
            log.warning("a job could not be finished", extra={"job": name, "error": type(error).__name__})
        except asyncio.CancelledError:
            outcome = "handed over"
            raise
        finally:
            metrics.JOBS_FINISHED.labels(name, outcome).inc()
            metrics.JOB_MS.labels(name).observe((time.perf_counter() - started) * 1000)

    async def _claim(self, queued: QueuedJob) -> bool:
        """Tell whether this entry is the interaction's only one: a repeated interaction may have made two."""
        key = _claim_key(queued)
        if await self._redis.set(key, queued.entry_id, nx=True, ex=CLAIM_SECONDS):
            return True
        return bool(await self._redis.get(key) == queued.entry_id.encode())

    async def _finish(self, entry_id: bytes, queued: QueuedJob | None) -> None:
        async with self._redis.pipeline(transaction=True) as pipe:
            if queued is not None:
                pipe.set(_claim_key(queued), "finished", ex=CLAIM_SECONDS)
            pipe.xack(STREAM, GROUP, entry_id)
            pipe.xdel(STREAM, entry_id)
            await pipe.execute()

    async def _hand_over(self) -> None:
        """Cancel what still runs, and let other workers have it at once instead of after our silence."""
        left: list[Any] = list(self._running)
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(RedisError, OSError):
            if left:
                await self._redis.xclaim(
                    STREAM,
                    GROUP,
                    self._worker,
                    min_idle_time=0,
                    message_ids=left,
                    idle=self._dead_after_ms + 1,
                    justid=True,
                )
            elif not await self._redis.xpending_range(
                STREAM, GROUP, min="-", max="+", count=1, consumername=self._worker
            ):
                await self._redis.xgroup_delconsumer(STREAM, GROUP, self._worker)


def _claim_key(queued: QueuedJob) -> str:
    return f"job:{queued.interaction_id}"


def _flat(entries: Any) -> Any:
    """RESP3 nests the entries of a stream once more than RESP2."""
    return entries[0] if entries and isinstance(entries[0], list) else entries
