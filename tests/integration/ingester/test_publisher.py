from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import redis as redis_sync
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis.client import open_redis
from app.events.envelope import PARTITIONS, Envelope, stream_name
from ingester import keys
from ingester.feed import Feed, Session, event_heads
from ingester.leases import Lease, Leases
from ingester.publisher import Publisher
from tests.fixtures.redis import OwnRedis

HEADS = event_heads("MESSAGE_CREATE")
SESSION = Session("abc", "ws://resume")
WaitUntil = Callable[..., Awaitable[Any]]


class Shard:
    """The owner of a feed: acquires again when Redis forgot, remembers what it was told."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.told: list[Any] = []

    def fenced(self, _feed: Feed) -> None:
        self.told.append("fenced")

    def lease_unknown(self, feed: Feed) -> None:
        self.told.append("unknown")
        self.task = asyncio.create_task(self.again(feed))

    async def again(self, feed: Feed) -> None:
        while True:
            try:
                lease = await self.leases.acquire(feed.shard)
                break
            except RedisError:
                await asyncio.sleep(0.05)
        assert isinstance(lease, Lease)
        feed.renew(lease.token)

    def gap(self, _feed: Feed, stored: int) -> None:
        self.told.append(stored)


@asynccontextmanager
async def publishing(
    url: str, instance: str = "a", **limits: int
) -> AsyncIterator[tuple[Publisher, Feed, Shard]]:
    async with open_redis(url) as client:
        leases = Leases(client, instance, "0", 1)
        lease = await leases.acquire(0)
        assert isinstance(lease, Lease)
        publisher = Publisher(url, **limits)
        owner = Shard(leases)
        feed = publisher.open(0, 1, lease.token, owner)
        if lease.stored:
            feed.begin(lease.stored.session, lease.stored.sequence)
        task = asyncio.create_task(publisher.run())
        try:
            yield publisher, feed, owner
        finally:
            task.cancel()
            await asyncio.wait([task])


def guild(number: int) -> bytes:
    return b"%d" % (number << 22)


def entries(url: str) -> list[Envelope]:
    with redis_sync.Redis.from_url(url) as client:
        return [
            Envelope.from_fields(fields)
            for partition in range(PARTITIONS)
            for _, fields in client.xrange(stream_name(partition))
        ]


def sequences(url: str) -> list[int]:
    return sorted(envelope.sequence for envelope in entries(url))


async def test_events_arrive_whole_in_the_stream_of_their_guild(redis_url: str, redis: Redis) -> None:
    async with publishing(redis_url) as (publisher, feed, _):
        feed.begin(SESSION, 0)
        for number in range(1, 40):
            feed.append(HEADS, number, guild(number), b'{"n":%d}' % number)
        feed.passed(45)
        assert await publisher.drain(feed, 10)
        assert publisher.events == publisher.bytes == 0
        found = entries(redis_url)
        assert sorted(envelope.sequence for envelope in found) == list(range(1, 40))
        assert {(e.type, e.shard, e.session) for e in found} == {("MESSAGE_CREATE", 0, "abc")}
        assert all(e.json() == {"n": e.sequence} and e.guild_id == e.sequence << 22 for e in found)
        stored = await redis.hgetall(keys.session(1, 0))
        assert (stored[b"sid"], stored[b"url"], stored[b"seq"]) == (b"abc", b"ws://resume", b"45")
        assert 85_000 < await redis.pttl(keys.session(1, 0)) <= 90_000
        with redis_sync.Redis.from_url(redis_url) as client:
            assert [int(f[b"s"]) for _, f in client.xrange(stream_name(3))] == [3, 19, 35]


async def test_a_replayed_sequence_is_not_appended_again(redis_url: str) -> None:
    async with publishing(redis_url) as (publisher, feed, _):
        feed.begin(SESSION, 0)
        for number in (1, 2, 3):
            feed.append(HEADS, number, b"0", b"{}")
        assert await publisher.drain(feed, 10)
    async with publishing(redis_url) as (publisher, feed, _):
        for number in (2, 3, 4):
            feed.append(HEADS, number, b"0", b"{}")
        assert await publisher.drain(feed, 10)
        assert sequences(redis_url) == [1, 2, 3, 4]
        assert feed.counts.refused == 2


async def test_a_quiet_feed_keeps_its_lease(redis_url: str, redis: Redis, wait_until: WaitUntil) -> None:
    async with publishing(redis_url) as (_, feed, _):
        first = int(await redis.hget(keys.lease(1, 0), "until"))
        feed.state = b"ready"

        async def renewed() -> bool:
            state, until = await redis.hmget(keys.lease(1, 0), "state", "until")
            return state == b"ready" and int(until) > first

        await wait_until(renewed)


async def test_without_the_lease_nothing_is_published(redis_url: str) -> None:
    async with publishing(redis_url, "a") as (publisher, feed, owner):
        feed.begin(SESSION, 0)
        feed.append(HEADS, 1, b"0", b"{}")
        assert await publisher.drain(feed, 10)
        with redis_sync.Redis.from_url(redis_url) as client:
            client.hset(keys.lease(1, 0), "until", 1)
        async with publishing(redis_url, "b"):
            feed.append(HEADS, 2, b"0", b"{}")
            assert not await publisher.drain(feed, 10)
            assert owner.told == ["fenced"]
            assert feed.counts.discarded == 1
            feed.append(HEADS, 3, b"0", b"{}")
            assert publisher.events == 0
        assert sequences(redis_url) == [1]


async def test_events_wait_while_redis_is_away_and_come_once_in_order(
    own_redis: OwnRedis, wait_until: WaitUntil
) -> None:
    async with publishing(own_redis.url) as (publisher, feed, _):
        feed.begin(SESSION, 0)
        for number in range(1, 3001):
            feed.append(HEADS, number, b"0", b"{}")
            if number == 1000:
                await asyncio.sleep(0)
                own_redis.kill()
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert publisher.events >= 2000
        own_redis.start()
        assert await publisher.drain(feed, 30)
        await wait_until(lambda: sequences(own_redis.url) == list(range(1, 3001)))


async def test_a_redis_without_its_data_is_filled_again(own_redis: OwnRedis) -> None:
    async with publishing(own_redis.url) as (publisher, feed, owner):
        feed.begin(SESSION, 0)
        feed.append(HEADS, 1, b"0", b"{}")
        assert await publisher.drain(feed, 10)
        own_redis.kill()
        own_redis.erase()
        for number in (2, 3):
            feed.append(HEADS, number, b"0", b"{}")
        own_redis.start()
        assert await publisher.drain(feed, 30)
        assert owner.told[0] == "unknown"
        assert sequences(own_redis.url) == [2, 3]


async def test_writes_that_redis_forgot_are_asked_for(
    redis_url: str, redis: Redis, wait_until: WaitUntil
) -> None:
    async with publishing(redis_url) as (publisher, feed, owner):
        feed.begin(SESSION, 0)
        for number in (1, 2, 3, 4):
            feed.append(HEADS, number, b"0", b"{}")
        assert await publisher.drain(feed, 10)
        await redis.hset(keys.session(1, 0), "seq", 2)
        feed.append(HEADS, 5, b"0", b"{}")
        await wait_until(lambda: owner.told)
        assert owner.told == [2]
        assert publisher.events == 0


async def test_a_refusing_redis_is_asked_again(own_redis: OwnRedis) -> None:
    redis = Redis.from_url(own_redis.url)
    async with publishing(own_redis.url) as (publisher, feed, _), redis:
        feed.begin(SESSION, 0)
        await redis.script_flush()
        feed.append(HEADS, 1, b"0", b"{}")
        assert await publisher.drain(feed, 20)
        await redis.config_set("maxmemory", 1)
        try:
            feed.append(HEADS, 2, b"0", b"{}")
            assert not await publisher.drain(feed, 0.5)
            assert not publisher.connected
        finally:
            await redis.config_set("maxmemory", 0)
        assert await publisher.drain(feed, 20)
        assert sequences(own_redis.url) == [1, 2]


async def test_a_full_buffer_closes_the_door_until_half_is_gone(
    own_redis: OwnRedis, wait_until: WaitUntil
) -> None:
    async with publishing(own_redis.url, events=100) as (publisher, feed, _):
        feed.begin(SESSION, 0)
        own_redis.stop()
        for number in range(1, 151):
            feed.append(HEADS, number, b"0", b"{}")
        await wait_until(lambda: not publisher.room.is_set())
        assert publisher.full_since is not None
        own_redis.start()
        await wait_until(publisher.room.is_set)
        assert await publisher.drain(feed, 10)


async def test_two_sets_of_shards_append_an_event_once(redis_url: str) -> None:
    async with publishing(redis_url) as (publisher, feed, _):
        feed.begin(SESSION, 0)
        feed.overlap(on=True)
        for number in (1, 2):
            feed.append(HEADS, number, b"0", b"{}", b"key%d" % number)
        assert await publisher.drain(feed, 10)
        feed.begin(Session("other", "ws://resume"), 0)
        for number in (1, 2, 3):
            feed.append(HEADS, number, b"0", b"{}", b"key%d" % number)
        assert await publisher.drain(feed, 10)
        feed.overlap(on=False)
        feed.append(HEADS, 4, b"0", b"{}")
        assert await publisher.drain(feed, 10)
    assert [(e.session, e.sequence) for e in entries(redis_url)] == [
        ("abc", 1),
        ("abc", 2),
        ("other", 3),
        ("other", 4),
    ]
