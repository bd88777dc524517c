"""Cases, strikes, punishments: numbered without gaps, once each, whatever races or dies."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.features.moderation.cases import store
from app.features.moderation.cases.store import NewCase
from app.snowflake import GuildId, UserId

GUILD, MEMBER = GuildId(1), UserId(2)
NOW = datetime.now(UTC)


def new(key: str, *, guild: GuildId = GUILD, **fields: Any) -> NewCase:
    return NewCase(
        **(
            {
                "guild_id": guild,
                "action_key": key,
                "sanction": "warn",
                "origin": "command",
                "target_id": MEMBER,
            }
            | fields
        )
    )


class Died(Exception):
    """A transaction ends badly."""


async def test_numbers_have_no_gaps_under_concurrency_rollbacks_and_repetitions(pool: Pool) -> None:
    chance = random.Random(5)

    async def attempt(key: str, *, dies: bool) -> int | None:
        try:
            async with transaction(pool) as conn:
                case = await store.open_case(conn, new(key))
                if dies:
                    raise Died
        except Died:
            return None
        return None if case is None else case.number

    keys = [f"k{number % 60}" for number in range(120)]
    drawn = await asyncio.gather(*(attempt(key, dies=chance.random() < 0.3) for key in keys))
    numbers = sorted(number for number in drawn if number is not None)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) <= 60


async def test_guilds_count_on_their_own_and_an_action_opens_one_case(conn: Conn) -> None:
    first = await store.open_case(conn, new("a"))
    assert first is not None
    assert await store.open_case(conn, new("a")) is None
    second = await store.open_case(conn, new("b"))
    other = await store.open_case(conn, new("a", guild=GuildId(9)))
    assert second is not None
    assert other is not None
    assert (first.number, second.number, other.number) == (1, 2, 1)
    assert await store.case_of_action(conn, GUILD, "a") == first


async def test_an_edit_keeps_what_the_reason_was(conn: Conn) -> None:
    await store.open_case(conn, new("a", reason="first"))
    assert await store.edit_reason(conn, GUILD, 1, "second", UserId(7))
    assert not await store.edit_reason(conn, GUILD, 2, "second", UserId(7))
    cursor = await conn.execute("SELECT previous, editor_id FROM moderation.case_notes")
    assert await cursor.fetchall() == [("first", 7)]


async def test_settled_cases_stay_settled_and_are_lifted_once(conn: Conn) -> None:
    await store.open_case(conn, new("a"))
    await store.settle(conn, GUILD, 1, state="failed", problem="x")
    await store.settle(conn, GUILD, 1, state="done")
    assert await store.lift(conn, GUILD, 1, MEMBER)
    assert not await store.lift(conn, GUILD, 1, MEMBER)
    await store.settle(conn, GUILD, 1, state="done")
    found = await store.find_case(conn, GUILD, 1)
    assert found is not None
    assert (found.state, found.problem, found.lifted_by) == ("lifted", None, MEMBER)


async def test_strikes_of_a_race_count_one_after_the_other(pool: Pool) -> None:
    async def strike(key: str) -> int:
        async with transaction(pool) as conn:
            return await store.strike(
                conn, GUILD, MEMBER, key, weight=1, at=NOW, expires_at=NOW + timedelta(days=1)
            )

    sums = await asyncio.gather(*(strike(f"m{number % 10}") for number in range(30)))
    assert sorted(set(sums)) == list(range(1, 11))
    assert sums.count(10) >= 1


async def test_strikes_decay_and_are_revoked_once(conn: Conn) -> None:
    for key, days in (("old", 1), ("new", 30)):
        await store.strike(conn, GUILD, MEMBER, key, weight=2, at=NOW, expires_at=NOW + timedelta(days=days))
    assert await store.strikes_of(conn, GUILD, MEMBER, NOW) == 4
    assert await store.strikes_of(conn, GUILD, MEMBER, NOW + timedelta(days=2)) == 2
    assert await store.revoke_strike(conn, GUILD, MEMBER, "new")
    assert not await store.revoke_strike(conn, GUILD, MEMBER, "new")
    assert await store.strikes_of(conn, GUILD, MEMBER, NOW) == 2


async def test_one_punishment_per_member_rule_and_window(pool: Pool) -> None:
    async def claim(key: str, rule: str = "rule:1", user: UserId = MEMBER, start: datetime = NOW) -> bool:
        async with transaction(pool) as conn:
            return await store.claim_punishment(conn, GUILD, user, rule, start, key)

    won = await asyncio.gather(*(claim(f"m{number}") for number in range(20)))
    assert sum(won) == 1
    assert await claim(f"m{won.index(True)}")  # the winner, again after its worker died
    assert await claim("x", rule="rule:2")
    assert await claim("x", user=UserId(3))
    assert await claim("x", start=NOW + timedelta(minutes=1))


@pytest.mark.parametrize("state", ["lifted", "failed"])
async def test_running_leaves_out_what_is_over(conn: Conn, state: str) -> None:
    await store.open_case(conn, new("a", sanction="ban", expires_at=NOW - timedelta(minutes=1)))
    await store.open_case(conn, new("b", sanction="ban"))
    await store.open_case(conn, new("c", sanction="ban"))
    if state == "lifted":
        await store.lift(conn, GUILD, 3, None)
    else:
        await store.settle(conn, GUILD, 3, state="failed", problem="x")
    assert [case.number for case in await store.running(conn, GUILD, MEMBER, "ban")] == [2]


async def test_history_pages_newest_first(conn: Conn) -> None:
    for number in range(5):
        await store.open_case(conn, new(str(number)))
    await store.open_case(conn, new("other", target_id=UserId(3)))
    page = await store.history(conn, GUILD, MEMBER, limit=2)
    assert [case.number for case in page] == [5, 4]
    page = await store.history(conn, GUILD, MEMBER, limit=10, before=4)
    assert [case.number for case in page] == [3, 2, 1]
