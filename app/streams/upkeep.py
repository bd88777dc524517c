"""What a worker does beside consuming: measure the lag, and forget old claims and dead letters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from random import uniform

import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.redis.cancellation import end_if_cancelled
from app.errors import AppError
from app.observability import metrics
from app.streams import dead_letters, lag, store
from app.streams.consumer import GroupConsumer
from app.streams.failure import describe

log = logging.getLogger(__name__)

MEASURE_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
CLAIM_DAYS = 7.0
"""Longer than any duplicate can come: a stream's entries, a resumed session, a dead letter that is replayed."""
PRUNE_ROWS = 5_000


async def measure_forever(redis: Redis, consumers: Sequence[GroupConsumer]) -> None:
    """Set the gauges of the groups every MEASURE_SECONDS, until cancelled."""
    while True:
        end_if_cancelled()
        for consumer in consumers:
            status = consumer.status()
            metrics.STREAM_WAITING.labels(consumer.name).set(status.waiting)
            metrics.STREAM_RUNNING.labels(consumer.name).set(status.running)
            metrics.STREAM_PAUSED.labels(consumer.name).set(bool(status.paused))
            with suppress(RedisError):
                found = await lag.measure(redis, consumer.name, status.partitions)
                metrics.STREAM_LAG_SECONDS.labels(consumer.name).set(found.seconds)
                metrics.STREAM_PENDING.labels(consumer.name).set(found.pending)
        await asyncio.sleep(MEASURE_SECONDS)


async def prune_forever(
    redis: Redis, postgres: Pool, groups: Sequence[str], *, clock: Callable[[], datetime]
) -> None:
    """Forget what is old, about once an hour, until cancelled. Workers that do it at once share the rows."""
    while True:
        end_if_cancelled()
        await asyncio.sleep(PRUNE_SECONDS * uniform(0.5, 1.0))
        try:
            await prune(redis, postgres, groups, now=clock())
        except (RedisError, psycopg.Error, AppError) as error:
            log.warning("old claims not pruned", extra={"error": describe(error)})


async def prune(redis: Redis, postgres: Pool, groups: Sequence[str], *, now: datetime) -> None:
    """Forget claims older than CLAIM_DAYS and dead letters older than `dead_letters.KEPT_DAYS`."""
    pruned = PRUNE_ROWS
    while pruned == PRUNE_ROWS:
        async with transaction(postgres) as conn:
            pruned = await store.prune_claims(conn, days=CLAIM_DAYS, limit=PRUNE_ROWS)
    for group in groups:
        await dead_letters.prune(redis, group, now=now)
