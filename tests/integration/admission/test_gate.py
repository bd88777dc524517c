"""Claims, limits and the way without Redis, against real servers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from app.adapters.redis.client import open_redis
from app.adapters.redis.shared_connection import NotConnected, open_shared_connection
from app.admission.gate import ADMITTED, SCRIPT, UNDER_WAY, Gate, Limited, Repeated
from app.admission.limits import Limit, charge

WaitUntil = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def gate_on(url: str) -> AsyncIterator[Gate]:
    """A gate as one replica has it."""
    async with open_redis(url) as client, open_shared_connection(client, scripts=[SCRIPT]) as shared:
        yield Gate(shared)


async def test_the_same_id_gets_the_first_answer_on_the_same_and_on_another_replica(redis_url: str) -> None:
    async with gate_on(redis_url) as one, gate_on(redis_url) as other:
        assert await one.admit(1, ()) is ADMITTED
        one.settle(1, b"answer")
        assert await one.admit(1, ()) == Repeated(b"answer")
        assert await other.admit(1, ()) == Repeated(b"answer")


async def test_repeats_wait_for_the_answer_of_the_first(redis_url: str) -> None:
    async with gate_on(redis_url) as one, gate_on(redis_url) as other:
        assert await one.admit(1, ()) is ADMITTED
        waiting = [asyncio.create_task(gate.admit(1, ())) for gate in (one, other) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        one.settle(1, b"answer")
        assert await asyncio.gather(*waiting) == [Repeated(b"answer")] * 40


async def test_of_many_at_once_on_two_replicas_one_is_admitted(redis_url: str) -> None:
    async with gate_on(redis_url) as one, gate_on(redis_url) as other:
        admitted = 0

        async def press(gate: Gate) -> Any:
            nonlocal admitted
            verdict = await gate.admit(7, ())
            if verdict is ADMITTED:
                admitted += 1
                await asyncio.sleep(0.01)
                gate.settle(7, b"once")
                return b"once"
            assert isinstance(verdict, Repeated)
            return verdict.answer

        answers = await asyncio.gather(*(press(gate) for gate in (one, other) * 100))
        assert (admitted, set(answers)) == (1, {b"once"})


async def test_a_dead_replicas_claim_is_taken_over(redis_url: str) -> None:
    async with gate_on(redis_url) as survivor:
        async with gate_on(redis_url) as dead:
            assert await dead.admit(1, (charge("user", 1, Limit(1, 60)),)) is ADMITTED
        # Not charged again: the limit of one is used up, by this very interaction.
        assert await survivor.admit(1, (charge("user", 1, Limit(1, 60)),)) is ADMITTED


async def test_a_slow_handlers_claim_is_kept_by_prolonging_it(redis_url: str) -> None:
    async with gate_on(redis_url) as slow, gate_on(redis_url) as other:
        assert await slow.admit(1, ()) is ADMITTED
        slow.prolong(1)
        assert await other.admit(1, ()) is UNDER_WAY
        slow.settle(1, b"late")
        assert await other.admit(1, ()) == Repeated(b"late")


async def test_a_refusal_tells_scope_and_wait_and_is_repeated_to_a_repeat(redis_url: str) -> None:
    user, guild = charge("user", 1, Limit(2, 60)), charge("guild", 1, Limit(50, 60))
    async with gate_on(redis_url) as gate, gate_on(redis_url) as other:
        assert [await gate.admit(n, (user, guild)) for n in (1, 2)] == [ADMITTED] * 2
        refused = await gate.admit(3, (user, guild))
        assert isinstance(refused, Limited)
        assert refused.scope == "user"
        assert 0 < refused.wait_ms <= 60_000
        gate.settle(3, b"wait")
        assert await other.admit(3, (user, guild)) == Repeated(b"wait")
        assert (await gate.charge(guild)).remaining == 47  # the refused one was not counted


async def test_a_client_that_hammers_is_let_in_as_soon_as_its_window_allows(redis_url: str) -> None:
    window = charge("user", 1, Limit(3, 1))
    async with gate_on(redis_url) as gate:
        loop = asyncio.get_running_loop()
        started, admitted, refused = loop.time(), 0, 0
        while admitted < 9:  # three windows' worth
            verdict = await gate.admit(admitted * 100_000 + refused, (window,))
            admitted, refused = admitted + (verdict is ADMITTED), refused + (verdict is not ADMITTED)
            assert loop.time() - started < 30, "locked out"
        assert loop.time() - started >= 2  # three windows cannot fit into less than two of their lengths
        assert refused > 20


async def test_a_request_without_id_is_told_what_is_left(redis_url: str) -> None:
    window = charge("api", "192.0.2.1", Limit(2, 60))
    async with gate_on(redis_url) as gate:
        first, second, third = [await gate.charge(window) for _ in range(3)]
    assert (first.admitted, first.limit, first.remaining, first.reset_ms) == (True, 2, 1, 60_000)
    assert (second.admitted, second.remaining) == (True, 0)
    assert not third.admitted
    assert 0 < third.wait_ms <= 60_000


async def test_flushed_scripts_are_loaded_again(redis_url: str, redis: Redis) -> None:
    async with gate_on(redis_url) as gate:
        await redis.script_flush()
        assert await gate.admit(1, ()) is ADMITTED


async def test_without_redis_the_process_limits_and_dedupes_alone_and_comes_back(
    own_redis: Any, wait_until: WaitUntil
) -> None:
    window = charge("user", 1, Limit(3, 60))
    async with gate_on(own_redis.url) as gate:
        assert await gate.admit(1, (window,)) is ADMITTED
        own_redis.kill()
        verdicts = [await gate.admit(10 + n, (window,)) for n in range(5)]
        assert verdicts[:3] == [ADMITTED] * 3
        assert all(isinstance(verdict, Limited) for verdict in verdicts[3:])
        gate.settle(10, b"answer")
        assert await gate.admit(10, (window,)) == Repeated(b"answer")
        assert (await gate.charge(charge("api", "x", Limit(1, 60)))).admitted
        assert not (await gate.charge(charge("api", "x", Limit(1, 60)))).admitted

        own_redis.start()
        number = 100

        async def counted_in_redis() -> bool:
            nonlocal number
            number += 1
            await gate.admit(number, (charge("probe", number, Limit(1, 60)),))
            async with open_redis(own_redis.url) as client:
                return bool(await client.exists(f"claim:{number}"))

        await wait_until(counted_in_redis)
        assert await gate.admit(10, (window,)) == Repeated(b"answer")


async def test_a_server_that_hangs_is_given_up(own_redis: Any) -> None:
    async with open_redis(own_redis.url) as client, open_shared_connection(client) as shared:
        assert await shared.send("PING") == b"PONG"
        os.kill(own_redis._process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(NotConnected):
                await asyncio.wait_for(shared.send("PING"), 60)
            with pytest.raises(NotConnected):
                shared.send("PING")  # at once, no more waiting
        finally:
            os.kill(own_redis._process.pid, signal.SIGCONT)


async def test_it_starts_without_a_server_and_connects_later(own_redis: Any, wait_until: WaitUntil) -> None:
    own_redis.stop()
    async with (
        open_redis(own_redis.url) as client,
        open_shared_connection(client, scripts=[SCRIPT]) as shared,
    ):
        assert not shared.connected
        shared.post("SET", "lost", "1")
        own_redis.start()
        await wait_until(lambda: shared.connected)
        assert await shared.send("EXISTS", "lost") == 0


async def test_answers_come_in_the_order_of_commands_and_errors_reach_their_command(redis_url: str) -> None:
    async with open_redis(redis_url) as client, open_shared_connection(client) as shared:
        replies = [shared.send("ECHO", str(n)) for n in range(500)]
        wrong = shared.send("NO-SUCH-COMMAND")
        shared.post("ALSO-WRONG")
        after = shared.send("ECHO", "after")
        assert await asyncio.gather(*replies) == [str(n).encode() for n in range(500)]
        assert "unknown command" in str((await asyncio.gather(wrong, return_exceptions=True))[0])
        assert await after == b"after"


async def test_it_speaks_for_the_clients_database(redis_url: str, redis: Redis) -> None:
    async with open_shared_connection(redis) as shared:
        await shared.send("SET", "here", "1")
    assert await redis.get("here") == b"1"
