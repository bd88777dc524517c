"""Turns between guilds, order within them."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.streams.entry import Entry
from app.streams.fair_queue import FairQueue
from app.streams.waiting import Waiting


def test_a_noisy_guild_delays_another_by_one_turn() -> None:
    queue: FairQueue[int] = FairQueue()
    for n in range(10_000):
        queue.add(1, n)
    queue.add(2, -1)
    order = []
    for _ in range(3):
        taken = queue.take()
        assert taken is not None
        order.append(taken)
        queue.done(taken[0])
    assert (2, -1) in order[:2]


def test_one_guild_keeps_its_order_one_at_a_time() -> None:
    queue: FairQueue[int] = FairQueue()
    for n in range(3):
        queue.add(1, n)
    assert queue.take() == (1, 0)
    assert queue.take() is None
    queue.done(1)
    assert queue.take() == (1, 1)


def test_what_comes_back_is_next() -> None:
    queue: FairQueue[int] = FairQueue()
    queue.add(1, 0)
    queue.add(1, 1)
    taken = queue.take()
    queue.add_first(1, 0)
    queue.done(1)
    assert taken == (1, 0)
    assert queue.take() == (1, 0)


class FairQueueMachine(RuleBasedStateMachine):
    """Against a model: lists by guild, and what is out."""

    def __init__(self) -> None:
        super().__init__()
        self.parallel = 2
        self.queue: FairQueue[int] = FairQueue(parallel=self.parallel)
        self.lines: dict[int, list[int]] = defaultdict(list)
        self.out: dict[int, int] = defaultdict(int)
        self.waited: dict[int, int] = defaultdict(int)
        self.number = 0

    @rule(guild=st.integers(0, 3))
    def add(self, guild: int) -> None:
        self.number += 1
        self.queue.add(guild, self.number)
        self.lines[guild].append(self.number)

    @rule(guild=st.integers(0, 3))
    def add_first(self, guild: int) -> None:
        self.number += 1
        self.queue.add_first(guild, self.number)
        self.lines[guild].insert(0, self.number)

    def ready(self) -> set[int]:
        return {g for g, line in self.lines.items() if line and self.out[g] < self.parallel}

    @rule()
    def take(self) -> None:
        ready = self.ready()
        taken = self.queue.take()
        if taken is None:
            assert not ready
            return
        guild, item = taken
        assert guild in ready
        assert item == self.lines[guild].pop(0)
        self.out[guild] += 1
        self.waited[guild] = 0
        for other in ready - {guild}:
            self.waited[other] += 1
            # Nobody who is ready is passed over by the same others twice in a row.
            assert self.waited[other] <= 4

    @precondition(lambda self: any(self.out.values()))
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        guild = data.draw(st.sampled_from(sorted(g for g, n in self.out.items() if n)))
        self.queue.done(guild)
        self.out[guild] -= 1
        self.waited[guild] = 0

    @rule(guild=st.integers(0, 3), odd=st.booleans())
    def remove(self, guild: int, odd: bool) -> None:
        unwanted = {n for n in self.lines[guild] if n % 2 == odd}
        assert set(self.queue.remove(unwanted.__contains__)) == unwanted
        self.lines[guild] = [n for n in self.lines[guild] if n not in unwanted]
        self.waited.clear()

    @invariant()
    def counts_what_waits(self) -> None:
        assert len(self.queue) == sum(map(len, self.lines.values()))
        for guild, line in self.lines.items():
            assert self.queue.length(guild) == len(line)
            assert list(self.queue.peek(guild, 2)) == line[:2]


TestFairQueue = FairQueueMachine.TestCase
TestFairQueue.settings = __import__("hypothesis").settings(
    max_examples=60, stateful_step_count=40, deadline=None
)


def entry(number: int, guild: int, partition: int = 0) -> Entry:
    return Entry(partition, b"%d-0" % number, guild, {b"d": b"x"})


def test_a_long_line_keeps_ids_only_and_reading_goes_on() -> None:
    waiting = Waiting(parallel=1, bodies=100, guild_bodies=10, ids=1_000)
    for n in range(500):
        waiting.add(entry(n, guild=1))
    assert (waiting.bodies, len(waiting), waiting.has_room) == (10, 500, True)
    waiting.add(entry(500, guild=2))
    assert waiting.bodies == 11
    for n in range(600):
        waiting.add(entry(1000 + n, guild=1))
    assert not waiting.has_room


def test_bodies_are_counted_through_every_way() -> None:
    waiting = Waiting(parallel=1, bodies=100, guild_bodies=2, ids=1_000)
    for n in range(5):
        waiting.add(entry(n, guild=1, partition=3))
    assert waiting.bodies == 2
    first = waiting.take()
    assert first is not None
    assert waiting.bodies == 1
    missing = waiting.without_body(1)
    assert [one.id for one in missing] == [b"2-0"]
    waiting.fill(missing[0], {b"d": b"y"})
    assert waiting.bodies == 2
    waiting.add_first(first)
    assert waiting.bodies == 3
    waiting.drop(3)
    assert (waiting.bodies, len(waiting)) == (0, 0)
    waiting.done(first)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 3))
def test_everything_comes_out_once_and_in_order(guilds: list[int], parallel: int) -> None:
    queue: FairQueue[int] = FairQueue(parallel=parallel)
    for n, guild in enumerate(guilds):
        queue.add(guild, n)
    seen: dict[int, list[int]] = defaultdict(list)
    while taken := queue.take():
        seen[taken[0]].append(taken[1])
        queue.done(taken[0])
    assert sum(map(len, seen.values())) == len(guilds)
    assert all(line == sorted(line) for line in seen.values())
    with pytest.raises(KeyError):
        queue.done(99)
