"""What automatic moderation leaves alone: our own messages, bots, exempt roles, exempt channels with their threads."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from app.adapters.postgres.pool import transaction
from app.events.message import Message, message_of
from app.features.moderation.automod import Automod
from app.features.moderation.models import Severity
from app.features.moderation.review import store as reviews
from app.features.moderation.rules.editing import RuleEditing
from app.snowflake import DISCORD_EPOCH_MS, UserId
from app.streams.retry import TryLater
from sandbox.trouble import RestKind, RestTrouble
from sandbox.world.payloads import message_payload
from tests.fixtures.moderation import ADMIN, MEMBER, MODERATOR, House

RULE = "listed"
numbers = itertools.count()


@pytest.fixture(autouse=True)
async def listed(house: House) -> None:
    await house.service(RuleEditing).put(
        house.guild, "words", RULE, {"words": ["zorgblat"]}, severity=Severity.BAN, by=UserId(ADMIN)
    )


async def judged(house: House, text: str = "a zorgblat", *, by: int = MEMBER, **fields: Any) -> bool:
    """Whether a message that somebody writes now is judged and acted upon."""
    key = ((int(house.now().timestamp() * 1000) - DISCORD_EPOCH_MS) << 22) | next(numbers)
    message = {
        "id": str(key),
        "channel_id": str(house.channel),
        "guild_id": str(house.guild),
        "author": {"id": str(by), "username": "someone"},
        "member": {"roles": [str(role) for role in house.guild_state.members[by].roles]},
        "content": text,
        **fields,
    }
    return await house.service(Automod).check(message_of(message)) is not None


def thread(house: House) -> int:
    """A thread of #general."""
    return int(house.world.create_thread(house.channel, "side talk", MODERATOR).id)


async def test_our_own_messages_are_not_judged_though_they_quote(house: House) -> None:
    """Else a review item opens the next one, which quotes it, and so on without end."""
    await house.review_here()
    await house.set(moderate_bots=True)
    assert await judged(house, by=MEMBER)
    await house.work(reviews.POST_KIND)
    [item] = house.written(house.review_channel)
    assert "zorgblat" in str(item.embeds)
    own: Message = message_of(message_payload(house.world, item) | {"guild_id": str(house.guild)})
    assert await house.service(Automod).check(own) is None
    async with transaction(house.pool) as conn:
        assert await reviews.count_open(conn, house.guild) == 1


@pytest.mark.parametrize("moderated", [False, True])
async def test_other_bots_are_judged_if_the_guild_says_so(house: House, moderated: bool) -> None:
    await house.set(moderate_bots=moderated)
    author = {"id": str(MEMBER), "username": "helper", "bot": True}
    assert await judged(house, author=author) is moderated


async def test_a_channel_is_exempt_with_its_threads(house: House) -> None:
    inside = str(thread(house))
    await house.set(exempt_channels=(house.channel,))
    assert not await judged(house)
    assert not await judged(house, channel_id=inside)
    assert await judged(house, channel_id=str(house.review_channel))


async def test_a_rule_leaves_a_channel_alone_with_its_threads(house: House) -> None:
    inside = str(thread(house))
    editing = house.service(RuleEditing)
    await editing.change(house.guild, RULE, by=UserId(ADMIN), exempt_channels=[house.channel])
    assert not await judged(house)
    assert not await judged(house, channel_id=inside)
    assert await judged(house, channel_id=str(house.review_channel))


async def test_what_may_be_exempt_waits_until_it_can_be_looked_up(house: House) -> None:
    inside = str(thread(house))
    await house.set(exempt_channels=(house.channel,))
    house.sandbox.trouble.add(RestTrouble(kind=RestKind.SERVER_ERROR, route="GET /channels/*", status=503))
    with pytest.raises(TryLater):
        await judged(house, channel_id=inside)


async def test_an_edit_that_tells_no_roles_has_them_looked_up(house: House) -> None:
    [role] = house.guild_state.members[MODERATOR].roles
    assert not await judged_case(house, by=MODERATOR, member=None)  # a moderator all the same
    await house.set(exempt_roles=(role,))
    assert not await judged(house, by=MODERATOR, member=None)


async def judged_case(house: House, **fields: Any) -> bool:
    """Whether somebody is punished."""
    await judged(house, **fields)
    async with transaction(house.pool) as conn:
        cursor = await conn.execute("SELECT count(*) FROM moderation.cases")
        return (await cursor.fetchone()) != (0,)
