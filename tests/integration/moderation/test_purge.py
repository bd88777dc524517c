"""/purge and /bulk-ban: durable jobs that record first and act once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.adapters.discord.errors import DiscordRefused
from app.errors import UserError
from app.features.moderation.cases.purges.filters import Filters
from app.snowflake import lower_bound
from tests.fixtures.moderation import ADMIN, MEMBER, MODERATOR, SECOND, THIRD, House


async def purge(house: House, count: int, *, key: int = 7, **filters: Any) -> str:
    reply = await house.job(
        "moderation.purge",
        key=key,
        channel=str(house.channel),
        count=count,
        filters=Filters(**filters).dump(),
    )
    return str(reply.content)


def post(house: House, *texts: str, by: int = MEMBER) -> list[int]:
    return [house.world.post_message(house.channel, by, text).id for text in texts]


def there(house: House) -> set[int]:
    return {message.id for message in house.world.history(house.channel)}


async def test_the_newest_that_fit_go_and_a_case_stays(house: House) -> None:
    before = there(house)
    posted = post(house, "a", "b", "c", "d")
    assert "3 messages were removed: case 1." in await purge(house, 3)
    assert there(house) == before | {posted[0]}
    case = await house.case(1)
    assert (case.sanction, case.state, case.moderator_id) == ("purge", "done", MODERATOR)
    assert case.channel_id == house.channel


@pytest.mark.parametrize(
    ("filters", "gone"),
    [
        ({"user": SECOND}, [1]),
        ({"contains": "SPAM"}, [0, 3]),
        ({"links": True}, [2]),
        ({"user": MEMBER, "contains": "spam"}, [0, 3]),
    ],
)
async def test_filters(house: House, filters: dict[str, Any], gone: list[int]) -> None:
    posted = post(house, "buy spam")
    posted += post(house, "hello", by=SECOND)
    posted += post(house, "see https://example.org", "Spam!")
    keep = there(house) - {posted[index] for index in gone}
    await purge(house, 100, **filters)
    assert there(house) == keep


async def test_before_and_after_are_exclusive_and_pinned_ones_stay(house: House) -> None:
    posted = post(house, *"abcdef")
    house.world.pin_message(house.channel, posted[2], pinned=True, actor=MODERATOR)
    pinned_notice = there(house)
    await purge(house, 100, before=posted[4], after=posted[0])
    assert pinned_notice - there(house) == {posted[1], posted[3]}


async def test_old_messages_go_one_by_one_with_progress(house: House) -> None:
    old = [backdated(house, f"old {number}", timedelta(days=20, seconds=-number)) for number in range(7)]
    young = post(house, "x", "y", "z")
    house_before = len(there(house))
    said = await purge(house, 100, user=MEMBER)
    assert "10 messages" in said
    assert not there(house) & {*old, *young}
    assert len(there(house)) == house_before - 10
    assert house.progress[0].startswith("3 of 10")
    assert len(house.progress) == 2


def backdated(house: House, text: str, age: timedelta) -> int:
    """A message with an id of long ago."""
    message = house.world.post_message(house.channel, MEMBER, text)
    house.world.drop_message(message)
    message.id = lower_bound(int((house.now() - age).timestamp() * 1000)) | 1
    house.world.save_message(message)
    return message.id


async def test_a_worker_that_takes_over_removes_what_was_chosen_and_nothing_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = post(house, "a", "b", "c")

    async def dying(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(house.rest, "bulk_delete_messages", dying)
        [died] = await asyncio.gather(
            asyncio.ensure_future(purge(house, 3, user=MEMBER)), return_exceptions=True
        )
        assert isinstance(died, asyncio.CancelledError)
    later = post(house, "d", "e")
    assert "3 messages" in await purge(house, 3, user=MEMBER)
    assert not there(house) & set(first)
    assert set(later) <= there(house)
    assert "3 messages" in await purge(house, 3, user=MEMBER)  # done: delivered again, it removes nothing
    assert set(later) <= there(house)


async def test_nothing_fits_and_no_permission(house: House) -> None:
    assert "nothing was removed" in await purge(house, 5, contains="never said")
    post(house, "a", "b")
    for role in house.guild_state.roles.values():
        if role.name == "Gatehouse":
            role.permissions &= ~(1 << 13)
    with pytest.raises(UserError, match="E006"):
        await purge(house, 2)
    assert (await house.case(1)).state == "failed"


async def test_the_command_defers_to_the_job_and_refuses_nonsense(house: House) -> None:
    answer = await house.run(
        "purge", {"count": 5, "before": "https://discord.com/channels/1/2/123456789012345678"}
    )
    assert answer["type"] == 5
    refused = await house.run("purge", {"count": 5, "after": "yesterday"})
    assert "neither a message's link nor its id" in refused["data"]["content"]


# -- bulk bans


async def bulk(house: House, *users: int, key: int = 7) -> str:
    reply = await house.job(
        "moderation.bulk_ban",
        key=key,
        users=[str(user) for user in users],
        reason="raid",
        delete_seconds=0,
    )
    return str(reply.content)


async def test_a_list_is_banned_with_a_case_each_and_the_protected_are_named(house: House) -> None:
    await house.set(log_channel=house.review_channel)
    said = await bulk(house, MEMBER, ADMIN, SECOND, MEMBER, THIRD)
    assert "3 accounts were banned." in said
    assert "Cases 1 to 3" in said
    assert f"<@{ADMIN}>: Administrators" in said
    assert set(house.guild_state.bans) == {MEMBER, SECOND, THIRD}
    assert [(await house.case(number)).state for number in (1, 2, 3)] == ["done"] * 3
    [logged] = house.written(house.review_channel)
    assert "3 cases, 1 to 3" in str(logged.embeds)
    assert house.dms(MEMBER) == []
    assert "3 accounts were banned." in await bulk(house, MEMBER, SECOND, THIRD)  # the same job again
    with pytest.raises(AssertionError):
        await house.case(4)


async def test_without_the_bulk_route_they_are_banned_one_by_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise DiscordRefused("POST bulk-ban", 403, 50013, "Missing Permissions", {})

    monkeypatch.setattr(house.rest, "bulk_guild_ban", refused)
    assert "2 accounts were banned." in await bulk(house, MEMBER, SECOND)
    assert set(house.guild_state.bans) == {MEMBER, SECOND}


async def test_what_discord_does_not_ban_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def partly(guild: int, users: list[int], **_: Any) -> dict[str, Any]:
        return {"banned_users": [str(users[0])], "failed_users": [str(users[1])]}

    monkeypatch.setattr(house.rest, "bulk_guild_ban", partly)
    said = await bulk(house, MEMBER, SECOND)
    assert "1 account was banned." in said
    assert f"Discord did not ban: <@{SECOND}>" in said
    assert (await house.case(2)).state == "failed"


async def test_the_bulk_command_reads_mentions_and_ids(house: House) -> None:
    answer = await house.run("bulk-ban", {"users": f"<@{MEMBER}>, {SECOND}\n<@!{THIRD}>", "reason": "raid"})
    assert answer["type"] == 5
    refused = await house.run("bulk-ban", {"users": "sam", "reason": "raid"})
    assert "neither a mention nor an id" in refused["data"]["content"]
    many = " ".join(str(10**17 + number) for number in range(201))
    refused = await house.run("bulk-ban", {"users": many, "reason": "raid"})
    assert "1 to 200" in refused["data"]["content"]
