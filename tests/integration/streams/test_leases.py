"""Several workers share the partitions: evenly, one at a time each, and moving on when a worker is gone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import value
from app.events.envelope import PARTITIONS, stream_name
from app.events.messages import MessageCreated
from app.streams import lag, names, store
from app.streams.declare import consumes
from app.streams.fencing import Fence, StaleLease, current_fence
from app.streams.intake import Intake, create_group
from app.streams.leases import Leases
from tests.fixtures.streams import Running, guild_in, message_envelope, publish

Consume = Callable[..., Awaitable[Running]]
WaitUntil = Callable[..., Awaitable[Any]]


def held(*workers: Running) -> list[int]:
    return [len(worker.consumer.status().partitions) for worker in workers]


@consumes(MessageCreated, group="idle")
async def idle_handler(event: MessageCreated) -> None:
    pass


async def test_shares_are_even_and_add_up_to_all_partitions(redis: Redis) -> None:
    workers = [Leases(redis, "g", name) for name in "abc"]
    for _ in range(2):
        for worker in workers:
            await worker.renew()
    shares = [await worker.renew(leaving=range(PARTITIONS)) for worker in workers]
    assert [share for share, _ in shares] == [6, 5, 5]


async def test_a_lease_has_one_holder_and_every_new_one_a_greater_token(redis: Redis) -> None:
    a, b = Leases(redis, "g", "a"), Leases(redis, "g", "b")
    _, first = await a.renew()
    assert len(first) == PARTITIONS
    _, nothing = await b.renew()
    assert nothing == {}
    _, again = await a.renew()
    assert {p: lease.token for p, lease in again.items()} == {p: lease.token for p, lease in first.items()}
    await a.release([0, 1])
    _, second = await b.renew()
    assert set(second) == {0, 1}
    assert all(second[p].token > first[p].token for p in second)
    a.floor = second[0].token + 10**9
    await b.release([0])
    await b.renew(take_part=False)
    _, third = await a.renew()
    assert third[0].token == a.floor + 1


async def test_a_worker_that_joins_gets_its_share_and_gives_it_back(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    a = await consume(idle_handler, worker="a")
    await wait_until(lambda: held(a) == [16] and a.consumer.status().settled)
    b = await consume(idle_handler, worker="b")
    await wait_until(lambda: held(a, b) == [8, 8])
    assert set(a.consumer.status().partitions).isdisjoint(b.consumer.status().partitions)
    await b.stop()
    assert await redis.zrange(names.workers("idle"), 0, -1) == [b"a"]
    await wait_until(lambda: held(a) == [16])
    await a.stop()
    assert await redis.zcard(names.workers("idle")) == 0
    assert [await redis.xinfo_consumers(stream_name(p), "idle") for p in range(PARTITIONS)] == [
        []
    ] * PARTITIONS


async def test_events_flow_in_order_while_workers_come_and_go(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: dict[int, list[int]] = defaultdict(list)

    @consumes(MessageCreated, group="moving")
    async def handler(event: MessageCreated) -> None:
        await asyncio.sleep(0.002)
        seen[event.message.guild_id].append(event.message.id)

    guilds = [guild_in(p) for p in range(PARTITIONS)]
    for start in range(1, 31, 10):
        await publish(redis, *(message_envelope(g, n) for n in range(start, start + 10) for g in guilds))
    a = await consume(handler, worker="a")
    await wait_until(lambda: sum(map(len, seen.values())) > 50)
    b = await consume(handler, worker="b")
    await wait_until(lambda: held(b)[0] > 0)
    await a.stop()
    await wait_until(lambda: sum(map(len, seen.values())) == 480)
    assert all(seen[g] == list(range(1, 31)) for g in guilds), (
        "once each, and in order, though partitions moved"
    )
    await b.stop()


async def test_a_dead_workers_entries_are_taken_over_in_order(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []
    stuck = asyncio.Event()

    @consumes(MessageCreated, group="dying")
    async def first(event: MessageCreated) -> None:
        stuck.set()
        await asyncio.Event().wait()

    @consumes(MessageCreated, group="dying")
    async def second(event: MessageCreated) -> None:
        seen.append(event.message.id)

    guild = guild_in(2)
    await publish(redis, *(message_envelope(guild, n) for n in range(1, 101)))
    a = await consume(first, worker="a", lease_seconds=1.0)
    await stuck.wait()
    await a.kill()
    await publish(redis, *(message_envelope(guild, n) for n in range(101, 121)))
    await consume(second, worker="b", lease_seconds=1.0)
    await wait_until(lambda: len(seen) == 120)
    assert seen == list(range(1, 121))
    await wait_until(lambda: _nothing_pending(redis, "dying", 2))
    consumers = await redis.xinfo_consumers(stream_name(2), "dying")
    assert [consumer["name"] for consumer in consumers] == [b"b"], "the dead worker's consumer is forgotten"


async def _nothing_pending(redis: Redis, group: str, partition: int) -> bool:
    return (await lag.measure(redis, group, [partition])).pending == 0


async def test_a_reply_lost_on_the_way_is_found_again(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    """Entries that the server delivered to us and that never arrived are pending for us and unknown to us."""
    seen: list[int] = []

    @consumes(MessageCreated, group="reply")
    async def handler(event: MessageCreated) -> None:
        seen.append(event.message.id)

    a = await consume(handler, worker="a")
    await wait_until(lambda: held(a) == [16] and a.consumer.status().settled)
    a.consumer._reading._sweep_at = float("inf")
    guild = guild_in(4)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.xadd(stream_name(4), message_envelope(guild, 1).to_fields())
        pipe.xreadgroup("reply", "a", {stream_name(4): ">"})
        await pipe.execute()
    await publish(redis, message_envelope(guild, 2))
    await wait_until(lambda: 2 in seen)
    assert 1 not in seen
    a.consumer._reading._sweep_at = 0.0
    await wait_until(lambda: 1 in seen)


async def test_an_entry_that_kills_its_worker_again_and_again_is_a_dead_letter(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    from app.streams import dead_letters
    from app.streams.consumer import CRASHES

    seen: list[int] = []

    @consumes(MessageCreated, group="crash")
    async def handler(event: MessageCreated) -> None:
        seen.append(event.message.id)

    await create_group(redis, "crash")
    await publish(redis, message_envelope(guild_in(0), 1), message_envelope(guild_in(0), 2))
    intake = Intake(redis, redis, "crash", "dead")
    entries = await intake.read([0], count=10, block=0.01)
    for _ in range(CRASHES - 1):
        taken = next(e for e in await intake.left_over(0, lambda _: False) if e.id == entries[0].id)
        await intake.count_start(taken)
    await consume(handler, worker="b")
    letters = await wait_until(lambda: dead_letters.newest(redis, "crash", limit=5))
    assert [(letter.why, letter.failures) for letter in letters] == [("crash", CRASHES)]
    await wait_until(lambda: seen == [2])


async def test_an_entry_trimmed_before_it_was_handled_is_counted_and_passed(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []

    @consumes(MessageCreated, group="trimmed")
    async def handler(event: MessageCreated) -> None:
        seen.append(event.message.id)

    await create_group(redis, "trimmed")
    await publish(redis, message_envelope(guild_in(0), 1), message_envelope(guild_in(0), 2))
    entries = await Intake(redis, redis, "trimmed", "dead").read([0], count=10, block=0.01)
    await redis.xdel(stream_name(0), entries[0].id)
    await consume(handler, worker="b")
    await wait_until(lambda: seen == [2])
    await wait_until(lambda: _nothing_pending(redis, "trimmed", 0))


async def test_a_late_claim_of_an_older_lease_is_refused(pool: Pool) -> None:
    async with transaction(pool) as conn:
        assert await store.raise_fences(conn, "g", {3: 100, 4: 100}) == {3: 100, 4: 100}
    current_fence.set(Fence("g", 3, 100))
    async with transaction(pool) as conn:
        assert await store.claim(conn, "g", "before")
    async with transaction(pool) as conn:
        assert await store.raise_fences(conn, "g", {3: 200}) == {3: 200}
        assert await store.raise_fences(conn, "g", {3: 150}) == {3: 200}, "a token never goes back"
    with pytest.raises(StaleLease):
        async with transaction(pool) as conn:
            await store.claim(conn, "g", "after")
    async with transaction(pool) as conn:
        assert await value(conn, "SELECT count(*) FROM streams.claims") == 1
    current_fence.set(Fence("g", 4, 100))
    async with transaction(pool) as conn:
        assert await store.claim(conn, "g", "after"), "the other partition is still ours"


async def test_redis_whose_clock_went_back_gets_tokens_above_what_postgres_knows(
    redis: Redis, pool: Pool, consume: Consume, wait_until: WaitUntil
) -> None:
    future = 9 * 10**15  # microseconds in the year 2255; a Lua number is exact up to 2**53
    async with transaction(pool) as conn:
        await store.raise_fences(conn, "idle", dict.fromkeys(range(PARTITIONS), future))
    a = await consume(idle_handler, worker="a", lease_seconds=1.0)
    await wait_until(lambda: held(a) == [16] and a.consumer.status().settled)
    async with transaction(pool) as conn:
        assert (
            await value(conn, "SELECT min(token) FROM streams.fences WHERE consumer_group = 'idle'") > future
        )
