"""Whole instances: killed, frozen, replaced and outgrown under traffic; nothing lost, nothing doubled.

Where only time has to pass, it is made to have passed in Redis; tests/bench/gateway_scenarios.py waits for real.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from ingester import keys
from ingester.resharding import MARK_MS, TAIL_MS
from tests.fixtures.gateway import ScriptedGateway
from tests.fixtures.ingester import Start, Traffic, assert_once_in_order, published
from tests.fixtures.redis import OwnRedis

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

WaitUntil = Callable[..., Awaitable[Any]]
RATE = 200


async def everything(url: str, sent: list[int], wait_until: WaitUntil) -> None:
    """Wait for the last message, then look at all of them."""
    await wait_until(lambda: len(published(url)) >= len(sent), seconds=60, what=f"{len(sent)} messages")
    await asyncio.sleep(0.2)
    assert_once_in_order(url, sent)


async def lapse(redis: Redis, total: int, instance: str | None = None) -> None:
    """Let the leases of a silent instance (of all, None) and its registry entry have lapsed: 5 s in one step."""
    for shard in range(total):
        held: Any = await redis.hget(keys.lease(total, shard), "instance")
        if held is not None and instance in (None, held.decode()):
            await redis.hset(keys.lease(total, shard), "until", 1)
    for name in await redis.zrange(keys.INSTANCES_UNTIL, 0, -1):
        if instance in (None, name.decode()):
            await redis.zadd(keys.INSTANCES_UNTIL, {name: 1})


def holders(gateway: ScriptedGateway) -> int:
    return len(gateway.connected())


async def test_kill_9_at_a_random_moment_loses_and_doubles_nothing(
    gateway: ScriptedGateway, redis_url: str, redis: Redis, start_ingester: Start, wait_until: WaitUntil
) -> None:
    instance = await start_ingester(redis_url, SHARD_COUNT=2)
    await wait_until(lambda: holders(gateway) == 2 and len(published(redis_url, "GUILD_CREATE")) == 8)
    traffic = Traffic(gateway, RATE)
    for _ in range(2):
        await asyncio.sleep(random.uniform(0.3, 1.0))
        await instance.kill()
        await lapse(redis, 2)
        instance = await start_ingester(redis_url, SHARD_COUNT=2)
        await wait_until(lambda: holders(gateway) == 2, what="both shards resumed")
    await asyncio.sleep(0.3)
    await everything(redis_url, await traffic.stop(), wait_until)
    assert len(gateway.did("identify")) == 2
    started = time.monotonic()
    assert await instance.stop() == 0
    assert time.monotonic() - started < 15
    assert not gateway.did("closed", code=1000)


async def test_the_shards_of_a_dead_instance_move_and_a_frozen_one_publishes_nothing(
    gateway: ScriptedGateway, redis_url: str, redis: Redis, start_ingester: Start, wait_until: WaitUntil
) -> None:
    async def owners() -> list[bytes]:
        found = [await redis.hmget(keys.lease(4, shard), "instance", "state") for shard in range(4)]
        return [instance for instance, state in found if state == b"ready"]

    async def spread() -> bool:
        names = await owners()
        return len(names) == 4 and all(names.count(name) == 2 for name in names)

    async def one_owner() -> bool:
        names = await owners()
        return holders(gateway) == 4 and len(names) == 4 and len(set(names)) == 1

    first = await start_ingester(redis_url, SHARD_COUNT=4)
    await wait_until(lambda: holders(gateway) == 4)
    name = (await owners())[0].decode()
    second = await start_ingester(redis_url, SHARD_COUNT=4)
    await wait_until(spread, what="two shards for each instance")
    other = next(owner.decode() for owner in await owners() if owner.decode() != name)
    traffic = Traffic(gateway, RATE)
    await asyncio.sleep(0.5)
    first.signal_all(signal.SIGSTOP)
    await lapse(redis, 4, name)
    await wait_until(one_owner, what="the second instance to hold all shards")
    first.signal_all(signal.SIGCONT)
    # The frozen instance wakes up with a full socket buffer and a lease that is another's.
    await wait_until(spread, what="the first instance to have its share again")
    await asyncio.sleep(0.5)
    await second.kill()
    await lapse(redis, 4, other)
    await wait_until(one_owner, what="the first instance to hold all shards")
    await asyncio.sleep(0.5)
    await everything(redis_url, await traffic.stop(), wait_until)
    assert len(gateway.did("identify")) == 4
    assert first.said("lease lost to another instance") == 2


async def test_takeover_spends_no_identify_and_loses_nothing(
    gateway: ScriptedGateway, redis_url: str, start_ingester: Start, wait_until: WaitUntil
) -> None:
    old = await start_ingester(redis_url, SHARD_COUNT=4, SHARDS_PER_CLUSTER=2)
    await wait_until(lambda: holders(gateway) == 4)
    traffic = Traffic(gateway, RATE)
    new = await start_ingester(redis_url, "--takeover", SHARD_COUNT=4, SHARDS_PER_CLUSTER=2)
    assert await asyncio.wait_for(old.process.wait(), 60) == 0
    assert old.said("handed over to")
    await wait_until(lambda: holders(gateway) == 4)
    await asyncio.sleep(0.3)
    await everything(redis_url, await traffic.stop(), wait_until)
    assert len(gateway.did("identify")) == 4
    assert await new.stop() == 0


async def test_more_shards_replace_fewer_without_a_gap(
    gateway: ScriptedGateway, redis_url: str, redis: Redis, start_ingester: Start, wait_until: WaitUntil
) -> None:
    gateway.window = 0
    old = await start_ingester(redis_url, SHARD_COUNT=1)
    await wait_until(lambda: holders(gateway) == 1)
    await redis.delete(keys.identify_slot(0))
    new = await start_ingester(redis_url, SHARD_COUNT=2)
    number = iter(range(10_000))

    async def marks() -> bool:
        deleted = {"id": str(next(number)), "channel_id": "5", "guild_id": str(gateway.guilds[0])}
        await gateway.dispatch(gateway.connected()[0], "MESSAGE_DELETE", deleted)
        return bool(await redis.keys(keys.SEEN_PREFIX + "*"))

    async def forward(since: str, milliseconds: int) -> None:
        await wait_until(lambda: redis.hexists(keys.PLAN, since), what=since)
        await asyncio.sleep(0.5)
        await redis.hincrby(keys.PLAN, since, -milliseconds)

    # What comes from now on is marked, so that nobody has to wait until the rest is forgotten.
    await wait_until(marks, what="the old set to mark what it publishes")
    traffic = Traffic(gateway, 50)
    await forward("next_at", MARK_MS)
    await forward("switched_at", TAIL_MS)
    assert await asyncio.wait_for(old.process.wait(), 90) == 0
    assert old.said("another set of shards is in charge")
    await asyncio.sleep(0.5)
    sent = await traffic.stop()
    await everything(redis_url, sent, wait_until)
    assert {envelope.session for envelope in published(redis_url)} == {
        s.id for s in gateway.sessions.values()
    }
    smaller = await start_ingester(redis_url, SHARD_COUNT=1)
    assert await asyncio.wait_for(smaller.process.wait(), 30) == 2
    assert smaller.said("E007: 2 shards are running and this instance is set to 1")
    assert await new.stop() == 0


@pytest.mark.parametrize(("with_data", "seconds"), [(True, 6), (False, 1)])
async def test_redis_away_under_traffic(
    gateway: ScriptedGateway,
    own_redis: OwnRedis,
    start_ingester: Start,
    wait_until: WaitUntil,
    with_data: bool,
    seconds: float,
) -> None:
    await start_ingester(own_redis.url, SHARD_COUNT=2)
    await wait_until(lambda: holders(gateway) == 2 and len(published(own_redis.url, "GUILD_CREATE")) == 8)
    traffic = Traffic(gateway, RATE)
    await asyncio.sleep(0.5)
    before = len(traffic.sent)
    own_redis.kill()
    if not with_data:
        own_redis.erase()
    await asyncio.sleep(seconds)  # with data longer than a lease lasts
    own_redis.start()
    await asyncio.sleep(0.5)
    sent = await traffic.stop()
    if with_data:
        await everything(own_redis.url, sent, wait_until)
    else:
        await wait_until(lambda: len(published(own_redis.url)) >= len(sent) - before, seconds=60)
    assert len(gateway.did("identify")) == 2
    assert set(sent[before:]) <= {int(envelope.json()["id"]) for envelope in published(own_redis.url)}


async def test_sessions_are_resumed_while_discords_rest_api_is_down(
    gateway: ScriptedGateway, redis_url: str, start_ingester: Start, wait_until: WaitUntil
) -> None:
    instance = await start_ingester(redis_url)
    await wait_until(lambda: holders(gateway) == 1 and len(published(redis_url, "GUILD_CREATE")) == 8)
    assert await instance.stop() == 0
    gateway.rest_status = 503
    sent = [await gateway.message() for _ in range(5)]
    await start_ingester(redis_url)
    await everything(redis_url, sent, wait_until)
    assert len(gateway.did("identify")) == 1
