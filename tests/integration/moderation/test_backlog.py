"""What Discord's limits hold up waits in the guild's backlog, and is done once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.adapters.discord.errors import RateLimited
from app.adapters.postgres.pool import transaction
from app.features.moderation import carry_out
from app.features.moderation.carry_out import BACKLOG_KIND, KIND, CarryOut, key_of
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.lifting import Lifting
from app.features.moderation.cases.store import Case, NewCase
from app.snowflake import UserId
from app.streams.store import scheduled_keys
from tests.fixtures.moderation import MEMBER, MODERATOR, SECOND, THIRD, House


async def timeout_of(house: House, who: int) -> Case:
    async with transaction(house.pool) as conn:
        new = NewCase(
            guild_id=house.guild,
            action_key=f"message:{who}:0",
            sanction="timeout",
            origin="automatic",
            target_id=UserId(who),
            reason="words",
            expires_at=house.now() + timedelta(hours=1),
        )
        case = await cases.open_case(conn, new)
        assert case is not None
        await carry_out.expect(conn, case, house.now())
    return case


@pytest.fixture
async def waiting(house: House) -> list[Case]:
    """Three timeouts of which Discord lets one through: two wait."""
    await house.set(notify_members=False)
    house.sandbox.limits.scale = 0.1
    opened = [await timeout_of(house, who) for who in (MEMBER, SECOND, THIRD)]
    found = [await house.service(CarryOut).case(case, allowed=True, patience=0.5) for case in opened]
    assert [case.state for case in found] == ["done", "recorded", "recorded"]
    return found[1:]


async def keys(house: House, kind: str, *names: str) -> set[str]:
    async with transaction(house.pool) as conn:
        return await scheduled_keys(conn, kind, names)


async def test_a_waiting_case_belongs_to_the_backlog_alone(house: House, waiting: list[Case]) -> None:
    assert await keys(house, KIND, *map(key_of, waiting)) == set()
    assert await keys(house, BACKLOG_KIND, str(house.guild)) == {str(house.guild)}


async def test_the_backlog_is_worked_off_when_there_is_room(house: House, waiting: list[Case]) -> None:
    house.sandbox.limits.scale = 100
    house.sandbox.limits.reset()
    await house.floor.redis.flushdb()
    await house.work(BACKLOG_KIND, early=True)
    assert [(await house.case(case.number)).state for case in waiting] == ["done", "done"]
    assert await keys(house, BACKLOG_KIND, str(house.guild)) == set()
    timed_out = [e for e in house.guild_state.audit if e.action_type == 24]
    assert len(timed_out) == 3


async def test_what_a_person_ordered_keeps_its_own_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backlog takes automatic cases only."""
    await house.run("ban", {"user": MEMBER})

    async def held_up(*_: Any, **__: Any) -> None:
        raise RateLimited("DELETE ban", "bucket", wait=5.0, deadline=1.0)

    with monkeypatch.context() as patch:
        patch.setattr(house.rest, "remove_guild_ban", held_up)
        with pytest.raises(RateLimited):
            await house.service(Lifting).undo(house.guild, 1, by=UserId(MODERATOR))
        await house.work(KIND, early=True)
    assert await keys(house, KIND, f"{house.guild}:2") == {f"{house.guild}:2"}
    await house.work(KIND, early=True)
    assert (await house.case(2)).state == "done"
    assert MEMBER not in house.guild_state.bans
