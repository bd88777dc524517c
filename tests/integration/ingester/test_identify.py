from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from ingester import keys
from ingester.gateway_bot import AskedToWait, StartLimit, ask_gateway_bot
from ingester.identify import CLAIM_MS, IdentifySlots
from sandbox.trouble import RestKind, RestTrouble
from tests.fixtures.sandbox import ServeSandbox


class Discord:
    def __init__(self, remaining: int = 1000) -> None:
        self.remaining = remaining
        self.asked = 0

    async def __call__(self) -> StartLimit:
        self.asked += 1
        return StartLimit(1000, self.remaining, 3_600_000, 2)


def slots(redis: Redis, discord: Discord | None = None, concurrency: int = 2) -> IdentifySlots:
    return IdentifySlots(redis, 8, concurrency, discord or Discord())


async def test_buckets_are_independent_and_hold_one_shard_for_five_seconds(redis: Redis) -> None:
    one = slots(redis)
    await one.acquire(0)
    await one.acquire(1)
    assert 5_100 < await redis.pttl(keys.identify_slot(0)) <= CLAIM_MS
    await one.sent(0)
    assert 4_500 < await redis.pttl(keys.identify_slot(0)) <= 5_100
    await redis.pexpire(keys.identify_slot(0), 300)
    await one.accepted(0)
    assert 4_500 < await redis.pttl(keys.identify_slot(0)) <= 5_100, "READY came 4.8 s later"
    wait = await slots(redis)._try(2)
    assert wait is not None
    assert 0 < wait <= 1


async def test_the_lowest_waiting_shard_is_first_whoever_asks(redis: Redis) -> None:
    one, two = slots(redis), slots(redis)
    await one.acquire(0)
    assert await two._try(4) is not None
    assert await one._try(2) is not None
    await redis.delete(keys.identify_slot(0))
    assert await two._try(4) is not None, "shard 2 waits too"
    assert await one._try(2) is None


async def test_a_shard_that_stopped_waiting_does_not_block_the_others(redis: Redis) -> None:
    one = slots(redis)
    await one.acquire(0)
    await one._try(2)
    await redis.delete(keys.identify_slot(0))
    await redis.zadd(keys.identify_waiting(0), {"2": 1})
    assert await one._try(4) is None


async def test_a_failed_connection_returns_slot_and_budget(redis: Redis) -> None:
    one = slots(redis)
    await one.acquire(0)
    assert int(await redis.hget(keys.IDENTIFY_BUDGET, "remaining")) == 999
    await one.not_sent(0)
    assert int(await redis.hget(keys.IDENTIFY_BUDGET, "remaining")) == 1000
    assert await one._try(2) is None


async def test_all_processes_share_one_budget_and_ask_discord_seldom(redis: Redis) -> None:
    discord = Discord()
    processes = [slots(redis, discord, concurrency=8) for _ in range(4)]
    await asyncio.gather(*(processes[shard % 4].acquire(shard) for shard in range(8)))
    assert discord.asked <= 4
    assert int(await redis.hget(keys.IDENTIFY_BUDGET, "remaining")) == 992


async def test_the_reserve_is_never_spent(redis: Redis) -> None:
    discord = Discord(remaining=51)
    one = slots(redis, discord, concurrency=8)
    await one.acquire(0)
    waiting = asyncio.create_task(one.acquire(1))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    discord.remaining = 1000
    await redis.delete(keys.IDENTIFY_BUDGET)
    await asyncio.wait_for(waiting, 10)


async def test_discord_is_not_asked_again_before_it_said(redis: Redis, serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        base, token = f"{sandbox.settings.http_url}/api/v10", sandbox.world.application.token
        sandbox.trouble.add(RestTrouble(kind=RestKind.RATE_LIMIT, retry_after=0.2, count=1))
        with pytest.raises(AskedToWait, match="asks to wait") as caught:
            await ask_gateway_bot(base, token)
        assert 0.2 <= caught.value.seconds <= 1.0

        async def ask() -> StartLimit:
            return (await ask_gateway_bot(base, token)).limit

        sandbox.trouble.add(RestTrouble(kind=RestKind.RATE_LIMIT, retry_after=0.2, count=1))
        await IdentifySlots(redis, 1, 1, ask).acquire(0)
        assert [call.status for call in sandbox.rest_log.calls] == [429, 429, 200]
