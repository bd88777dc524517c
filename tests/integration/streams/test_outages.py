"""Redis and PostgreSQL go away and come back: nobody restarts anything, nothing is lost that was not in Redis."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest
from redis.asyncio import Redis

from app.adapters.redis.client import open_redis
from app.errors import DatabaseUnavailable
from app.events.messages import MessageCreated
from app.streams import dead_letters, lag
from app.streams.declare import consumes
from app.streams.retry import Retry
from tests.fixtures.redis import OwnRedis
from tests.fixtures.streams import Running, guild_in, message_envelope, publish

Consume = Callable[..., Awaitable[Running]]
WaitUntil = Callable[..., Awaitable[Any]]


@pytest.fixture
async def client(own_redis: OwnRedis) -> AsyncIterator[Redis]:
    async with open_redis(own_redis.url) as opened:
        yield opened


async def test_redis_dies_and_comes_back_with_its_data(
    own_redis: OwnRedis, client: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []

    @consumes(MessageCreated, group="outage")
    async def handler(event: MessageCreated) -> None:
        await asyncio.sleep(0.005)
        seen.append(event.message.id)

    guild = guild_in(0)
    running = await consume(handler, redis=client, redis_url=own_redis.url)
    await publish(client, *(message_envelope(guild, n) for n in range(1, 101)))
    await wait_until(lambda: len(seen) >= 20)
    own_redis.kill()
    await wait_until(lambda: not running.consumer.status().settled)
    own_redis.start()
    async with open_redis(own_redis.url) as fresh:
        await publish(fresh, *(message_envelope(guild, n) for n in range(101, 121)))
    await wait_until(lambda: 120 in seen)
    assert set(seen) == set(range(1, 121))
    # Not acknowledged before the end of Redis, so handled again: this handler claims nothing.
    assert len(seen) - len(set(seen)) <= 100
    await wait_until(lambda: _all_acknowledged(client, "outage"))
    assert running.consumer.status().settled


async def test_redis_comes_back_without_its_data(
    own_redis: OwnRedis, client: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []

    @consumes(MessageCreated, group="outage")
    async def handler(event: MessageCreated) -> None:
        seen.append(event.message.id)

    running = await consume(handler, redis=client, redis_url=own_redis.url)
    await publish(client, message_envelope(guild_in(0), 1))
    await wait_until(lambda: seen == [1])
    own_redis.kill()
    own_redis.erase()
    own_redis.start()
    async with open_redis(own_redis.url) as fresh:
        await publish(fresh, message_envelope(guild_in(0), 2), message_envelope(guild_in(5), 3))
    await wait_until(lambda: {2, 3} <= set(seen))
    await wait_until(lambda: running.consumer.status().settled)
    assert len(running.consumer.status().partitions) == 16


async def test_a_worker_can_stop_while_redis_is_away(
    own_redis: OwnRedis, client: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    @consumes(MessageCreated, group="outage")
    async def handler(event: MessageCreated) -> None:
        pass

    running = await consume(handler, redis=client, redis_url=own_redis.url)
    await wait_until(lambda: running.consumer.status().settled and running.consumer.status().partitions)
    own_redis.kill()
    await running.stop()


async def _all_acknowledged(client: Redis, group: str) -> bool:
    found = await lag.measure(client, group, range(16))
    return found == lag.Lag(0.0, 0)


async def test_a_lost_database_pauses_the_group_and_costs_no_attempt(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    there = False
    seen: list[int] = []
    refused = 0

    @consumes(MessageCreated, group="database", retry=Retry(attempts=1))
    async def handler(event: MessageCreated) -> None:
        nonlocal refused
        if not there:
            refused += 1
            raise DatabaseUnavailable("gone") if refused % 2 else psycopg.OperationalError("gone")
        seen.append(event.message.id)

    guild = guild_in(0)
    await publish(redis, *(message_envelope(guild, n) for n in range(1, 51)))
    running = await consume(handler)
    await wait_until(lambda: refused >= 3)
    assert (
        "Unavailable" in running.consumer.status().paused or "Operational" in running.consumer.status().paused
    )
    there = True
    await wait_until(lambda: len(seen) == 50)
    assert seen == list(range(1, 51)), "the order is kept: nothing stepped aside"
    assert refused < 20, "one attempt at a time, not all of them"
    assert await dead_letters.newest(redis, "database", limit=1) == []
    assert not running.consumer.status().paused


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no second redis-server on PATH")
async def test_the_scripts_run_on_the_redis_of_the_path_too(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, consume: Consume, wait_until: WaitUntil
) -> None:
    monkeypatch.setattr("tests.fixtures.redis.redis_server_binary", lambda: shutil.which("redis-server"))
    server = OwnRedis(tmp_path)
    server.start()
    try:
        seen: list[int] = []
        failed: list[int] = []

        @consumes(MessageCreated, group="seven", retry=Retry(attempts=2, first=0.05))
        async def handler(event: MessageCreated) -> None:
            if event.message.id == 1:
                failed.append(1)
                raise ValueError
            seen.append(event.message.id)

        async with open_redis(server.url) as client:
            await publish(client, *(message_envelope(guild_in(n % 16), n) for n in range(1, 101)))
            a = await consume(handler, redis=client, redis_url=server.url, worker="a")
            await wait_until(lambda: len(seen) == 99)
            letters = await wait_until(lambda: dead_letters.newest(client, "seven", limit=5))
            assert (letters[0].why, len(failed)) == ("attempts", 2)
            await wait_until(lambda: _all_acknowledged(client, "seven"))
            await a.stop()
            assert [c for p in range(16) for c in await client.xinfo_consumers(f"events:{p}", "seven")] == []
    finally:
        server.kill()
