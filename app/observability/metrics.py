"""All metrics of Gatehouse, one sentence each; `docs/metrics.md` lists them.

Names follow seeds S2 and S3 where those give them. Labels never hold ids of people, tokens or message text.
"""

from __future__ import annotations

import gc
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

MILLISECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
"""Buckets for histograms whose name ends in _ms."""


def exposition() -> tuple[bytes, str]:
    """Return the body and the content type of GET /metrics."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST


def counter(name: str, sentence: str, labels: tuple[str, ...] = ()) -> Counter:
    """Declare a counter in our registry."""
    return Counter(name, sentence, labels, registry=REGISTRY)


def gauge(name: str, sentence: str, labels: tuple[str, ...] = ()) -> Gauge:
    """Declare a gauge in our registry."""
    return Gauge(name, sentence, labels, registry=REGISTRY)


def histogram(
    name: str, sentence: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = MILLISECONDS
) -> Histogram:
    """Declare a histogram in our registry; buckets are milliseconds unless given."""
    return Histogram(name, sentence, labels, buckets=buckets, registry=REGISTRY)


# Every process
LOOP_LAG = histogram("event_loop_lag_ms", "Delay of the event loop, sampled every 500 ms (seed S4).")
GC_PAUSE = histogram("gc_pause_ms", "Duration of Python garbage collections by generation.", ("generation",))
ERRORS = counter("discord_errors_total", "Errors that reached the edge of a process, by where.", ("where",))

# Interactions (web)

# Admission (web)

# Discord REST (all processes)

# Gateway (ingester)

# Streams and schedule (worker)

# Moderation (worker)


def watch_gc() -> None:
    """Observe every garbage collection of this process from now on."""
    import time

    started: dict[str, float] = {}

    def on_gc(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            started["at"] = time.perf_counter()
        elif "at" in started:
            GC_PAUSE.labels(str(info["generation"])).observe((time.perf_counter() - started.pop("at")) * 1000)

    gc.callbacks.append(on_gc)
