"""Work that waits for its time: once, also when workers die, fail, or race."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import run, value
from app.streams import store
from app.streams.declare import Job, declaration_of, scheduled
from app.streams.retry import Poison, Retry, TryLater
from app.streams.schedule import Schedule
from app.streams.store import Scheduled

WaitUntil = Callable[..., Awaitable[Any]]


def now(seconds: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
async def serve(pool: Pool, database_url: str) -> AsyncIterator[Callable[..., Schedule]]:
    """Run schedules for test handlers until the end of the test."""
    stop = asyncio.Event()
    running: list[asyncio.Task[None]] = []

    def start(*handlers: Any, services: dict[type, object] | None = None) -> Schedule:
        jobs = [found for handler in handlers if isinstance(found := declaration_of(handler), Job)]
        schedule = Schedule(jobs, services or {}, postgres=pool, database_url=database_url)
        running.append(asyncio.create_task(schedule.run(stop, grace=0.1)))
        return schedule

    yield start
    stop.set()
    await asyncio.gather(*running)


async def add(pool: Pool, kind: str, key: str, due: datetime, payload: Any = None) -> None:
    async with transaction(pool) as conn:
        await store.schedule(conn, kind, key, due, payload)


async def count(pool: Pool) -> int:
    """Return how much of the tests' own work is on the schedule."""
    async with transaction(pool) as conn:
        return int(await value(conn, "SELECT count(*) FROM streams.schedule WHERE kind LIKE 't.%%'"))


async def test_work_is_done_at_its_time_and_is_gone(pool: Pool, serve: Any, wait_until: WaitUntil) -> None:
    done: list[tuple[str, Any, bool]] = []

    @scheduled("t.unban")
    async def unban(job: Scheduled) -> None:
        done.append((job.key, job.payload, datetime.now(UTC) >= job.due_at))

    serve(unban)
    await add(pool, "t.unban", "later", now(0.4), {"user": 7})
    await add(pool, "t.unban", "now", now(-5), [1, "ü"])
    await add(pool, "t.unban", "far", now(3600))
    await wait_until(lambda: len(done) == 2)
    assert done == [("now", [1, "ü"], True), ("later", {"user": 7}, True)]
    await wait_until(lambda: _is(count(pool), 1))


async def _is(found: Awaitable[Any], wanted: Any) -> bool:
    return bool(await found == wanted)


async def test_work_of_a_transaction_that_rolled_back_does_not_exist(pool: Pool) -> None:
    with pytest.raises(RuntimeError):
        async with transaction(pool) as conn:
            await store.schedule(conn, "t.k", "x", now(), None)
            raise RuntimeError
    assert await count(pool) == 0


async def test_cancelled_work_is_not_done_and_rescheduled_work_is_done_once_at_the_new_time(
    pool: Pool, serve: Any, wait_until: WaitUntil
) -> None:
    done: list[tuple[str, Any]] = []

    @scheduled("t.k")
    async def handler(job: Scheduled) -> None:
        done.append((job.key, job.payload))

    await add(pool, "t.k", "cancelled", now(0.2))
    await add(pool, "t.k", "moved", now(3600), "old")
    await add(pool, "t.k", "moved", now(0.3), "new")
    async with transaction(pool) as conn:
        assert await store.cancel(conn, "t.k", "cancelled")
        assert not await store.cancel(conn, "t.k", "cancelled")
    serve(handler)
    await wait_until(lambda: _is(count(pool), 0))
    assert done == [("moved", "new")]


async def test_many_workers_do_each_piece_once(pool: Pool, serve: Any, wait_until: WaitUntil) -> None:
    done: list[str] = []

    @scheduled("t.k")
    async def handler(job: Scheduled) -> None:
        await asyncio.sleep(0.001)
        done.append(job.key)

    async with transaction(pool) as conn:
        for n in range(200):
            await store.schedule(conn, "t.k", str(n), now(-1), None)
    for _ in range(4):
        serve(handler)
    await wait_until(lambda: _is(count(pool), 0))
    assert sorted(done, key=int) == [str(n) for n in range(200)]


async def test_failures_follow_the_ladder_and_then_stay_visible(
    pool: Pool, serve: Any, wait_until: WaitUntil
) -> None:
    tries: dict[str, int] = {}

    @scheduled("t.k", retry=Retry(attempts=3, first=0.05, cap=0.1))
    async def handler(job: Scheduled) -> None:
        tries[job.key] = tries.get(job.key, 0) + 1
        if job.key == "poison":
            raise Poison("never")
        if job.key == "later" and tries[job.key] < 5:
            raise TryLater(after=0.01)
        if job.key == "broken":
            raise ValueError(job.payload)

    for key in ("poison", "later", "broken"):
        await add(pool, "t.k", key, now(), "secret text")
    serve(handler)

    async def failed() -> list[store.FailedWork]:
        async with transaction(pool) as conn:
            return await store.failed_work(conn, limit=10)

    await wait_until(lambda: _is(count(pool), 2))
    found = {work.key: work for work in await wait_until(lambda: _at_least_two(failed))}
    assert tries == {"poison": 1, "later": 5, "broken": 3}
    assert found["broken"].attempts == 3
    assert "secret text" not in str(found)
    assert "ValueError" in str(found["broken"].error)
    async with transaction(pool) as conn:
        assert await store.revive(conn, "t.k", "broken")
        assert not await store.revive(conn, "t.k", "nothing")
        assert await store.drop_failed(conn, "t.k", "poison")


