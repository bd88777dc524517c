"""The rules of buckets, of the global limit and of priorities, for both limiters."""

from __future__ import annotations

import pytest

from app.adapters.discord import routes
from app.adapters.discord.priority import Priority
from app.adapters.discord.slots import Answer, Outcome, Scope
from tests.integration.adapters.discord.clocked import Bench, Server, learnt, message

EDIT = routes.EDIT_MESSAGE.at(channel_id=1, message_id=1)
FOLLOWUP = routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token="a")
BAD = Outcome(answered=True, bad=True)
PLAIN = Outcome(answered=True)


async def test_an_unknown_bucket_is_learnt_by_one_call_at_a_time(bench: Bench) -> None:
    first, second = bench.ticket(message()), bench.ticket(message())
    verdict = await bench.ask(first)
    assert verdict.answer is Answer.GO
    assert (await bench.ask(second)).answer is Answer.WAIT
    await bench.limiter.settle(first, verdict, learnt(4))
    assert (await bench.ask(second)).answer is Answer.GO


async def test_a_call_that_never_ends_gives_way_to_the_next(bench: Bench) -> None:
    assert (await bench.ask(bench.ticket(message()))).answer is Answer.GO
    second = bench.ticket(message())
    await bench.ask(second)
    await bench.at(2.5)
    assert (await bench.ask(second)).answer is Answer.GO


async def test_unknown_buckets_of_different_channels_do_not_wait_for_one_another(bench: Bench) -> None:
    assert (await bench.ask(bench.ticket(message(1)))).answer is Answer.GO
    assert (await bench.ask(bench.ticket(message(2)))).answer is Answer.GO


@pytest.mark.parametrize(("limit", "window"), [(5, 5.0), (1, 0.25), (10, 10.0), (1, 10.0), (3, 600.0)])
async def test_a_known_bucket_gives_its_slots_and_then_waits_for_its_reset(
    bench: Bench, limit, window
) -> None:
    server = Server(limit, window)
    await bench.call(message(), server.answer(bench.now))
    for number in range(limit - 1):
        await bench.at(bench.seconds + 0.03)
        verdict = await bench.call(message(number=number), server.answer(bench.now), left=window / 2)
        assert verdict.answer is Answer.GO, number
    left = server.reset - bench.now
    refused = await bench.call(message(), left=left - 0.05)
    assert (refused.answer, refused.wait) == (Answer.LATE_BUCKET, pytest.approx(left, abs=0.03))
    await bench.at(bench.seconds + refused.wait + 0.001)
    assert (await bench.call(message())).answer is Answer.GO
    assert server.refused == 0


async def test_a_refusal_spends_nothing(bench: Bench) -> None:
    await bench.call(message(), learnt(0, 5, 5.0))
    for _ in range(20):
        assert (await bench.call(message(), left=1.0)).answer is Answer.LATE_BUCKET
    # Neither the bucket nor the global limit heard of the refused calls.
    assert (await bench.call(message(2))).answer is Answer.GO
    await bench.at(5.1)
    for number in range(5):
        assert (await bench.call(message(number=number), learnt(4 - number), left=1)).answer is Answer.GO


async def test_top_level_resources_have_slots_of_their_own_in_one_bucket(bench: Bench) -> None:
    await bench.call(message(1), learnt(0))
    await bench.call(message(2), learnt(4))
    assert (await bench.call(message(1), left=1)).answer is Answer.LATE_BUCKET
    assert (await bench.call(message(2), left=1)).answer is Answer.GO


async def test_routes_that_name_the_same_bucket_share_its_slots(bench: Bench) -> None:
    await bench.call(message(), learnt(4))
    await bench.call(EDIT, learnt(0))
    assert (await bench.call(message(), left=1)).answer is Answer.LATE_BUCKET
    assert (await bench.call(EDIT, left=1)).answer is Answer.LATE_BUCKET


async def test_a_route_without_headers_has_no_bucket(bench: Bench) -> None:
    await bench.call(message(), PLAIN)
    for _ in range(3):
        assert (await bench.ask(bench.ticket(message()))).answer is Answer.GO


async def test_an_answer_that_is_none_teaches_nothing(bench: Bench) -> None:
    await bench.call(message(), Outcome())
    assert (await bench.ask(bench.ticket(message()))).answer is Answer.GO
    assert (await bench.ask(bench.ticket(message()))).answer is Answer.WAIT


TOO_MANY = [
    # scope, whether another channel, another route, a token route must wait too
    (Scope.USER, False, False, False),
    (Scope.SHARED, False, False, False),
    (Scope.GLOBAL, True, True, False),
    (Scope.EDGE, True, True, True),
]


