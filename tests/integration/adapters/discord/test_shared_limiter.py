"""What only the limiter in Redis has: several processes, late askers, scripts that must be loaded again."""

from __future__ import annotations

import asyncio

import pytest

from app.adapters.discord import routes
from app.adapters.discord.priority import Priority
from app.adapters.discord.slots import Answer, Outcome, Scope
from tests.integration.adapters.discord.clocked import LIMITS, Bench, Server, learnt, make_shared, message

EDIT = routes.EDIT_MESSAGE.at(channel_id=1, message_id=1)


async def other_process(bench: Bench, name: str = "p2") -> Bench:
    other = Bench(make_shared(bench.redis, process=name), bench.redis, shared=True, numbers=1000)
    other.now = bench.now
    return other


async def test_processes_share_buckets_budgets_and_the_global_limit(shared: Bench) -> None:
    other = await other_process(shared)
    await shared.call(message(), learnt(0, 5, 5.0))
    assert (await other.call(message(), left=1)).answer is Answer.LATE_BUCKET
    await other.call(message(2), Outcome(scope=Scope.GLOBAL, retry_after=3.0))
    assert (await shared.call(message(3), left=1)).answer is Answer.LATE_GLOBAL
    await other.call(
        routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token="a"), Outcome(answered=True, bad=True)
    )
    assert (await shared.call(message(3), left=1)).bad_answers == 1


async def test_the_number_of_processes_is_known_and_forgets_those_that_are_gone(shared: Bench) -> None:
    other = await other_process(shared)
    assert (await shared.call(message())).processes == 1
    assert (await other.call(message(2))).processes == 2
    shared.limiter._tell_at = 0.0
    await shared.at(61)
    assert (await shared.call(message(3))).processes == 1


async def test_bots_do_not_share_limits_but_the_address(shared: Bench, redis) -> None:
    from dataclasses import replace

    other = Bench(make_shared(redis, replace(LIMITS, bot="2")), redis, shared=True)
    await shared.call(message(), learnt(0, 5, 5.0))
    assert (await other.call(message(), left=0)).answer is Answer.GO
    await shared.call(message(2), Outcome(scope=Scope.EDGE, retry_after=60.0))
    assert (await other.call(message(3), left=1)).answer is Answer.BAD


async def test_who_does_not_come_for_its_turn_is_passed_over_and_keeps_its_place(shared: Bench) -> None:
    server = Server(1, 1.0)
    await shared.call(message(), server.answer(shared.now))
    gone, slow, third = (shared.ticket(message(), Priority.MODERATION) for _ in range(3))
    for ticket in (gone, slow, third):
        assert (await shared.ask(ticket)).answer is Answer.WAIT
    await shared.at(1.01)
    # The first two have not asked for their turn yet; they are waited for, but not for long.
    assert (await shared.ask(third)).answer is Answer.WAIT
    await shared.at(1.6)
    verdict = await shared.ask(third)
    assert verdict.answer is Answer.GO
    await shared.limiter.settle(third, verdict, server.answer(shared.now))
    # `slow` comes back: it goes before those who came after it.
    newcomer = shared.ticket(message(), Priority.MODERATION)
    while True:
        await shared.at(shared.seconds + 0.02)
        assert (await shared.ask(newcomer)).answer is Answer.WAIT
        verdict = await shared.ask(slow)
        if verdict.answer is Answer.GO:
            break
    assert server.answer(shared.now).scope is None


async def test_calls_that_waited_for_a_bucket_to_be_known_keep_their_order_in_it(shared: Bench) -> None:
    first = shared.ticket(message())
    verdict = await shared.ask(first)
    bulk = shared.ticket(message(), Priority.BULK)
    urgent = shared.ticket(message(), Priority.MODERATION)
    for ticket in (bulk, urgent):
        assert (await shared.ask(ticket)).answer is Answer.WAIT
    await shared.limiter.settle(first, verdict, learnt(1, 2, 5.0))
    # One slot is left. Bulk asks first, but the urgent call is known to be waiting.
    assert (await shared.ask(bulk)).answer is Answer.WAIT
    assert (await shared.ask(urgent)).answer is Answer.GO


async def test_a_new_channel_joins_the_bucket_that_its_routes_are_known_for(shared: Bench) -> None:
    await shared.call(message(1), learnt(4))
    await shared.call(EDIT, learnt(3))
    # Channel 2 is new, but both routes are known to belong to "abc": one of them learns for both.
    probe = shared.ticket(message(2))
    assert (await shared.ask(probe)).answer is Answer.GO
    edit = shared.ticket(routes.EDIT_MESSAGE.at(channel_id=2, message_id=1))
    assert (await shared.ask(edit)).answer is Answer.WAIT


async def test_each_global_429_widens_the_gap_and_time_narrows_it_again(shared: Bench) -> None:
    async def rate() -> float:
        began = shared.seconds
        last = began
        for number in range(60):
            last = await shared.until_go(shared.ticket(message(number + 100), Priority.BULK), 1e6)
        return 60 / (last - began)

    calm = await rate()
    for _ in range(10):
        await shared.call(message(1), Outcome(scope=Scope.GLOBAL, retry_after=0.0))
        await shared.at(shared.seconds + 1)
    careful = await rate()
    assert careful < calm * 0.97
    await shared.at(shared.seconds + 300)
    assert await rate() == pytest.approx(calm, rel=0.02)


async def test_the_largest_bots_may_go_faster(redis) -> None:
    from dataclasses import replace

    bench = Bench(make_shared(redis, replace(LIMITS, global_rate=500)), redis, shared=True)
    await bench.at(0)
    for number in range(1000):
        last = await bench.until_go(bench.ticket(message(number), Priority.BULK))
    assert last == pytest.approx(2.0, rel=0.05)


async def test_a_redis_that_forgot_the_scripts_gets_them_again(shared: Bench, redis) -> None:
    await shared.call(message(1))
    await redis.script_flush()
    assert (await shared.call(message(2))).answer is Answer.GO
    await redis.script_flush()
    calls = (shared.call(message(number)) for number in range(3, 10))
    assert [v.answer for v in await asyncio.gather(*calls)] == [Answer.GO] * 7


async def test_a_caller_that_gives_up_takes_no_others_answer_with_it(shared: Bench) -> None:
    tasks = [asyncio.create_task(shared.call(message(number))) for number in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert all(result.answer in {Answer.GO, Answer.WAIT} for result in results[1::2])


async def test_no_key_lives_for_ever_and_none_holds_a_token(shared: Bench, redis) -> None:
    followup = routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token="sEcReT")
    await shared.call(followup, learnt(0, 1, 5.0, "w"))
    await shared.ask(shared.ticket(followup))
    await shared.call(message(1), learnt(0, 5, 5.0))
    await shared.ask(shared.ticket(message(1)))
    await shared.call(message(2), Outcome(scope=Scope.GLOBAL, retry_after=1.0, bad=True, logged_out=True))
    await shared.call(
        routes.CREATE_INTERACTION_RESPONSE.at(interaction_id=1, interaction_token="sEcReT"), learnt(4)
    )
    await shared.call(followup, Outcome(answered=True, webhook_gone=True))
    for key in await redis.keys("discord:*"):
        assert b"sEcReT" not in key
        if key != b"discord:1:arrivals":
            assert 0 < await redis.ttl(key) <= 86_400, key
