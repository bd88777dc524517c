"""What a process says about itself: to the supervisor's ping, to the bridge, to /health and to Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prometheus_client import Gauge

from app.observability import metrics
from ingester.publisher import Publisher
from ingester.shard import Shard

STARTED = time.monotonic()


@dataclass(frozen=True, slots=True)
class ShardReport:
    """One shard: `latency_ms` of the heartbeat, `silent_s` since its socket brought anything."""

    id: int
    status: str
    guilds: int
    members: int
    latency_ms: float | None
    silent_s: float | None
    events: int


def report_shard(shard: Shard) -> ShardReport:
    """Describe a shard."""
    latency, silent = shard.latency_ms, shard.silent_seconds
    return ShardReport(
        shard.number,
        shard.status,
        len(shard.guilds),
        shard.guilds.members,
        None if latency is None else round(latency, 1),
        None if silent is None else round(silent, 1),
        sum(shard.counts.values()),
    )


def resident_bytes() -> int:
    """Return the resident memory of this process (Linux; 0 elsewhere)."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * 4096


def report(shards: Iterable[Shard], publisher: Publisher) -> dict[str, Any]:
    """Describe the process."""
    return {
        "uptime_s": round(time.monotonic() - STARTED, 1),
        "memory_bytes": resident_bytes(),
        "buffered": publisher.events,
        "redis": publisher.connected,
        "shards": [asdict(report_shard(shard)) for shard in shards],
    }


class MetricsFeeder:
    """Brings the plain counters of the hot path to Prometheus, once a second."""

    def __init__(self) -> None:
        # Unknown until this process has asked, which is not the same as none left.
        metrics.GATEWAY_IDENTIFY_BUDGET.set(float("nan"))
        self._told: dict[tuple[int, str], int] = {}
        self._shown: set[tuple[Gauge, int]] = set()

    def _show(self, values: Mapping[tuple[Gauge, int], float]) -> None:
        """Set the gauges of shards, and take away those of shards that are no longer here: sums would count twice."""
        for gauge, shard in self._shown - set(values):
            gauge.remove(shard)
        for (gauge, shard), value in values.items():
            gauge.labels(shard).set(value)
        self._shown = set(values)

    def _grown(self, shard: int, name: str, value: int) -> int:
        before = self._told.get((shard, name), 0)
        self._told[shard, name] = value
        return value - before if value >= before else value

    def update(self, shards: Mapping[int, Shard], publisher: Publisher) -> None:
        """Set gauges and raise counters."""
        metrics.GATEWAY_CONNECTIONS.set(sum(shard.silent_seconds is not None for shard in shards.values()))
        metrics.SHARDS_ONLINE.set(sum(shard.status == "ready" for shard in shards.values()))
        metrics.GATEWAY_BUFFER_EVENTS.set(publisher.events)
        metrics.GATEWAY_BUFFER_BYTES.set(publisher.bytes)
        metrics.WORKER_MEMORY.set(resident_bytes())
        values: dict[tuple[Gauge, int], float] = {}
        for number, shard in shards.items():
            if shard.feed is not None:
                values[metrics.GUILD_COUNT, number] = len(shard.guilds)
                values[metrics.USER_COUNT, number] = shard.guilds.members
            if (latency := shard.latency_ms) is not None:
                values[metrics.GATEWAY_LATENCY, number] = latency
        self._show(values)
        # A shard that comes back counts from zero again.
        self._told = {key: told for key, told in self._told.items() if key[0] in shards}
        for number, shard in shards.items():
            for name, count in list(shard.counts.items()):
                grown = self._grown(number, name, count)
                metrics.GATEWAY_EVENTS.labels(number, name).inc(grown)
                if name == "MESSAGE_CREATE":
                    metrics.MESSAGES_RECEIVED.labels(number).inc(grown)
            if (feed := shard.feed) is not None:
                stored = self._grown(number, "/stored", feed.counts.appended)
                refused = self._grown(number, "/refused", feed.counts.refused)
                metrics.GATEWAY_EVENTS_STORED.labels(number).inc(stored)
                metrics.GATEWAY_EVENTS_REFUSED.labels(number).inc(refused)