@pytest.mark.parametrize(("scope", "channel", "route", "token"), TOO_MANY)
async def test_whom_a_429_stops(bench: Bench, scope, channel, route, token) -> None:
    await bench.call(message(), learnt(4))
    outcome = Outcome(bucket=learnt(3).bucket, scope=scope, retry_after=8.0)
    await bench.call(message(), outcome)

    async def stopped(target) -> bool:
        return (
            await bench.call(target, learnt(4, bucket=target.route.name), left=7.0)
        ).answer is not Answer.GO

    assert await stopped(message())
    assert await stopped(message(2)) is channel
    assert await stopped(routes.GET_USER.at(user_id=1)) is route
    assert await stopped(FOLLOWUP) is token
    await bench.at(8.1)
    assert not await stopped(message())


async def test_a_429_is_obeyed_where_the_route_had_no_bucket(bench: Bench) -> None:
    await bench.call(message(), PLAIN)
    await bench.call(message(), Outcome(scope=Scope.USER, retry_after=3.0))
    refused = await bench.call(message(), left=1)
    assert (refused.answer, refused.wait) == (Answer.LATE_BUCKET, pytest.approx(3, abs=0.1))


async def test_calls_by_token_stay_outside_the_global_limit(bench: Bench) -> None:
    for number in range(120):
        assert (
            await bench.call(routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token=f"{number}"))
        ).answer is Answer.GO
    assert (await bench.call(message())).answer is Answer.GO


async def test_the_global_limit_spreads_a_crowd_over_the_seconds(bench: Bench) -> None:
    went = []
    for number in range(151):
        ticket = bench.ticket(message(number), Priority.BULK)
        went.append(await bench.until_go(ticket))
    for earlier, later in zip(went, went[50:], strict=False):
        assert later - earlier >= 1.0
    assert went[-1] < 150 / 50 * (1.03 if bench.shared else 1.3)


async def test_a_deadline_that_cannot_be_met_fails_at_once(bench: Bench) -> None:
    await bench.call(message(), learnt(0, 5, 5.0))
    refused = await bench.call(message(), left=4.9)
    assert (refused.answer, refused.wait) == (Answer.LATE_BUCKET, pytest.approx(5.0, abs=0.05))
    await bench.call(message(2), Outcome(scope=Scope.GLOBAL, retry_after=9.0))
    refused = await bench.call(message(3), left=8.0)
    assert (refused.answer, refused.wait) == (Answer.LATE_GLOBAL, pytest.approx(9.0, abs=0.05))


async def test_the_estimate_counts_those_who_wait_already(bench: Bench) -> None:
    await bench.call(message(), learnt(0, 5, 5.0))
    for _ in range(12):
        assert (await bench.ask(bench.ticket(message()), 60)).answer is Answer.WAIT
    # Five at the first reset, five at the second, two and we at the third.
    late = await bench.ask(bench.ticket(message()), 14.0)
    expected = 15.0 if bench.shared else 5.0
    assert late.answer is Answer.LATE_BUCKET if bench.shared else Answer.WAIT
    if bench.shared:
        assert late.wait == pytest.approx(expected, abs=0.5)


ORDER = [Priority.BULK, Priority.LOGS, Priority.ASSISTANT, Priority.MODERATION, Priority.INTERACTION]


@pytest.mark.parametrize("where", ["bucket", "global"])
async def test_waiting_calls_go_by_priority_then_by_arrival(bench: Bench, where) -> None:
    if where == "bucket":
        await bench.call(message(), learnt(0, 1, 1.0))
        channels = [1] * 10
    else:
        await bench.call(message(99), Outcome(scope=Scope.GLOBAL, retry_after=1.0))
        channels = list(range(10))
    tickets = [bench.ticket(message(channels[n]), ORDER[n % 5]) for n in range(10)]
    for ticket in tickets:
        assert (await bench.ask(ticket)).answer is Answer.WAIT
    served: dict[int, float] = {}
    while len(served) < 10:
        for number, ticket in enumerate(tickets):
            if number in served:
                continue
            verdict = await bench.ask(ticket)
            if verdict.answer is Answer.GO:
                served[number] = bench.seconds
                outcome = learnt(0, 1, 1.0) if where == "bucket" else learnt(4)
                await bench.limiter.settle(ticket, verdict, outcome)
        await bench.at(bench.seconds + 0.01)
        assert bench.seconds < 30
    # Several slots may be free at once; but nobody gets one later than somebody behind.
    times = [served[n] for n in sorted(range(10), key=lambda n: (ORDER[n % 5], n))]
    assert times == sorted(times)
    assert times[-1] > times[0]


