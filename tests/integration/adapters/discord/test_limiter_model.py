"""Any crowd of calls against a model of Discord's own counting: windows per bucket, a sliding second for all."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from app.adapters.discord import routes
from app.adapters.discord.priority import Priority
from app.adapters.discord.slots import Answer, Bucket, Outcome, Scope, Ticket, Verdict
from tests.integration.adapters.discord.clocked import Bench, Server, local_bench, shared_bench

GLOBAL = 50
ROUTES = {
    "delete": (5, 5.0, lambda channel: routes.DELETE_MESSAGE.at(channel_id=channel, message_id=1)),
    "create": (1, 0.5, lambda channel: routes.CREATE_MESSAGE.at(channel_id=channel)),
    "role": (10, 2.0, lambda guild: routes.ADD_GUILD_MEMBER_ROLE.at(guild_id=guild, user_id=1, role_id=1)),
    "free": (0, 0.0, lambda _: routes.GET_CURRENT_USER.at()),
}


@dataclass(frozen=True)
class Call:
    """Comes `gap` seconds after the one before; takes `up` to reach the server, `down` to come back."""

    gap: float
    route: str
    where: int
    priority: Priority
    patience: float
    up: float = 0.0
    down: float = 0.0


@dataclass
class Story:
    """What became of a call."""

    call: Call
    came: float = 0.0
    granted: float | None = None
    refused: Verdict | None = None


@dataclass
class Discord:
    """Discord's side."""

    buckets: dict[tuple[str, int], Server] = field(default_factory=dict)
    second: deque[float] = field(default_factory=deque)
    refusals: int = 0

    def answer(self, now: float, call: Call) -> Outcome:
        while self.second and self.second[0] <= now - 1:
            self.second.popleft()
        if len(self.second) >= GLOBAL:
            self.refusals += 1
            return Outcome(scope=Scope.GLOBAL, retry_after=self.second[0] + 1 - now, bad=True)
        self.second.append(now)
        limit, window, _ = ROUTES[call.route]
        if not limit:
            return Outcome(answered=True)
        bucket = self.buckets.setdefault((call.route, call.where), Server(limit, window, call.route))
        outcome = bucket.answer(now)
        self.refusals += outcome.scope is not None
        return outcome


async def play(bench: Bench, calls: list[Call]) -> tuple[list[Story], Discord]:
    """Let the calls happen, each asking again when the limiter told it to, and again after a 429."""
    discord, numbers = Discord(), itertools.count()
    stories = [Story(call) for call in calls]
    events: list[tuple[float, int, str, tuple]] = []

    def later(at: float, kind: str, *what: object) -> None:
        heapq.heappush(events, (at, next(numbers), kind, what))

    at = 0.0
    for story in stories:
        at += story.call.gap
        story.came = at
        target = ROUTES[story.call.route][2](story.call.where)
        later(at, "ask", story, bench.ticket(target, story.call.priority))
    while events:
        at, _, kind, what = heapq.heappop(events)
        await bench.at(at)
        story, ticket, *rest = what
        call = story.call
        if kind == "ask":
            verdict = await bench.limiter.take(ticket, story.came + call.patience - at)
            if verdict.answer is Answer.WAIT:
                assert verdict.wait > 0
                later(at + verdict.wait, "ask", story, ticket)
            elif verdict.answer is Answer.GO:
                story.granted = at if story.granted is None else story.granted
                later(at + call.up, "arrive", story, ticket, verdict)
            else:
                story.refused = verdict
                assert verdict.wait > story.came + call.patience - at
        elif kind == "arrive":
            later(at + call.down, "settle", story, ticket, rest[0], discord.answer(bench.now, call))
        else:
            verdict, outcome = rest
            await bench.limiter.settle(ticket, verdict, outcome)
            if outcome.scope is not None:
                again = Ticket(f"{ticket.id}again{next(numbers)}", ticket.target, ticket.priority)
                later(at, "ask", story, again)
    return stories, discord


def calls(latency: st.SearchStrategy[float]) -> st.SearchStrategy[list[Call]]:
    gaps = st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.02, 0.3, 2.5])
    return st.lists(
        st.builds(
            Call,
            gap=gaps,
            route=st.sampled_from(list(ROUTES)),
            where=st.sampled_from([1, 2]),
            priority=st.sampled_from(list(Priority)),
            patience=st.sampled_from([0.0, 0.1, 3.0, 60.0]),
            up=latency,
            down=latency,
        ),
        min_size=1,
        max_size=40,
    )


