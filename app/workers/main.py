"""A worker process: event consumers, interaction jobs, scheduled work, upkeep, health. Everything that runs is
started and joined in `run_worker`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from redis.asyncio import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from app import catalog
from app.adapters.redis.client import open_redis
from app.admission.retention import forget_forever
from app.errors import ConfigurationError
from app.feature import Feature
from app.interactions.discovery import Declarations as InteractionDeclarations
from app.interactions.responses import Renderer
from app.jobs.discovery import find_jobs
from app.jobs.run import RunTools
from app.jobs.sealing import Sealer
from app.jobs.worker import JobWorker
from app.observability.health import serve_health
from app.observability.metrics import watch_gc
from app.runtime import Runtime, open_runtime
from app.settings import Settings
from app.streams.consumer import GroupConsumer
from app.streams.discovery import Declarations, find_declarations
from app.streams.intake import create_group
from app.streams.leases import LEASE_SECONDS
from app.streams.reading import READ_SECONDS
from app.streams.schedule import Schedule
from app.streams.upkeep import measure_forever, prune_forever
from app.workers import health

log = logging.getLogger(__name__)

CLOSING_SECONDS = 1.0
"""Kept of SHUTDOWN_SECONDS for giving back leases and closing connections."""
REDIS_CONNECTIONS = 64
"""Enough that handlers of several groups do not wait for one another's commands."""
BACKOFF = ExponentialWithJitterBackoff(cap=3.0, base=0.1)


async def run_worker(
    settings: Settings,
    *,
    features: tuple[Feature, ...] = catalog.FEATURES,
    groups: Sequence[str] = (),
    lease_seconds: float = LEASE_SECONDS,
) -> None:
    """Work until SIGTERM or SIGINT; `groups` limits the consumer groups that are served, () means all.

    Scheduled work and interaction jobs are served in any case. Raises ConfigurationError, DatabaseUnavailable
    (E004), MissingService; a second signal ends the process at once.
    """
    settings.require("discord_token", "discord_application_id")
    watch_gc()
    with _stop_on_signals() as stop:
        async with (
            open_runtime(settings, features=features, redis_connections=REDIS_CONNECTIONS) as runtime,
            open_redis(runtime.stores.redis, connections=32, blocking_seconds=READ_SECONDS) as blocking,
        ):
            worker = Worker(runtime, blocking, groups, lease_seconds)
            try:
                await worker.run(stop)
            except BaseExceptionGroup as group:
                raise _first(group) from group


class Worker:
    """The parts of a worker."""

    def __init__(
        self, runtime: Runtime, blocking: Redis, groups: Sequence[str], lease_seconds: float
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._runtime = runtime
        self._redis = runtime.floor.redis
        self._postgres = runtime.floor.postgres
        self._declarations = find_declarations(runtime.packages)
        _refuse_unknown(groups, self._declarations)
        floor = runtime.floor
        interactions = InteractionDeclarations.collect(runtime.packages)
        services = {**runtime.services, InteractionDeclarations: interactions}
        self.consumers = [
            GroupConsumer(
                group,
                services,
                redis=self._redis,
                blocking=blocking,
                postgres=self._postgres,
                worker=self.name,
                concurrency=runtime.settings.worker_concurrency,
                lease_seconds=lease_seconds,
            )
            for group in self._declarations.groups
            if not groups or group.name in groups
        ]
        self.schedule = Schedule(
            self._declarations.jobs,
            services,
            postgres=self._postgres,
            database_url=runtime.stores.database,
        )
        self.jobs = JobWorker(
            find_jobs(runtime.packages),
            services,
            RunTools(floor.discord, Renderer(floor.custom_ids, floor.catalogue)),
            redis=self._redis,
            blocking=blocking,
            sealer=Sealer(floor.keyring),
            worker=self.name,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then finish within SHUTDOWN_SECONDS."""
        settings = self._runtime.settings
        checks = health.checks(self._redis, self._postgres, self.consumers)
        details = health.details(self.schedule, self.jobs, self.name)
        grace = max(0.1, settings.shutdown_seconds - CLOSING_SECONDS)
        async with serve_health(
            settings.host, settings.worker_health_port, "WORKER_HEALTH_PORT", checks, details, move_on=True
        ) as port:
            gc.collect()
            gc.freeze()  # what the start made stays for ever: no collection has to look at it again
            log.info(
                "worker started",
                extra={"worker": self.name, "groups": [c.name for c in self.consumers], "health_port": port},
            )
            await self._create_groups(stop)
            async with asyncio.TaskGroup() as tasks:
                serving = [
                    tasks.create_task(consumer.run(stop, grace=grace), name=consumer.name)
                    for consumer in self.consumers
                ]
                serving.append(tasks.create_task(self.schedule.run(stop, grace=grace), name="schedule"))
                serving.append(tasks.create_task(self.jobs.run(stop, grace=grace), name="jobs"))
                upkeep = [
                    tasks.create_task(measure_forever(self._redis, self.consumers)),
                    tasks.create_task(self._prune()),
                    tasks.create_task(forget_forever(self._postgres, clock=self._runtime.floor.clock)),
                ]
                await stop.wait()
                log.info("worker stops", extra={"worker": self.name})
                await asyncio.wait(serving)
                for task in upkeep:
                    task.cancel()
        log.info("worker stopped", extra={"worker": self.name})

    async def _create_groups(self, stop: asyncio.Event) -> None:
        """Create every group of the catalogue, served here or not, so that the streams keep its events."""
        failures = 0
        while not stop.is_set():
            try:
                for group in self._declarations.groups:
                    await create_group(self._redis, group.name)
            except RedisError as error:
                failures += 1
                log.warning("Redis is not there yet", extra={"error": type(error).__name__})
                with suppress(TimeoutError):
                    async with asyncio.timeout(BACKOFF.compute(failures)):
                        await stop.wait()
            else:
                return

    async def _prune(self) -> None:
        groups = [group.name for group in self._declarations.groups]
        await prune_forever(self._redis, self._postgres, groups, clock=self._runtime.floor.clock)


@contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    """Set the event on the first SIGTERM or SIGINT; the second one has its usual effect."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    wanted = (signal.SIGTERM, signal.SIGINT)

    def restore() -> None:
        for each in wanted:
            loop.remove_signal_handler(each)

    def on_signal() -> None:
        stop.set()
        restore()

    for each in wanted:
        loop.add_signal_handler(each, on_signal)
    try:
        yield stop
    finally:
        restore()


def _refuse_unknown(groups: Sequence[str], declarations: Declarations) -> None:
    known = [group.name for group in declarations.groups]
    for group in groups:
        if group not in known:
            raise ConfigurationError(
                "--group", f"no feature consumes events as {group!r}; known are: {', '.join(known) or 'none'}"
            )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error itself: nested groups say nothing to an operator."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run(settings: Settings, *, groups: Sequence[str] = ()) -> None:
    """Run a worker on uvloop, where there is one."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run_worker(settings, groups=groups))