@pytest.mark.parametrize(("limit", "window"), [(5, 5.0), (10, 10.0), (2, 1.0)])
async def test_bulk_calls_leave_a_slot_at_most_one_slots_time_away(bench: Bench, limit, window) -> None:
    server = Server(limit, window)
    went, urgent_waits = 0, []
    bulk = bench.ticket(message(), Priority.BULK)
    while went < 4 * limit:
        verdict = await bench.ask(bulk)
        if verdict.answer is Answer.GO:
            went += 1
            await bench.limiter.settle(bulk, verdict, server.answer(bench.now))
            bulk = bench.ticket(message(), Priority.BULK)
        if went > 1:
            # How long must a moderation call wait now? One that has no time left takes nothing if it must wait.
            urgent_waits.append(await _wait_now(bench, Priority.MODERATION))
        await bench.at(bench.seconds + window / limit / 8)
        assert bench.seconds < 20 * window
    assert server.refused == 0
    assert bench.seconds < 5 * window
    assert max(urgent_waits) <= window / limit * 1.01
    if bench.shared and limit > 2:
        # The last slot of a window is kept for as long as possible, so that waits of that length are rare.
        assert sum(wait > window / limit / 2 for wait in urgent_waits) <= len(urgent_waits) / 25


@pytest.mark.parametrize("priority", [Priority.LOGS, Priority.BULK])
async def test_what_logs_and_bulk_leave_of_a_window(bench: Bench, priority) -> None:
    """After n calls, the next of ten comes at (n / 10) ** pace of the window: a burst finds its slots."""
    server = Server(10, 10.0)
    await bench.call(message(), server.answer(bench.now), priority=priority)
    await bench.at(10.5)  # the window's length is known now; the next one begins
    went: list[float] = []
    ticket = bench.ticket(message(), priority)
    while bench.seconds < 15.6:
        verdict = await bench.ask(ticket)
        if verdict.answer is Answer.GO:
            went.append(bench.seconds - 10.5)
            await bench.limiter.settle(ticket, verdict, server.answer(bench.now))
            ticket = bench.ticket(message(), priority)
        await bench.at(bench.seconds + 0.05)
    wanted = [10 * (n / 10) ** priority.pace for n in range(10)]
    assert went == pytest.approx([one for one in wanted if one < 5.05], abs=0.1)
    # Half of the window is over: so many urgent calls find a slot at once.
    for _ in range(10 - len(went)):
        assert (await bench.call(message(), server.answer(bench.now), left=0.0)).answer is Answer.GO
    assert server.refused == 0


async def _wait_now(bench: Bench, priority: Priority) -> float:
    """Seconds until a call of this priority would get its slot, without taking one."""
    target = message()
    ticket = bench.ticket(target, priority)
    # A bad budget of time: the call is refused unless it can go this instant.
    if bench.shared:
        saved = await bench.redis.dump("discord:1:lane:b:abc:1")
    verdict = await bench.ask(ticket, 0.0)
    if verdict.answer is not Answer.GO:
        return verdict.wait
    if bench.shared:
        await bench.redis.restore("discord:1:lane:b:abc:1", 0, saved, replace=True)
    else:
        bench.limiter._lanes["abc:1"].used -= 1
    return 0.0


async def test_a_call_waiting_for_its_bucket_holds_up_nobody_else(bench: Bench) -> None:
    await bench.call(message(1), learnt(0, 5, 5.0))
    for _ in range(30):
        assert (await bench.ask(bench.ticket(message(1), Priority.INTERACTION))).answer is Answer.WAIT
    await bench.at(0.03)
    assert (await bench.call(message(2), priority=Priority.BULK)).answer is Answer.GO


async def test_half_of_the_budget_for_bad_answers_stops_all_calls(bench: Bench) -> None:
    for number in range(5_000):
        await bench.call(routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token=f"{number}"), BAD)
    for target in (message(), FOLLOWUP):
        refused = await bench.call(target, left=500.0)
        assert refused.answer is Answer.BAD
        assert refused.wait == pytest.approx(615, abs=16)
    assert (await bench.call(message(), left=1000.0)).answer is Answer.WAIT
    await bench.at(631)
    assert (await bench.call(message())).answer is Answer.GO


async def test_a_refused_token_stops_the_calls_that_need_it_until_a_check_succeeds(bench: Bench) -> None:
    await bench.call(message(), Outcome(bad=True, logged_out=True))
    assert (await bench.call(message(2))).answer is Answer.OUT
    assert (await bench.call(FOLLOWUP)).answer is Answer.GO
    check = bench.ticket(routes.GET_CURRENT_USER.at(), checks_token=True)
    verdict = await bench.ask(check)
    assert verdict.answer is Answer.GO
    await bench.limiter.settle(check, verdict, Outcome(answered=True, logged_out=False))
    assert (await bench.call(message(3))).answer is Answer.GO


async def test_a_webhook_that_is_gone_is_never_used_again(bench: Bench) -> None:
    await bench.call(FOLLOWUP, Outcome(answered=True, webhook_gone=True))
    original = routes.EDIT_ORIGINAL_RESPONSE.at(webhook_id=1, webhook_token="a")
    other = routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token="b")
    assert (await bench.call(FOLLOWUP)).answer is Answer.GONE
    assert (await bench.call(original)).answer is Answer.GONE
    assert (await bench.call(other)).answer is Answer.GO