PROPERTY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def fresh(redis) -> Bench:
    await redis.flushdb()
    return await shared_bench(redis)


@given(plan=calls(st.just(0.0)))
@PROPERTY
async def test_without_delays_discord_never_has_to_refuse(redis, plan) -> None:
    stories, discord = await play(await fresh(redis), plan)
    assert discord.refusals == 0
    for story in stories:
        assert (story.granted is None) != (story.refused is None)
        if story.granted is not None:
            assert story.granted <= story.came + story.call.patience


@given(plan=calls(st.sampled_from([0.005, 0.03, 0.2])))
@PROPERTY
async def test_with_delays_refusals_stay_rare_and_every_call_ends(redis, plan) -> None:
    stories, discord = await play(await fresh(redis), plan)
    note(f"{discord.refusals} refusals")
    assert all(story.granted is not None or story.refused is not None for story in stories)
    # A call that is under way when a window ends may be counted in the next one: at most one a window.
    windows = 2 + sum(story.came for story in stories[-1:]) / 0.5 + len(plan) / 5
    assert discord.refusals <= windows


@given(plan=calls(st.just(0.0)))
@PROPERTY
async def test_nobody_is_overtaken_by_a_call_behind(redis, plan) -> None:
    stories, _ = await play(await fresh(redis), plan)
    for number, better in enumerate(stories):
        for other, worse in enumerate(stories):
            same = (better.call.route, better.call.where) == (worse.call.route, worse.call.where)
            ahead = (better.call.priority, number) < (worse.call.priority, other)
            if not (same and ahead and better.granted is not None and worse.granted is not None):
                continue
            if better.came < worse.granted and not better.call.priority.paced:
                assert better.granted <= worse.granted + 0.1, (number, other)


@given(plan=calls(st.just(0.0)))
@PROPERTY
async def test_the_limiter_of_one_process_keeps_the_limits_too(plan) -> None:
    _, discord = await play(local_bench(), plan)
    assert discord.refusals == 0


@given(
    limit=st.integers(1, 20),
    window=st.sampled_from([0.25, 1.0, 5.0, 60.0]),
    order=st.permutations(range(6)),
)
@PROPERTY
async def test_answers_may_overtake_one_another(redis, limit, window, order) -> None:
    """The count that is left is that of the newest answer, in whatever order they come back."""
    bench = await fresh(redis)
    target = routes.DELETE_MESSAGE.at(channel_id=1, message_id=1)
    first = bench.ticket(target)
    verdict = await bench.ask(first)
    await bench.limiter.settle(
        first, verdict, Outcome(answered=True, bucket=Bucket("b", limit, limit - 1, window))
    )
    out = []
    for number in range(min(5, limit - 1)):
        ticket = bench.ticket(target)
        out.append((ticket, await bench.ask(ticket), Bucket("b", limit, limit - 2 - number, window)))
    assert all(verdict.answer is Answer.GO for _, verdict, _ in out)
    for number in order:
        if number < len(out):
            ticket, verdict, bucket = out[number]
            await bench.limiter.settle(ticket, verdict, Outcome(answered=True, bucket=bucket))
    state = await redis.hgetall("discord:1:lane:b:b:1")
    assert int(float(state[b"remaining"])) == limit - 1 - len(out)


CROWDS = [
    # route, calls, priority, seconds that Discord's limits need at least for them; for bulk, with the last one at its
    # place in the window
    ("delete", 30, Priority.MODERATION, 25.0),
    ("delete", 30, Priority.BULK, 25.0 + 5.0 * (4 / 5) ** Priority.BULK.pace),
    ("create", 20, Priority.ASSISTANT, 9.5),
    ("role", 45, Priority.BULK, 8.0 + 2.0 * (4 / 10) ** Priority.BULK.pace),
    ("free", 250, Priority.MODERATION, 4.9),
    ("free", 250, Priority.BULK, 4.9),
]


@pytest.mark.parametrize("delay", [0.0, 0.02])
@pytest.mark.parametrize(("route", "number", "priority", "least"), CROWDS)
async def test_a_crowd_is_served_as_fast_as_discord_allows(
    redis, route, number, priority, least, delay
) -> None:
    plan = [Call(0.0, route, 1, priority, 1000.0, delay, delay) for _ in range(number)]
    stories, discord = await play(await fresh(redis), plan)
    assert discord.refusals <= 1
    # Each window begins when its first call arrives, and we know of its end only when that call is answered.
    windows = least / (ROUTES[route][1] or least)
    assert max(story.granted for story in stories) <= least * 1.05 + 4 * delay * windows
