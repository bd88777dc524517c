"""Temporary bans end by themselves: once, with an unban and a case, whatever dies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from app.adapters.postgres.pool import transaction
from app.features.moderation.carry_out import END_KIND, KIND
from app.features.moderation.cases.lifting import Lifting
from app.streams.store import Scheduled, take_due
from tests.fixtures.moderation import ADMIN, MEMBER, House


async def end_job(house: House) -> Scheduled:
    async with transaction(house.pool) as conn:
        await conn.execute("UPDATE streams.schedule SET next_at = now() WHERE kind = %s", (END_KIND,))
        [job] = await take_due(conn, [END_KIND], limit=5, seconds=60)
    return job


async def expired(house: House) -> None:
    """The ban of case 1 has had its time, also for the database."""
    house.shift = timedelta(hours=2)
    async with transaction(house.pool) as conn:
        await conn.execute("UPDATE moderation.cases SET expires_at = now() - interval '1 s' WHERE number = 1")


async def test_a_temporary_ban_ends_with_an_unban_and_a_case(house: House) -> None:
    answer = await house.run("ban", {"user": MEMBER, "duration": "1h", "reason": "rude"})
    assert "is banned, until" in answer["data"]["content"]
    assert MEMBER in house.guild_state.bans
    async with transaction(house.pool) as conn:
        cursor = await conn.execute("SELECT due_at FROM streams.schedule WHERE kind = %s", (END_KIND,))
        [[due]] = await cursor.fetchall()
    assert timedelta(minutes=59) < due - datetime.now(UTC) <= timedelta(hours=1)
    await expired(house)
    await house.work(END_KIND, early=True)
    assert MEMBER not in house.guild_state.bans
    unban = await house.case(2)
    assert (unban.sanction, unban.origin, unban.state, unban.moderator_id) == (
        "unban",
        "expiry",
        "done",
        None,
    )
    assert (await house.case(1)).state == "lifted"


async def test_two_workers_end_it_once(house: House) -> None:
    await house.run("ban", {"user": MEMBER, "duration": "1h"})
    await expired(house)
    job = await end_job(house)
    ends = await asyncio.gather(*(house.service(Lifting).end(job) for _ in range(5)))
    assert sum(end is not None for end in ends) == 1
    assert (await house.case(2)).state == "done"
    async with transaction(house.pool) as conn:
        cursor = await conn.execute("SELECT count(*) FROM moderation.cases")
        assert await cursor.fetchone() == (2,)


async def test_a_worker_that_dies_after_the_commit_leaves_the_unban_to_another(house: House) -> None:
    await house.run("ban", {"user": MEMBER, "duration": "1h"})
    await expired(house)
    job = await end_job(house)
    lifting = house.service(Lifting)

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    carry_out, lifting.carry_out = lifting.carry_out, killed  # type: ignore[method-assign, assignment]
    await asyncio.gather(asyncio.ensure_future(lifting.end(job)), return_exceptions=True)
    lifting.carry_out = carry_out  # type: ignore[method-assign]
    assert MEMBER in house.guild_state.bans
    assert (await house.case(2)).state == "recorded"
    await house.work(KIND, early=True)
    assert MEMBER not in house.guild_state.bans
    assert (await house.case(2)).state == "done"


async def test_an_unban_by_hand_takes_the_end_off_the_schedule(house: House) -> None:
    await house.run("ban", {"user": MEMBER, "duration": "1h"})
    await house.run("unban", {"user": MEMBER}, by=ADMIN)
    async with transaction(house.pool) as conn:
        cursor = await conn.execute("SELECT count(*) FROM streams.schedule WHERE kind = %s", (END_KIND,))
        assert await cursor.fetchone() == (0,)
    assert (await house.case(1)).state == "lifted"


async def test_a_later_ban_for_ever_outlives_the_temporary_one(house: House) -> None:
    await house.run("ban", {"user": MEMBER, "duration": "1h"})
    await house.run("ban", {"user": MEMBER, "reason": "for good"}, by=ADMIN)
    await expired(house)
    await house.work(END_KIND, early=True)
    assert MEMBER in house.guild_state.bans
    assert (await house.case(1)).state == "lifted"
    assert (await house.case(2)).state == "done"