async def _at_least_two(failed: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
    found = await failed()
    return found if len(found) >= 2 else []


async def test_work_of_a_dead_worker_is_taken_over_and_its_late_end_changes_nothing(pool: Pool) -> None:
    await add(pool, "t.k", "x", now(-1))
    async with transaction(pool) as conn:
        (frozen,) = await store.take_due(conn, ["t.k"], limit=5, seconds=60.0)
        assert await store.take_due(conn, ["t.k"], limit=5, seconds=60.0) == []
        assert await store.take_due(conn, ["t.other"], limit=5, seconds=60.0) == []
    async with transaction(pool) as conn:
        await run(conn, "UPDATE streams.schedule SET next_at = now() - interval '1 second'")
    async with transaction(pool) as conn:
        (taken,) = await store.take_due(conn, ["t.k"], limit=5, seconds=60.0)
    assert (frozen.attempts, taken.attempts) == (1, 2)
    async with transaction(pool) as conn:
        assert not await store.finish(conn, frozen), "the frozen worker must not have its effect"
        await store.put_off(conn, frozen, seconds=0.0, failed=True, error="")
        assert await store.finish(conn, taken)
        assert not await store.finish(conn, taken)


async def test_long_work_is_held_on_to_and_what_others_took_is_not(pool: Pool) -> None:
    await add(pool, "t.k", "x", now(-1))
    async with transaction(pool) as conn:
        (mine,) = await store.take_due(conn, ["t.k"], limit=5, seconds=0.0)
        await store.keep_taken(conn, [mine], seconds=60.0)
    async with transaction(pool) as conn:
        assert await store.take_due(conn, ["t.k"], limit=5, seconds=60.0) == []
        await store.keep_taken(conn, [mine], seconds=-1.0)
    async with transaction(pool) as conn:
        (theirs,) = await store.take_due(conn, ["t.k"], limit=5, seconds=-1.0)
        await store.keep_taken(conn, [mine], seconds=60.0)
    async with transaction(pool) as conn:
        assert [job.attempts for job in await store.take_due(conn, ["t.k"], limit=5, seconds=60.0)] == [3]
    assert theirs.attempts == 2


async def test_work_scheduled_anew_while_it_runs_is_done_again(
    pool: Pool, serve: Any, wait_until: WaitUntil
) -> None:
    payloads: list[str] = []

    @scheduled("t.k")
    async def handler(job: Scheduled) -> None:
        payloads.append(job.payload)
        if job.payload == "first":
            await add(pool, "t.k", "x", now(), "second")

    await add(pool, "t.k", "x", now(), "first")
    serve(handler)
    await wait_until(lambda: _is(count(pool), 0))
    assert payloads == ["first", "second"]


async def test_what_does_not_end_in_time_is_given_back_at_once(pool: Pool, database_url: str) -> None:
    started = asyncio.Event()

    @scheduled("t.k")
    async def handler(job: Scheduled) -> None:
        started.set()
        await asyncio.Event().wait()

    found = declaration_of(handler)
    assert isinstance(found, Job)
    schedule = Schedule([found], {}, postgres=pool, database_url=database_url)
    stop = asyncio.Event()
    task = asyncio.create_task(schedule.run(stop, grace=0.05))
    await add(pool, "t.k", "x", now())
    await started.wait()
    stop.set()
    await task
    async with transaction(pool) as conn:
        (again,) = await store.take_due(conn, ["t.k"], limit=5, seconds=60.0)
    assert (again.attempts, again.failures) == (2, 0)


async def test_a_lost_database_is_survived(pool: Pool, serve: Any, wait_until: WaitUntil) -> None:
    done: list[str] = []

    @scheduled("t.k")
    async def handler(job: Scheduled) -> None:
        done.append(job.key)

    serve(handler)
    await add(pool, "t.k", "before", now())
    await wait_until(lambda: done == ["before"])
    async with pool.connection() as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await add(pool, "t.k", "after", now())
    await wait_until(lambda: done == ["before", "after"])


async def test_ensured_work_that_had_failed_starts_anew(pool: Pool) -> None:
    await add(pool, "t.k", "x", now(-3600), "old")
    async with transaction(pool) as conn:
        [job] = await store.take_due(conn, ["t.k"], limit=5, seconds=60.0)
        await store.ensure(conn, "t.k", "x", now(-1), "while it runs")
        assert await store.take_due(conn, ["t.k"], limit=5, seconds=60.0) == []
        await store.give_up(conn, job, error="x")
        await store.ensure(conn, "t.k", "x", now(-1), "new")
        [again] = await store.take_due(conn, ["t.k"], limit=5, seconds=60.0)
        assert (again.payload, again.attempts, again.failures) == ("new", 1, 0)
        assert again.due_at > job.due_at
        assert not await store.finish(conn, job)
