"""What must happen once, in PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.adapters.postgres.query import value
from app.admission.retention import forget
from app.admission.store import AlreadyDone, UsedIds, claim_interaction, require_first


async def test_an_interaction_is_claimed_once(conn: Conn) -> None:
    assert await claim_interaction(conn, 1)
    assert not await claim_interaction(conn, 1)
    await require_first(conn, 2)
    with pytest.raises(AlreadyDone):
        await require_first(conn, 2)


async def test_of_concurrent_claims_one_wins_and_a_rolled_back_one_does_not_count(pool: Pool) -> None:
    async def claim(*, fail: bool) -> bool:
        try:
            async with transaction(pool) as conn:
                first = await claim_interaction(conn, 7)
                await asyncio.sleep(0.01)
                if fail:
                    raise ZeroDivisionError
                return first
        except ZeroDivisionError:
            return False

    assert not await claim(fail=True)
    assert sorted(await asyncio.gather(*(claim(fail=False) for _ in range(5)))) == [False] * 4 + [True]


async def test_a_single_use_id_is_used_once(pool: Pool) -> None:
    used = UsedIds(pool)
    until = datetime.now(UTC) + timedelta(hours=1)
    results = await asyncio.gather(*(used.claim("key", until=until) for _ in range(5)))
    assert sorted(results) == [False] * 4 + [True]


async def test_what_is_old_is_forgotten_and_the_rest_is_not(pool: Pool) -> None:
    now = datetime.now(UTC)
    used = UsedIds(pool)
    await used.claim("old", until=now - timedelta(seconds=1))
    await used.claim("new", until=now + timedelta(hours=1))
    async with transaction(pool) as conn:
        await claim_interaction(conn, 1)
    assert await forget(pool, now) == 1
    assert await forget(pool, now + timedelta(days=2)) == 1
    async with transaction(pool) as conn:
        assert await value(conn, "SELECT count(*) FROM interactions.claims") == 0
        assert await value(conn, "SELECT key FROM interactions.used_ids") == "new"
