"""What makes a worker ready, and what /health tells about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from redis.asyncio import Redis

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import value
from app.jobs.worker import JobWorker
from app.observability.health import Check
from app.streams.consumer import GroupConsumer
from app.streams.schedule import Schedule


def checks(redis: Redis, postgres: Pool, consumers: Sequence[GroupConsumer]) -> dict[str, Check]:
    """Return the checks that decide about /ready."""

    async def check_redis() -> Mapping[str, Any]:
        return {"ok": bool(await redis.ping())}

    async def check_postgres() -> Mapping[str, Any]:
        async with transaction(postgres) as conn:
            return {"ok": await value(conn, "SELECT 1") == 1}

    def of_group(consumer: GroupConsumer) -> Check:
        async def check() -> Mapping[str, Any]:
            status = consumer.status()
            return {"ok": status.settled and not status.paused, **asdict(status)}

        return check

    groups = {f"group:{consumer.name}": of_group(consumer) for consumer in consumers}
    return {"redis": check_redis, "postgres": check_postgres, **groups}


def details(schedule: Schedule, jobs: JobWorker, worker: str) -> dict[str, Check]:
    """Return what /health tells beside the checks."""

    async def of_schedule() -> Mapping[str, Any]:
        return {"running": schedule.running}

    async def of_jobs() -> Mapping[str, Any]:
        return {"running": jobs.running}

    async def of_worker() -> Mapping[str, Any]:
        return {"name": worker}

    return {"schedule": of_schedule, "jobs": of_jobs, "worker": of_worker}
