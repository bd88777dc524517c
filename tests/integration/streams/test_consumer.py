"""One group over real Redis and PostgreSQL: nothing missed, nothing twice, order kept, failures put aside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import run, value
from app.events.envelope import Envelope, stream_name
from app.events.messages import MessageCreated
from app.streams import dead_letters, lag, names, store
from app.streams.declare import consumes
from app.streams.intake import create_group
from app.streams.retry import Poison, Retry, TryLater
from tests.fixtures.streams import Running, guild_in, message_envelope, publish

Consume = Callable[..., Awaitable[Running]]
WaitUntil = Callable[..., Awaitable[Any]]


async def acknowledged(redis: Redis, group: str, partition: int = 0) -> bool:
    """True when everything in the partition has been delivered and acknowledged."""
    found = await lag.measure(redis, group, [partition])
    return found.seconds == 0.0 and found.pending == 0


async def test_what_was_written_before_the_first_worker_is_handled_in_order(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []

    @consumes(MessageCreated, group="order")
    async def handler(event: MessageCreated) -> None:
        await asyncio.sleep(0)
        seen.append(event.message.id)

    guild = guild_in(3)
    await publish(redis, *(message_envelope(guild, n) for n in range(1, 301)))
    await consume(handler)
    await wait_until(lambda: len(seen) == 300)
    assert seen == list(range(1, 301))
    await wait_until(lambda: acknowledged(redis, "order", 3))


async def test_other_events_are_acknowledged_without_a_handler(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    @consumes(MessageCreated, group="skip")
    async def handler(event: MessageCreated) -> None:
        raise AssertionError

    await publish(redis, Envelope("TYPING_START", 0, "s", 1, guild_in(0), 0, b"{}"))
    await consume(handler)
    await wait_until(lambda: acknowledged(redis, "skip"))
    assert await dead_letters.newest(redis, "skip", limit=1) == []


async def test_a_failing_event_steps_aside_is_retried_and_then_is_a_dead_letter_without_the_text(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []
    tries: list[int] = []

    @consumes(MessageCreated, group="failing", retry=Retry(attempts=3, first=0.05, cap=0.1))
    async def handler(event: MessageCreated) -> None:
        if event.message.content == "secret text":
            tries.append(event.message.id)
            raise ValueError(event.message.content)
        seen.append(event.message.id)

    guild = guild_in(1)
    await publish(redis, message_envelope(guild, 1, content="secret text"), message_envelope(guild, 2))
    await consume(handler)
    await wait_until(lambda: seen == [2], what="the later event of the same guild")
    letters = await wait_until(lambda: dead_letters.newest(redis, "failing", limit=9))
    assert len(letters) == 1
    assert len(tries) == 3
    letter = letters[0]
    assert (letter.why, letter.failures, letter.event, letter.guild_id) == (
        "attempts",
        3,
        "MESSAGE_CREATE",
        guild,
    )
    assert letter.error == "ValueError"
    assert "in handler" in letter.trace
    assert "secret text" not in str(letter)
    assert await acknowledged(redis, "failing", 1)
    assert await redis.exists(names.delayed("failing", 1), names.due("failing", 1)) == 0


async def test_poison_and_garbage_are_dead_letters_at_once(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    @consumes(MessageCreated, group="poison")
    async def handler(event: MessageCreated) -> None:
        raise Poison("never")

    guild = guild_in(0)
    await redis.xadd(stream_name(0), {"t": "MESSAGE_CREATE", "d": "{}"})
    await redis.xadd(stream_name(0), {"nothing": "known"})
    broken = Envelope("MESSAGE_CREATE", 0, "s", 1, guild, 0, b"\xff\xfe not json")
    await publish(redis, message_envelope(guild, 1), broken)
    await consume(handler)
    letters = await wait_until(lambda: _at_least(redis, "poison", 4))
    assert sorted(letter.why for letter in letters) == ["malformed", "malformed", "malformed", "poison"]
    await wait_until(lambda: acknowledged(redis, "poison"))


async def _at_least(redis: Redis, group: str, count: int) -> list[dead_letters.DeadLetter]:
    found = await dead_letters.newest(redis, group, limit=100)
    return found if len(found) >= count else []


async def test_only_the_handler_that_failed_runs_again(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    good: list[int] = []
    bad: list[int] = []

    @consumes(MessageCreated, group="two")
    async def first(event: MessageCreated) -> None:
        good.append(event.message.id)

    @consumes(MessageCreated, group="two", retry=Retry(attempts=5, first=0.05))
    async def second(event: MessageCreated) -> None:
        bad.append(event.message.id)
        if len(bad) == 1:
            raise TryLater(after=0.05)

    await publish(redis, message_envelope(guild_in(0), 1))
    await consume(first, second)
    await wait_until(lambda: bad == [1, 1])
    assert good == [1]


async def test_a_replayed_dead_letter_is_handled_by_the_running_worker(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    healed = asyncio.Event()
    seen: list[int] = []

    @consumes(MessageCreated, group="replay")
    async def handler(event: MessageCreated) -> None:
        if not healed.is_set():
            raise Poison("not yet")
        seen.append(event.message.id)

    await publish(redis, message_envelope(guild_in(0), 1), message_envelope(guild_in(0), 2))
    await consume(handler)
    letters = await wait_until(lambda: _at_least(redis, "replay", 2))
    assert await dead_letters.groups_with_letters(redis) == [("replay", 2)]
    healed.set()
    assert await dead_letters.replay(redis, "replay", letters[0].id)
    assert not await dead_letters.replay(redis, "replay", letters[0].id)
    await wait_until(lambda: seen == [2])
    assert await dead_letters.drop(redis, "replay", letters[1].id)
    assert await dead_letters.groups_with_letters(redis) == []


async def test_a_bad_release_pauses_the_group_and_loses_nothing(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    broken = True
    seen: set[int] = set()

    @consumes(MessageCreated, group="release")
    async def handler(event: MessageCreated) -> None:
        if broken:
            raise Poison("everything")
        seen.add(event.message.id)

    await publish(redis, *(message_envelope(guild_in(n % 16), n) for n in range(1, 201)))
    bad = await consume(handler)
    await wait_until(lambda: bad.consumer.status().paused)
    await bad.stop()
    dead = await dead_letters.newest(redis, "release", limit=1000)
    assert 0 < len(dead) <= 20
    broken = False
    await consume(handler, worker="b")
    held_back = sum([await redis.zcard(names.due("release", p)) for p in range(16)])
    await wait_until(lambda: len(seen) == 200 - len(dead) - held_back)
    assert held_back <= 32


async def test_a_hanging_handler_is_a_failure_and_frees_its_guild(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    seen: list[int] = []

    @consumes(MessageCreated, group="hang", retry=Retry(attempts=1), seconds=0.1)
    async def handler(event: MessageCreated) -> None:
        if event.message.id == 1:
            await asyncio.Event().wait()
        seen.append(event.message.id)

    await publish(redis, message_envelope(guild_in(0), 1), message_envelope(guild_in(0), 2))
    await consume(handler)
    await wait_until(lambda: seen == [2])
    letters = await wait_until(lambda: _at_least(redis, "hang", 1))
    assert letters[0].error == "TimeoutError"


async def test_a_noisy_guild_does_not_starve_the_others(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    order: list[int] = []

    @consumes(MessageCreated, group="noise")
    async def handler(event: MessageCreated) -> None:
        await asyncio.sleep(0.001)
        order.append(event.message.guild_id)

    noisy, quiet = guild_in(0, 1), guild_in(0, 2)
    await publish(
        redis, *(message_envelope(noisy, n) for n in range(1, 1_501)), message_envelope(quiet, 9_999)
    )
    await consume(handler, concurrency=2)
    await wait_until(lambda: len(order) == 1_501)
    # The reader must look past 1,500 entries; the quiet guild then waits for one turn, not for all of them.
    assert order.index(quiet) < 1_200
    assert order.count(noisy) == 1_500


async def test_a_guild_may_be_handled_in_parallel_when_declared(
    redis: Redis, consume: Consume, wait_until: WaitUntil
) -> None:
    running = 0
    most = 0
    release = asyncio.Event()

    @consumes(MessageCreated, group="parallel", parallel=3)
    async def handler(event: MessageCreated) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1

    await publish(redis, *(message_envelope(guild_in(0), n) for n in range(1, 10)))
    await consume(handler, concurrency=8)
    await wait_until(lambda: running == 3)
    release.set()
    await wait_until(lambda: acknowledged(redis, "parallel"))
    assert most == 3


async def test_a_claim_makes_an_effect_happen_once(
    redis: Redis, pool: Pool, consume: Consume, wait_until: WaitUntil
) -> None:
    results: list[bool] = []

    @consumes(MessageCreated, group="claims")
    async def handler(event: MessageCreated) -> None:
        async with transaction(pool) as conn:
            results.append(await store.claim(conn, "claims.test", event.key))

    # The same message twice, as Discord or a second session may send it.
    await publish(
        redis, message_envelope(guild_in(0), 7, sequence=1), message_envelope(guild_in(0), 7, sequence=2)
    )
    await consume(handler)
    await wait_until(lambda: len(results) == 2)
    assert results == [True, False]


async def test_a_rolled_back_claim_can_be_made_again(pool: Pool) -> None:
    with pytest.raises(RuntimeError):
        async with transaction(pool) as conn:
            assert await store.claim(conn, "g", "k")
            raise RuntimeError
    async with transaction(pool) as conn:
        assert await store.claim(conn, "g", "k")
    async with transaction(pool) as conn:
        assert not await store.claim(conn, "g", "k")
        assert await store.claim(conn, "other", "k")


async def test_two_transactions_with_one_event_have_one_effect(pool: Pool) -> None:
    async def attempt() -> bool:
        async with transaction(pool) as conn:
            won = await store.claim(conn, "g", "same")
            await asyncio.sleep(0.01)
            return won

    assert sorted(await asyncio.gather(*(attempt() for _ in range(8)))) == [False] * 7 + [True]


async def test_old_claims_are_pruned(pool: Pool) -> None:
    async with transaction(pool) as conn:
        for n in range(5):
            await store.claim(conn, "g", str(n))
        await run(
            conn, "UPDATE streams.claims SET claimed_at = now() - interval '8 days' WHERE event_key < '3'"
        )
    async with transaction(pool) as conn:
        assert await store.prune_claims(conn, days=7.0, limit=2) == 2
        assert await store.prune_claims(conn, days=7.0, limit=100) == 1
        assert await value(conn, "SELECT count(*) FROM streams.claims") == 2


async def test_lag_is_the_age_of_the_oldest_unhandled_entry(redis: Redis) -> None:
    await create_group(redis, "late")
    assert await lag.measure(redis, "late", range(16)) == lag.Lag(0.0, 0)
    await redis.xadd(stream_name(2), {"t": "X"}, id="1000-0")
    found = await lag.measure(redis, "late", range(16))
    assert found.seconds > 1_000_000
    assert await lag.measure(redis, "unknown", range(16)) == lag.Lag(0.0, 0)
