"""Appeals: from the DM's button over the form to the queue, and back into the DM."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.adapters.postgres.pool import transaction
from app.errors import UserError
from app.features.moderation.appeals import store as appeals
from app.features.moderation.appeals.appeals import Appeals
from app.features.moderation.audit import AuditLog
from app.features.moderation.cases.store import NewCase, open_case, settle, strike, strikes_of
from app.features.moderation.review.act import Act
from app.features.moderation.review.store import POST_KIND, NewItem
from app.snowflake import UserId
from tests.fixtures.moderation import (
    ADMIN,
    ADMIN_BITS,
    MEMBER,
    MODERATOR,
    SECOND,
    House,
    button,
    labels,
)

WHY = "I was only quoting the book, honestly."


async def appealed(house: House, path: str = "timeout", **options: Any) -> dict[str, Any]:
    """A moderator acts, the member appeals; the answer to the form."""
    await house.review_here()
    given = {"member": MEMBER, "reason": "rude", **options}
    if path == "ban":
        given["user"] = given.pop("member")
    answer = await house.run(path, given)
    assert "case 1" in answer["data"]["content"], answer
    [dm] = house.dms(MEMBER)
    modal = await house.press(button(dm, "Appeal"), by=MEMBER, dm=True)
    on = {"id": str(dm.id), "channel_id": str(dm.channel_id), "flags": 0}
    return await house.submit(modal, {"text": WHY}, by=MEMBER, dm=True, message=on)


async def review_message(house: House) -> Any:
    await house.work(POST_KIND)
    return house.written(house.review_channel)[-1]


async def test_the_dm_says_what_happened_and_offers_an_appeal(house: House) -> None:
    await house.run("warn", {"member": MEMBER, "reason": "Be *nice*"})
    [dm] = house.dms(MEMBER)
    assert "You were warned in **The Reading Room**." in dm.content or str(house.guild) in dm.content
    assert "Reason: Be *nice*" in dm.content
    assert "Case 1" in dm.content
    assert labels(dm) == ["Appeal"]


async def test_an_appeal_reaches_the_queue_and_the_dm_shows_it(house: House) -> None:
    answer = await appealed(house, duration="1h")
    assert answer["type"] == 7
    assert "Your appeal is with the moderators." in answer["data"]["content"]
    assert answer["data"]["components"] == []
    message = await review_message(house)
    assert labels(message) == ["Let it stand", "Overturn", "Claim"]
    assert f"> {WHY}" in str(message.embeds)


async def test_who_acted_does_not_decide_the_appeal(house: House) -> None:
    await appealed(house, duration="1h")
    message = await review_message(house)
    for label in ("Overturn", "Let it stand"):
        refused = await house.press(button(message, label), by=MODERATOR)
        assert "Somebody else has to look" in refused["data"]["content"]
    assert house.guild_state.members[MEMBER].timed_out_until_ms


async def test_who_approved_the_machines_verdict_does_not_decide_the_appeal_either(house: House) -> None:
    await house.review_here()
    new = NewCase(house.guild, "automatic:1", "timeout", "automatic", UserId(MEMBER), reason="hate")
    async with transaction(house.pool) as conn:
        case = await open_case(conn, new)
        assert case is not None
        await settle(conn, house.guild, case.number, state="done")
    item = await house.reviews_open(
        NewItem(house.guild, "decision:1", "verdict", UserId(MEMBER), severity=4, case_number=case.number)
    )
    await house.press(house.decide(item, Act.APPROVE), by=MODERATOR)
    await house.service(Appeals).open(house.guild, case.number, UserId(MEMBER), WHY, dm=None)
    await house.work(POST_KIND)
    [message] = [one for one in house.written(house.review_channel) if "Overturn" in labels(one)]
    refused = await house.press(button(message, "Overturn"), by=MODERATOR)
    assert "Somebody else has to look" in refused["data"]["content"]
    allowed = await house.press(button(message, "Let it stand"), by=ADMIN)
    assert "The decision stands" in str(allowed)


@pytest.mark.parametrize("path", ["timeout", "ban", "warn", "kick"])
async def test_overturning_lifts_the_action_and_writes_a_case(house: House, path: str) -> None:
    await appealed(house, path, **({"duration": "1h"} if path == "timeout" else {}))
    message = await review_message(house)
    answer = await house.press(button(message, "Overturn"), by=ADMIN)
    assert "Overturned by" in str(answer)
    assert MEMBER not in house.guild_state.bans
    held = house.guild_state.members.get(MEMBER)
    assert held is None or not held.timed_out_until_ms
    lifted = await house.case(2)
    expected = {"timeout": "untimeout", "ban": "unban", "warn": "undo", "kick": "undo"}[path]
    assert (lifted.sanction, lifted.origin, lifted.moderator_id) == (expected, "appeal", ADMIN)
    assert (await house.case(1)).state == "lifted"
    await house.work(appeals.ANSWER_KIND)
    assert [("taken back" in dm.content, labels(dm)) for dm in house.dms(MEMBER)] == [(True, [])] * 2
    assert lifted.notified is True
    async with transaction(house.pool) as conn:
        assert await AuditLog().verify(conn, house.guild) == []


async def test_overturning_takes_the_strike_back_also_of_what_was_lifted_before(house: House) -> None:
    async with transaction(house.pool) as conn:
        at = house.now()
        await strike(
            conn, house.guild, UserId(MEMBER), "m:1", weight=2, at=at, expires_at=at + timedelta(days=1)
        )
        until = at + timedelta(hours=1)
        await open_case(
            conn, NewCase(house.guild, "m:1", "timeout", "automatic", UserId(MEMBER), expires_at=until)
        )
    await house.review_here()
    await house.service(Appeals).open(house.guild, 1, UserId(MEMBER), WHY, dm=None)
    await house.run("untimeout", {"member": MEMBER})
    assert (await house.case(1)).state == "lifted"
    answer = await house.press(button(await review_message(house), "Overturn"), by=ADMIN)
    assert "Overturned by" in str(answer)
    async with transaction(house.pool) as conn:
        assert await strikes_of(conn, house.guild, UserId(MEMBER), house.now()) == 0


async def test_the_member_hears_how_it_ended_once(house: House) -> None:
    await appealed(house, duration="1h")
    await house.press(button(await review_message(house), "Let it stand"), by=ADMIN)
    await house.work(appeals.ANSWER_KIND)
    first, second = house.dms(MEMBER)
    for dm in (first, second):
        assert "The decision stands." in dm.content
        assert labels(dm) == []
    assert house.guild_state.members[MEMBER].timed_out_until_ms
    await house.service(Appeals).answer(house.guild, 1)  # the work is done again: a worker died
    assert len(house.dms(MEMBER)) == 2


async def test_one_open_appeal_per_case_and_none_after_it_is_decided(house: House) -> None:
    await house.run("warn", {"member": MEMBER, "reason": "rude"})
    service = house.service(Appeals)

    async def appeal() -> bool:
        try:
            await service.open(house.guild, 1, UserId(MEMBER), WHY, dm=None)
        except UserError as refused:
            assert "with the moderators" in str(refused.text)
            return False
        return True

    assert sorted(await asyncio.gather(*(appeal() for _ in range(8)))) == [False] * 7 + [True]
    async with transaction(house.pool) as conn:
        opened = await appeals.latest(conn, house.guild, 1)
        assert opened is not None
        by, now = UserId(ADMIN), house.now()
        assert await appeals.decide(conn, house.guild, opened.appeal_id, "upheld", by=by, now=now)
        assert not await appeals.decide(conn, house.guild, opened.appeal_id, "overturned", by=by, now=now)
    with pytest.raises(UserError, match="stands"):
        await service.open(house.guild, 1, UserId(MEMBER), WHY, dm=None)


async def test_the_button_is_for_the_member_alone_and_only_in_the_dm(house: House) -> None:
    await house.run("warn", {"member": MEMBER, "reason": "rude"})
    pressed = button(house.dms(MEMBER)[0], "Appeal")
    assert "only" in (await house.press(pressed, by=SECOND, dm=True))["data"]["content"]
    assert "another server" in (await house.press(pressed, by=MEMBER))["data"]["content"]
    with pytest.raises(UserError):
        await house.service(Appeals).open(house.guild, 1, UserId(SECOND), WHY, dm=None)


async def test_no_button_where_appeals_are_off_and_none_for_what_is_lifted(house: House) -> None:
    await house.run("warn", {"member": MEMBER, "reason": "rude"})
    pressed = button(house.dms(MEMBER)[0], "Appeal")
    await house.run("case undo", {"number": 1}, permissions=ADMIN_BITS)
    refused = await house.press(pressed, by=MEMBER, dm=True)
    assert "taken back already" in refused["data"]["content"]
    await house.set(appeals=False)
    await house.run("warn", {"member": SECOND, "reason": "rude"})
    assert labels(house.dms(SECOND)[0]) == []


async def test_a_short_text_is_refused_and_nothing_is_opened(house: House) -> None:
    await house.run("warn", {"member": MEMBER, "reason": "rude"})
    modal = await house.press(button(house.dms(MEMBER)[0], "Appeal"), by=MEMBER, dm=True)
    answer = await house.submit(modal, {"text": "no"}, by=MEMBER, dm=True)
    assert "10" in answer["data"]["content"]
    async with transaction(house.pool) as conn:
        assert await appeals.latest(conn, house.guild, 1) is None


async def test_a_member_who_cannot_be_told_is_noted(house: House) -> None:
    await appealed(house, duration="1h")
    await house.press(button(await review_message(house), "Overturn"), by=ADMIN)
    house.world.user(MEMBER).accepts_dms = False
    await house.work(appeals.ANSWER_KIND)
    assert (await house.case(2)).notified is False
