"""The script and the in-process windows, both against a model that remembers every admission."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import redis as redis_sync
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.admission.gate import SCRIPT
from app.admission.limits import Charge, Limit, charge
from app.admission.windows import Windows

# Returns None, or (index of the fullest window, microseconds to wait).
Backend = Callable[[Sequence[Charge], int], tuple[int, int] | None]

SECOND = 1_000_000


class WindowMachine(RuleBasedStateMachine):
    """Random limits, random steps of time (many of them exactly at the edges), random sets of windows."""

    backend: Backend
    client: redis_sync.Redis | None = None
    runs = 0

    @initialize(
        limits=st.lists(
            st.tuples(st.integers(1, 6), st.integers(1, 5)).map(lambda pair: Limit(*pair)),
            min_size=1,
            max_size=3,
        )
    )
    def start(self, limits: list[Limit]) -> None:
        WindowMachine.runs += 1
        self.charges = [charge(f"s{n}", f"run{WindowMachine.runs}", limit) for n, limit in enumerate(limits)]
        self.admitted: dict[bytes, list[int]] = {each.key: [] for each in self.charges}
        self.now = 1_700_000_000 * SECOND
        self.due: int | None = None

    def expected_wait(self, each: Charge) -> int:
        """Brute force: the smallest step after which fewer than `count` lie in the last half-open window."""
        times = self.admitted[each.key]
        length = each.limit.microseconds
        for step in [0, *sorted(at + length - self.now for at in times if at + length > self.now)]:
            moment = self.now + step
            if sum(1 for at in times if moment - length < at <= moment) < each.limit.count:
                return step
        raise AssertionError

    @rule(
        step=st.one_of(
            st.just(0), st.integers(0, 3 * SECOND), st.sampled_from([1, SECOND, SECOND - 1, 2 * SECOND])
        ),
        picked=st.sets(st.integers(0, 2), min_size=1),
    )
    def ask(self, step: int, picked: set[int]) -> None:
        self.now += step
        asked = [each for n, each in enumerate(self.charges) if n in picked]
        if not asked:
            return
        verdict = self.backend(asked, self.now)
        waits = [self.expected_wait(each) for each in asked]
        if max(waits) == 0:
            assert verdict is None
            for each in asked:
                self.admitted[each.key].append(self.now)
        else:
            assert verdict is not None, "let through more than the limit"
            index, wait = verdict
            assert wait == max(waits)
            assert waits[index] == wait
            self.due = self.now + wait

    @rule(early=st.sampled_from([0, 1]))
    def come_back_as_soon_as_allowed(self, early: int) -> None:
        """Whoever waits exactly as long as told is let in, and nobody who is a microsecond early."""
        if self.due is not None and self.due - early >= self.now:
            self.now = self.due - early
            self.due = None
            self.ask(0, set(range(len(self.charges))))

    @invariant()
    def no_true_window_holds_more(self) -> None:
        for each in getattr(self, "charges", ()):
            times, count = self.admitted[each.key], each.limit.count
            for first, last in zip(times, times[count:], strict=False):
                assert last - first >= each.limit.microseconds

    @invariant()
    def keys_are_small_and_expire(self) -> None:
        if self.client is None:
            return
        for each in getattr(self, "charges", ()):
            if self.admitted[each.key]:
                assert 0 < self.client.strlen(each.key) <= 8 * each.limit.count
                assert 0 < self.client.pttl(each.key) <= each.limit.seconds * 1000 + 1000


EXAMPLES = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_script_is_exact(redis_url: str) -> None:
    with redis_sync.Redis.from_url(redis_url) as client:
        script = client.register_script(SCRIPT)

        def backend(charges: Sequence[Charge], now: int) -> tuple[int, int] | None:
            arguments: list[bytes] = [b"0", b"%d" % now]
            for each in charges:
                arguments += each.limit.arguments
            reply = script(keys=[b"", *(each.key for each in charges)], args=arguments)
            return None if reply[0] == 0 else (reply[0] - 1, reply[1])

        WindowMachine.backend = staticmethod(backend)  # type: ignore[assignment]
        WindowMachine.client = client
        run_state_machine_as_test(WindowMachine, settings=EXAMPLES)


def test_the_in_process_windows_are_exact() -> None:
    def backend(charges: Sequence[Charge], now: int) -> tuple[int, int] | None:
        return windows.charge(charges, now)

    windows = Windows()
    WindowMachine.backend = staticmethod(backend)  # type: ignore[assignment]
    WindowMachine.client = None
    run_state_machine_as_test(WindowMachine, settings=EXAMPLES)


@pytest.fixture
def script(redis_url: str):
    with redis_sync.Redis.from_url(redis_url) as client:
        yield client.register_script(SCRIPT)


def test_remaining_and_reset_are_told(script) -> None:
    def ask(now: float) -> list[int]:
        return script(keys=["", "w"], args=["0", str(math.floor(now * SECOND)), "3", str(10 * SECOND)])

    assert ask(1000) == [0, 2, 10 * SECOND]
    assert ask(1004) == [0, 1, 10 * SECOND]
    assert ask(1005) == [0, 0, 10 * SECOND]
    assert ask(1006) == [1, 4 * SECOND]
    assert ask(1010) == [0, 0, 10 * SECOND]  # the first one has just left the window


def test_a_clock_that_steps_back_a_little_lets_nobody_in_twice(script) -> None:
    def ask(now: int) -> bool:
        return script(keys=["", "w"], args=["0", str(now * SECOND), "2", str(10 * SECOND)])[0] == 0

    assert ask(1000)
    assert ask(1001)
    assert not ask(995)
    assert not ask(1009)
    assert ask(1010)


def test_a_clock_set_back_by_an_hour_locks_nobody_out(script) -> None:
    def ask(now: int) -> bool:
        return script(keys=["", "w"], args=["0", str(now * SECOND), "1", str(10 * SECOND)])[0] == 0

    assert ask(10_000)
    assert ask(6_400)
    assert not ask(6_401)


def test_a_smaller_limit_after_a_restart_counts_what_is_there(script) -> None:
    def ask(now: int, limit: int) -> bool:
        return script(keys=["", "w"], args=["0", str(now * SECOND), str(limit), str(10 * SECOND)])[0] == 0

    assert all(ask(1000 + n, 5) for n in range(4))
    assert not ask(1004, 2)
    assert not ask(1011, 2)  # 1002 and 1003 are in it still
    assert ask(1012, 2)


def test_a_refused_claim_charges_no_window_and_is_claimed_all_the_same(script, redis_url: str) -> None:
    def claim(number: int):
        args = ["1000", "", "5", str(10 * SECOND), "2", str(10 * SECOND)]
        return script(keys=[f"claim:{number}", "wide", "narrow"], args=args)

    assert [claim(1), claim(2)] == [1, 1]
    index, wait = claim(3)
    assert (index, 0 < wait <= 10 * SECOND) == (2, True)
    assert claim(3) == b""
    with redis_sync.Redis.from_url(redis_url) as client:
        assert (client.strlen("wide"), client.strlen("narrow")) == (16, 16)
        assert 0 < client.pttl("claim:3") <= 1000
