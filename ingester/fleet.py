"""The processes of one instance: started one after another, watched, started anew after a crash.

A process is started only after the one before it has registered its shards, so that lower shards ask for IDENTIFY
first; Redis then keeps the order and the 5 s between two in the same bucket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import ProcessCrashed
from app.observability import metrics
from app.shard_plan import ShardPlan
from ingester.cluster_process import ClusterProcess
from ingester.control import Setup
from ingester.reconnect import backoff

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
SUSPECT_SECONDS = 5.0
"""A process whose leases have lapsed is asked earlier, but not more often than this."""
DEGRADED_MS = 500.0
REGISTER_SECONDS = 60.0
CRASHES = 5
CRASH_WINDOW_SECONDS = 300.0
"""The fifth crash within 5 minutes ends the instance with E005."""


@dataclass(slots=True)
class Slot:
    """A place for a process: which shards it is to hold, and how it has fared."""

    index: int
    shards: set[int] = field(default_factory=set)
    asking: set[int] = field(default_factory=set)
    """Those whose lease the process asks for: only then is it worth while to have them handed over."""
    process: ClusterProcess | None = None
    watcher: asyncio.Task[None] | None = None
    crashes: list[float] = field(default_factory=list)
    suspected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its leases have lapsed: it is asked at once how it is."""
    report: dict[str, Any] = field(default_factory=dict)


def is_degraded(row: Mapping[str, Any]) -> bool:
    """Whether a shard's report shows a latency over 500 ms (seed S4)."""
    return (row["latency_ms"] or 0.0) > DEGRADED_MS


