from __future__ import annotations

from redis.asyncio import Redis

from ingester import keys
from ingester.feed import Session
from ingester.leases import Held, Lease, Leases
from ingester.registry import Card, Registry


def leases(redis: Redis, instance: str, cluster: str = "0") -> Leases:
    return Leases(redis, instance, cluster, 4)


async def take(redis: Redis, instance: str, shard: int = 1) -> Lease:
    lease = await leases(redis, instance).acquire(shard)
    assert isinstance(lease, Lease)
    return lease


async def test_a_shard_has_one_holder(redis: Redis) -> None:
    await take(redis, "a")
    held = await leases(redis, "b").acquire(1)
    assert isinstance(held, Held)
    assert held.holder == "a/0"
    assert 0 < held.wait_ms <= keys.LEASE_MS


async def test_another_process_of_the_same_instance_is_another_holder(redis: Redis) -> None:
    await take(redis, "a")
    assert isinstance(await leases(redis, "a", "1").acquire(1), Held)


async def test_a_lapsed_lease_goes_to_the_next_with_a_newer_token(redis: Redis) -> None:
    first = await take(redis, "a")
    await redis.hset(keys.lease(4, 1), "until", 1)
    second = await take(redis, "b")
    assert int(second.token) > int(first.token)
    assert not await leases(redis, "a").release(1, first.token)


async def test_tokens_stay_new_when_redis_forgets(redis: Redis) -> None:
    first = await take(redis, "a")
    await redis.flushdb()
    assert int((await take(redis, "b")).token) > int(first.token)


async def test_a_released_shard_is_reserved_for_its_successor(redis: Redis) -> None:
    lease = await take(redis, "a")
    assert await leases(redis, "a").release(1, lease.token, "b")
    assert isinstance(await leases(redis, "c").acquire(1), Held)
    await take(redis, "b")


async def test_a_lease_brings_the_stored_session(redis: Redis) -> None:
    assert (await take(redis, "a")).stored is None
    seconds, _ = await redis.time()
    await redis.hset(
        keys.session(4, 1), mapping={"sid": "abc", "url": "ws://r", "seq": 7, "at": seconds * 1000 - 30_000}
    )
    stored = (await take(redis, "a")).stored
    assert stored is not None
    assert (stored.session, stored.sequence) == (Session("abc", "ws://r"), 7)
    assert 30_000 <= stored.age_ms < 32_000


async def test_the_registry_shows_who_lives_and_who_holds(redis: Redis) -> None:
    registry = Registry(redis)
    card = Card("a", 4, pinned=(0, 1), wants=(3,), replaces=("old",), host="h", pid=9)
    await registry.call(card, 4)
    await take(redis, "a")
    roll = await registry.call(Card("b", 4), 4)
    assert roll.cards["a"] == card
    assert roll.holders == {1: "a"}
    assert [row.ever for row in roll.leases] == [False, True, False, False]
    await registry.leave("a")
    assert set((await registry.call(None, 4)).cards) == {"b"}


async def test_the_silent_are_dead(redis: Redis) -> None:
    registry = Registry(redis)
    await registry.call(Card("a", 4), 4)
    await redis.zadd(keys.INSTANCES_UNTIL, {"a": 1})
    assert (await registry.call(Card("b", 4), 4)).cards.keys() == {"b"}
