"""What a case says is carried out: killed between any two steps, refused by Discord, lifted meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.adapters.postgres.pool import transaction
from app.features.moderation import carry_out
from app.features.moderation.carry_out import KIND, CarryOut
from app.features.moderation.cases import store
from app.features.moderation.cases.lifting import Lifting
from app.features.moderation.cases.store import NewCase
from app.features.moderation.directory import Directory
from app.interactions.permissions import Permission
from app.snowflake import UserId
from tests.fixtures.moderation import (
    ADMIN,
    MEMBER,
    House,
)

STEPS = ("delete_message", "create_dm", "create_message", "add_guild_ban", "settle", "log")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_carrying_out_survives_death_at_every_step(house: House, step: str, moment: str) -> None:
    """The worker dies before or after a step took effect; the scheduled safety net finishes, nothing twice."""
    await house.set(log_channel=house.review_channel)
    posted = house.world.post_message(house.channel, MEMBER, "vile")
    new = NewCase(
        house.guild, "k", "ban", "automatic", UserId(MEMBER), channel_id=house.channel, message_id=posted.id
    )
    async with transaction(house.pool) as conn:
        case = await store.open_case(conn, new)
        assert case is not None
        await carry_out.expect(conn, case, house.now())
    service = house.service(CarryOut)
    with pytest.MonkeyPatch.context() as patch:
        if step == "settle":
            target: Any = store
        elif step == "log":
            target = service._notices
        else:
            target = house.rest
        original = getattr(target, step)

        async def dying(*args: Any, **kwargs: Any) -> Any:
            if moment == "after":
                await original(*args, **kwargs)
            raise asyncio.CancelledError

        patch.setattr(target, step, dying)
        [died] = await asyncio.gather(
            asyncio.ensure_future(service.case(case, allowed=True)), return_exceptions=True
        )
        assert isinstance(died, asyncio.CancelledError)
    await house.work(KIND, early=True)
    finished = await house.case(1)
    assert (finished.state, finished.notified) == ("done", True)
    assert MEMBER in house.guild_state.bans
    assert posted.id not in {m.id for m in house.world.history(house.channel)}
    assert len(house.dms(MEMBER)) == 1
    bans = [entry for entry in house.guild_state.audit if entry.action_type == 22]
    assert len(bans) == 1
    if step != "log":  # a line in the log is not worth a second transaction
        assert len(house.written(house.review_channel)) == 1


async def test_the_safety_net_asks_authority_anew(house: House) -> None:
    new = NewCase(
        house.guild, "k", "timeout", "automatic", UserId(MEMBER), expires_at=house.now() + timedelta(hours=1)
    )
    async with transaction(house.pool) as conn:
        case = await store.open_case(conn, new)
        assert case is not None
        await carry_out.expect(conn, case, house.now())
    house.guild_state.members[MEMBER].roles = list(house.guild_state.members[ADMIN].roles)
    await house.work(KIND, early=True)
    found = await house.case(1)
    assert (found.state, found.problem) == ("failed", "administrator")
    assert not house.guild_state.members[MEMBER].timed_out_until_ms


async def test_discords_refusal_is_told_and_recorded(house: House) -> None:
    await house.set(log_channel=house.review_channel)
    await house.service(Directory).ours(house.guild)  # what we may do is remembered for a minute
    for role in house.guild_state.roles.values():
        if role.name == "Gatehouse":
            role.permissions = int(Permission.VIEW_CHANNEL)
    answer = await house.run("ban", {"user": MEMBER})
    assert "Case 1 was recorded, but Discord refused" in answer["data"]["content"]
    case = await house.case(1)
    assert (case.state, case.problem) == ("failed", "we_lack_permission")
    assert answer["data"]["content"].endswith("Grant it to my role. (E006)")
    assert "I lack the Discord permission" in str(await house.run("case view", {"number": 1}))
    assert "I lack the Discord permission" in str(house.written(house.review_channel)[-1].embeds)


async def test_a_message_that_cannot_be_deleted_is_not_called_removed(house: House) -> None:
    await house.service(Directory).ours(house.guild)
    for role in house.guild_state.roles.values():
        if role.name == "Gatehouse":
            role.permissions &= ~int(Permission.MANAGE_MESSAGES)
    posted = house.world.post_message(house.channel, MEMBER, "vile")
    new = NewCase(
        house.guild,
        "k",
        "delete",
        "automatic",
        UserId(MEMBER),
        channel_id=house.channel,
        message_id=posted.id,
    )
    async with transaction(house.pool) as conn:
        case = await store.open_case(conn, new)
    assert case is not None
    found = await house.services_carry_out(case)
    assert (found.state, found.problem) == ("failed", "we_lack_permission")
    assert house.dms(MEMBER) == []


@pytest.mark.parametrize("step", ["create_message", "add_guild_ban"])
async def test_what_is_lifted_while_it_is_carried_out_is_not_left_behind(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    original = getattr(house.rest, step)

    async def meanwhile_lifted(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(house.rest, step, original)
        await house.service(Lifting).undo(house.guild, 1, by=UserId(ADMIN))
        return await original(*args, **options)

    monkeypatch.setattr(house.rest, step, meanwhile_lifted)
    await house.run("ban", {"user": MEMBER})
    assert ((await house.case(1)).state, (await house.case(2)).state) == ("lifted", "done")
    assert MEMBER not in house.guild_state.bans
    banned = any(entry.action_type == 22 for entry in house.guild_state.audit)
    assert banned == (step == "add_guild_ban")
