from __future__ import annotations

from redis.asyncio import Redis

from app.events.envelope import stream_name
from app.observability import metrics
from ingester.trimmer import Trimmer

STREAM = stream_name(5)


async def fill(redis: Redis, count: int) -> list[bytes]:
    return [await redis.xadd(STREAM, {"n": number}) for number in range(count)]


async def left(redis: Redis) -> list[int]:
    return [int(fields[b"n"]) for _, fields in await redis.xrange(STREAM)]


async def test_nothing_is_trimmed_while_nobody_reads(redis: Redis) -> None:
    await fill(redis, 10)
    await Trimmer(redis, 1000).trim()
    assert len(await left(redis)) == 10


async def test_the_slowest_group_decides(redis: Redis) -> None:
    ids = await fill(redis, 10)
    for group in ("fast", "slow"):
        await redis.xgroup_create(STREAM, group, id="0")
    await redis.xreadgroup("fast", "c", {STREAM: ">"}, count=10)
    await redis.xack(STREAM, "fast", *ids)
    await redis.xreadgroup("slow", "c", {STREAM: ">"}, count=4)
    await Trimmer(redis, 1000).trim()
    assert len(await left(redis)) == 10
    await redis.xack(STREAM, "slow", *ids[:2], ids[3])
    await Trimmer(redis, 1000).trim()
    assert await left(redis) == [2, 3, 4, 5, 6, 7, 8, 9]
    await redis.xack(STREAM, "slow", ids[2])
    await Trimmer(redis, 1000).trim()
    assert await left(redis) == [4, 5, 6, 7, 8, 9]


async def test_the_cap_drops_the_oldest_and_counts_them(redis: Redis) -> None:
    dropped = metrics.GATEWAY_EVENTS_DROPPED.labels("stream_cap")
    before = dropped._value.get()
    await fill(redis, 600)
    await redis.xgroup_create(STREAM, "slow", id="0")
    await Trimmer(redis, 200).trim()
    remaining = await left(redis)
    assert 200 <= len(remaining) < 400
    assert remaining[-1] == 599
    assert dropped._value.get() - before == 600 - len(remaining)
