"""The retry ladder, what errors mean, and when a group pauses."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors as pg
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as RedisConnectionError

from app.errors import DatabaseUnavailable, UserError
from app.events.event import MalformedEvent
from app.streams.failure import Again, Dead, Lost, Unavailable, describe, frames, judge
from app.streams.fencing import StaleLease
from app.streams.gate import DeadLetterLimit, Gate
from app.streams.retry import Poison, Retry, TryLater

SECRET = "what the member wrote"


@given(
    attempts=st.integers(1, 50),
    first=st.floats(0.01, 100),
    factor=st.floats(1, 1000),
    failures=st.integers(1, 60),
    chance=st.floats(0, 1),
)
def test_the_ladder_grows_stays_under_the_cap_and_ends(
    attempts: int, first: float, factor: float, failures: int, chance: float
) -> None:
    retry = Retry(attempts=attempts, first=first, cap=first * factor)
    delay = retry.delay(failures, lambda: chance)
    if failures >= attempts:
        assert delay is None
        return
    assert delay is not None
    assert first / 2 <= delay <= retry.cap
    following = retry.delay(failures + 1, lambda: chance)
    assert following is None or following >= delay


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first": 0.0}, {"first": 10.0, "cap": 1.0}])
def test_an_impossible_ladder_is_refused_where_it_is_declared(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry needs"):
        Retry(**wrong)  # type: ignore[arg-type]


RETRY = Retry(attempts=3, first=2.0, cap=300.0, patience=100.0)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ValueError(SECRET), Again(2.0, 1)),
        (TimeoutError(), Again(2.0, 1)),
        (pg.DeadlockDetected(), Again(2.0, 1)),
        (pg.UniqueViolation(), Again(2.0, 1)),
        (TryLater(after=7.0), Again(7.0, 0)),
        (Poison("no"), Dead("poison", 1)),
        (MalformedEvent("X: lacks 'id'"), Dead("malformed", 1)),
        (StaleLease(), Lost()),
        (psycopg.OperationalError(), Unavailable("OperationalError")),
        (pg.AdminShutdown(), Unavailable("AdminShutdown (57P01)")),
        (PoolTimeout(), Unavailable("PoolTimeout")),
        (DatabaseUnavailable("gone"), Unavailable("DatabaseUnavailable: gone")),
        (RedisConnectionError(SECRET), Unavailable("ConnectionError")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_error_means(error: Exception, verdict: object) -> None:
    assert judge(error, RETRY, failures=0, age=1.0, rand=lambda: 1.0) == verdict


def test_the_last_failure_is_a_dead_letter_and_patience_ends() -> None:
    assert judge(ValueError(), RETRY, failures=2, age=1.0) == Dead("attempts", 3)
    assert judge(TryLater(after=7.0), RETRY, failures=0, age=101.0, rand=lambda: 1.0) == Again(2.0, 1)


def test_what_a_member_wrote_is_never_told() -> None:
    def fail() -> None:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise ValueError(SECRET) from cause

    with pytest.raises(ValueError, match=SECRET) as caught:
        fail()
    told = describe(caught.value) + frames(caught.value)
    assert SECRET not in told
    assert "KeyError" in told
    assert "in fail" in told
    assert describe(UserError("hello {name}", name=SECRET)) == "UserError"
    assert describe(Poison("of another kind")) == "Poison: of another kind"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_gate_closes_longer_each_time_and_opens_by_a_success() -> None:
    clock = Clock()
    gate = Gate(width=4, first=1.0, cap=3.0, clock=clock)
    assert gate.allows(3)
    assert not gate.allows(4)
    waits = []
    for _ in range(4):
        waits.append(gate.pause("no database"))
        assert not gate.allows(0)
        assert gate.pause("again") <= waits[-1]
        clock.now += gate.remaining()
        assert gate.allows(0)
        assert not gate.allows(1), "one attempt, not all"
    assert waits == [1.0, 2.0, 3.0, 3.0]
    gate.success()
    assert gate.allows(3)
    assert gate.reason == ""


def test_a_bad_release_does_not_make_everything_a_dead_letter() -> None:
    limit = DeadLetterLimit(most=20, window=40)
    assert [limit.allow() for _ in range(1_000)].count(True) == 20
    limit.success()
    assert limit.allow()


@given(st.lists(st.booleans(), max_size=300))
def test_dead_letters_are_limited_within_any_run_without_success(outcomes: list[bool]) -> None:
    limit = DeadLetterLimit(most=5, window=10)
    since_success = 0
    for dead in outcomes:
        if dead:
            since_success += limit.allow()
            assert since_success <= 5
        else:
            limit.success()
            since_success = 0


def test_rare_dead_letters_are_never_refused() -> None:
    limit = DeadLetterLimit(most=5, window=10)
    for n in range(1_000):
        if n % 3 == 0:
            assert limit.allow()
        else:
            limit.success()