class Fatal(Exception):
    """Nothing that a restart would cure: one line for the operator and the exit status."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.line = line
        self.status = status


class Fleet:
    """Processes and who holds which shard. `failure` gets the exception that ends the instance."""

    def __init__(
        self, plan: ShardPlan, instance: str, gateway_url: str, max_concurrency: int, health_port: int
    ) -> None:
        self._plan = plan
        self._instance = instance
        self._gateway_url = gateway_url
        self._max_concurrency = max_concurrency
        self._health_port = health_port
        self._home = {shard: index for index, shards in enumerate(plan.clusters) for shard in shards}
        self._slots: dict[int, Slot] = {}
        self._spawning = asyncio.Lock()
        self._stopping = False
        self.overlap = self.shadow = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()
        """Set whenever a process says that its shards have changed."""

    @property
    def shards(self) -> set[int]:
        """The shards given to processes: held, or waited for."""
        return {shard for slot in self._slots.values() for shard in slot.shards}

    @property
    def asking(self) -> set[int]:
        """The shards that a process stands ready for, as soon as the lease is free."""
        return {shard for slot in self._slots.values() for shard in slot.asking}

    def hold(self, shards: Iterable[int]) -> None:
        """Give shards to processes: to the one the plan names, else to the one with the fewest."""
        added: dict[int, list[int]] = {}
        for shard in sorted(set(shards) - self.shards):
            index = self._home.get(shard)
            if index is None:
                index = min(self._slots, key=lambda i: (len(self._slots[i].shards), i), default=0)
            slot = self._slots.setdefault(index, Slot(index))
            slot.shards.add(shard)
            added.setdefault(index, []).append(shard)
        for index, new in sorted(added.items()):
            slot = self._slots[index]
            if slot.watcher is None:
                slot.watcher = asyncio.create_task(self._watch(slot))
            elif slot.process is not None:
                slot.process.send("hold", shards=new)

    def release(self, shard: int, successor: str = "") -> None:
        """Have a shard handed over."""
        for slot in self._slots.values():
            if shard in slot.shards:
                if slot.process is not None and slot.process.alive:
                    slot.process.send("release", shard=shard, successor=successor)
                else:
                    slot.shards.discard(shard)

    def suspect(self, lapsed: set[int]) -> None:
        """Look after the processes that have let these leases lapse."""
        for slot in self._slots.values():
            if slot.shards & lapsed:
                slot.suspected.set()

    def set_mode(self, *, overlap: bool, shadow: bool) -> None:
        """Tell all processes their part in a resharding."""
        if (overlap, shadow) == (self.overlap, self.shadow):
            return
        self.overlap, self.shadow = overlap, shadow
        for slot in self._slots.values():
            if slot.process is not None:
                slot.process.send("mode", overlap=overlap, shadow=shadow)

    # One slot
    async def _watch(self, slot: Slot) -> None:
        """Keep a process running in the slot until the fleet stops."""
        try:
            while not self._stopping:
                await self._run_once(slot)
                if self._stopping:
                    return
                now = time.monotonic()
                slot.crashes = [at for at in slot.crashes if now - at < CRASH_WINDOW_SECONDS] + [now]
                metrics.GATEWAY_CLUSTER_RESTARTS.labels(slot.index).inc()
                if len(slot.crashes) >= CRASHES:
                    raise ProcessCrashed(
                        f"process {slot.index} of the ingester ended {CRASHES} times in 5 minutes"
                    )
                delay = backoff(len(slot.crashes) - 1)
                log.error(
                    "process ended; starting it again",
                    extra={"cluster": slot.index, "crashes": len(slot.crashes), "delay_s": round(delay, 1)},
                )
                await asyncio.sleep(delay)
        except Exception as error:
            if not self.failure.done():
                self.failure.set_exception(error)

    async def _run_once(self, slot: Slot) -> None:
        async with self._spawning:
            if self._stopping:
                return
            slot.asking.clear()
            process = ClusterProcess(self._setup(slot), lambda message: self._hear(slot, message))
            slot.process = process
            await process.start()
            shards = set(process.setup.shards)
            log.info("process started", extra={"cluster": slot.index, "shards": len(shards)})
            ended = asyncio.create_task(process.wait())
            registered = asyncio.create_task(process.registered.wait())
            await asyncio.wait(
                {ended, registered}, timeout=REGISTER_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            registered.cancel()
        # What came up between its start and now is not in its setup.
        if late := slot.shards - shards:
            process.send("hold", shards=sorted(late))
        process.send("mode", overlap=self.overlap, shadow=self.shadow)
        checking = asyncio.create_task(self._check(slot, process))
        try:
            status = await ended
            log.info("process ended", extra={"cluster": slot.index, "status": status})
        finally:
            checking.cancel()

    def _setup(self, slot: Slot) -> Setup:
        # HEALTH_PORT for the first process, then +2, +3 …: the supervisor's own is +1 (seed S2).
        port = self._health_port and self._health_port + (slot.index + 1 if slot.index else 0)
        return Setup(
            cluster=slot.index,
            instance=self._instance,
            total=self._plan.total,
            gateway_url=self._gateway_url,
            max_concurrency=self._max_concurrency,
            health_port=port,
            shards=tuple(sorted(slot.shards)),
            overlap=self.overlap,
            shadow=self.shadow,
        )

    def _hear(self, slot: Slot, message: dict[str, Any]) -> None:
        match message["op"]:
            case "asking":
                slot.asking.update(message["shards"])
            case "ended":
                slot.shards.discard(message["shard"])
                slot.asking.discard(message["shard"])
            case "fatal" if not self.failure.done():
                self.failure.set_exception(Fatal(message["line"], message["status"]))
        self.changed.set()

    async def _check(self, slot: Slot, process: ClusterProcess) -> None:
        """Ask every 30 s how it is; a process that does not answer is ended, which starts it anew."""
        while True:
            await asyncio.sleep(SUSPECT_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(slot.suspected.wait(), CHECK_SECONDS - SUSPECT_SECONDS)
            slot.suspected.clear()
            try:
                slot.report = await process.ping()
            except TimeoutError:
                log.error("process does not answer", extra={"cluster": slot.index})
                await process.stop(hung=True)
                return
            for row in slot.report["shards"]:
                if is_degraded(row):
                    metrics.GATEWAY_DEGRADED.labels(row["id"]).inc()
                    log.warning("shard degraded", extra={"shard": row["id"], "latency_ms": row["latency_ms"]})

    # The whole
    async def report(self) -> list[dict[str, Any]]:
        """Return a fresh report of each process; the last known one of a process that does not answer at once."""

        async def ask(slot: Slot) -> dict[str, Any]:
            if slot.process is None or not slot.process.alive:
                return {"cluster": slot.index, "alive": False, "shards": []}
            try:
                slot.report = await slot.process.ping(1.0)
            except TimeoutError:
                return {"cluster": slot.index, "alive": False, **slot.report}
            return {"cluster": slot.index, "alive": True, **slot.report}

        return list(await asyncio.gather(*(ask(slot) for slot in self._slots.values())))

    async def stop(self) -> None:
        """Drain all processes at once and see them ended, within 10 s."""
        self._stopping = True
        running = [slot.process for slot in self._slots.values() if slot.process is not None]
        await asyncio.gather(*(process.stop() for process in running))
        for slot in self._slots.values():
            if slot.watcher is not None:
                slot.watcher.cancel()
        await asyncio.gather(
            *(slot.watcher for slot in self._slots.values() if slot.watcher is not None),
            return_exceptions=True,
        )
