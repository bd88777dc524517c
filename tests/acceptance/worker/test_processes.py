"""Real worker processes: killed, frozen, stopped, joined."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from redis.asyncio import Redis

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import value
from app.events.envelope import PARTITIONS
from app.streams import lag, names, store
from tests.fixtures.streams import guild_in, message_envelope, publish

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
WaitUntil = Callable[..., Awaitable[Any]]


class Worker:
    """A worker process."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._out = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.worker.process"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(20)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        self._out.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start worker processes on the test's own stores."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE public.handled (message_id bigint, guild_id bigint, worker integer, number bigserial)"
        )
    started: list[Worker] = []
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"),
        "DISCORD_TOKEN": "not-a-token",
        "DISCORD_APPLICATION_ID": "1000",
        "DISCORD_API_BASE": "http://127.0.0.1:9/api/v10",
        "WORKER_HEALTH_PORT": str(free_port()),
    }

    def run(**extra: str) -> Worker:
        worker = Worker({**environment, **extra}, tmp_path / f"worker-{len(started)}.log")
        started.append(worker)
        return worker

    yield run
    for worker in started:
        worker.close()


@pytest.fixture
async def handled(pool: Pool) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    async def count() -> int:
        async with transaction(pool) as conn:
            return int(await value(conn, "SELECT count(*) FROM public.handled"))

    yield count


async def orders(pool: Pool) -> dict[int, list[int]]:
    """Return the message ids by guild, in the order in which they were written."""
    found: dict[int, list[int]] = {}
    async with transaction(pool) as conn:
        cursor = await conn.execute("SELECT guild_id, message_id FROM public.handled ORDER BY number")
        for guild, message in await cursor.fetchall():
            found.setdefault(guild, []).append(message)
    return found


async def test_every_event_is_handled_once_though_workers_are_killed(
    start: Callable[..., Worker], pool: Pool, redis: Redis, handled: Any, wait_until: WaitUntil
) -> None:
    wanted = {guild_in(p): [n * PARTITIONS + p for n in range(1, 126)] for p in range(PARTITIONS)}
    total = sum(map(len, wanted.values()))
    assert total == 2_000
    await publish(redis, *(message_envelope(g, ids[n]) for n in range(125) for g, ids in wanted.items()))
    chance = random.Random(7)
    kills = 0
    worker = start(HANDLER_PAUSE="0.005", LEASE_SECONDS="1.5")
    while await handled() < total * 0.7:
        before = await handled()
        await wait_until(lambda b=before: _at_least(handled, b + 350))
        await asyncio.sleep(chance.uniform(0.0, 0.05))
        worker.kill()
        kills += 1
        worker = start(HANDLER_PAUSE="0.005", LEASE_SECONDS="1.5")
    await wait_until(lambda: _at_least(handled, total), seconds=60)
    assert kills >= 2
    assert any(line["message"] == "entries taken over" for line in worker.lines())
    assert await orders(pool) == wanted, "each once, and in order within its guild, over all kills"
    await wait_until(lambda: _is(lag.measure(redis, "writer", range(PARTITIONS)), lag.Lag(0.0, 0)))
    assert await redis.exists(names.dead("writer")) == 0
    assert worker.terminate() == 0
    assert await redis.zcard(names.workers("writer")) == 0


async def _is(found: Awaitable[Any], wanted: Any) -> bool:
    return bool(await found == wanted)


async def test_a_frozen_worker_loses_its_lease_and_its_late_write_is_refused(
    start: Callable[..., Worker],
    pool: Pool,
    redis: Redis,
    handled: Any,
    wait_until: WaitUntil,
    tmp_path: Path,
) -> None:
    hold = tmp_path / "hold"
    frozen = start(HANDLER_HOLD=str(hold), LEASE_SECONDS="1.5")
    await publish(redis, message_envelope(guild_in(0), 1))
    await wait_until(hold.exists, what="the handler to begin")
    frozen.process.send_signal(signal.SIGSTOP)
    other = start(LEASE_SECONDS="1.5")
    await wait_until(lambda: _is(handled(), 1), what="the other worker to take over")
    async with transaction(pool) as conn:
        assert await value(conn, "SELECT worker FROM public.handled") == other.process.pid
        # As if it had not been handled by anybody: what refuses the late write must be the fence.
        await value(conn, "DELETE FROM streams.claims RETURNING 1")
    hold.unlink()
    frozen.process.send_signal(signal.SIGCONT)
    port = next(line["health_port"] for line in frozen.lines() if "health_port" in line)
    async with httpx.AsyncClient() as client:
        await wait_until(
            lambda: _refused(client, f"http://127.0.0.1:{port}/metrics"), what="the late write to be refused"
        )
    assert await handled() == 1
    assert other.terminate() == 0
    assert frozen.terminate() == 0


async def _refused(client: httpx.AsyncClient, url: str) -> bool:
    return 'stream_stale_claims_total{group="writer"} 1.0' in (await client.get(url)).text


async def test_workers_share_the_partitions_and_stop_within_their_time(
    start: Callable[..., Worker], pool: Pool, redis: Redis, handled: Any, wait_until: WaitUntil
) -> None:
    first, second = start(HANDLER_PAUSE="0.01"), start(HANDLER_PAUSE="0.01")

    async def shares() -> list[int]:
        stored = await redis.hgetall(names.leases("writer"))
        owners = [owner for lease in stored.values() if (owner := lease.split()[0]) != b"-"]
        return sorted(owners.count(owner) for owner in set(owners))

    await wait_until(lambda: _is(shares(), [8, 8]))
    ports = [line["health_port"] for w in (first, second) for line in w.lines() if "health_port" in line]
    assert len(set(ports)) == 2, "the second takes the next free port"
    async with httpx.AsyncClient() as client:
        for port in ports:
            base = f"http://127.0.0.1:{port}"
            assert (await client.get(f"{base}/live")).status_code == 200
            await wait_until(lambda b=base: _ready(client, b))
            body = (await client.get(f"{base}/health")).json()
            assert len(body["group:writer"]["partitions"]) == 8
            assert "stream_partitions_held" in (await client.get(f"{base}/metrics")).text
    await publish(redis, *(message_envelope(guild_in(n % 16), n) for n in range(1, 401)))
    async with transaction(pool) as conn:
        await store.schedule(conn, "writer.later", "x", datetime.now(UTC), 9_999)
    await wait_until(lambda: _at_least(handled, 100))
    began = time.monotonic()
    assert first.terminate() == 0
    assert time.monotonic() - began < 10
    await wait_until(lambda: _is(handled(), 401))
    assert second.terminate() == 0
    async with transaction(pool) as conn:
        assert await value(conn, "SELECT count(DISTINCT message_id) FROM public.handled") == 401
    assert [p for p in range(PARTITIONS) if (await redis.xpending(f"events:{p}", "writer"))["pending"]] == []


async def _ready(client: httpx.AsyncClient, base: str) -> bool:
    return (await client.get(f"{base}/ready")).status_code == 200


async def _at_least(handled: Any, count: int) -> bool:
    return bool(await handled() >= count)
