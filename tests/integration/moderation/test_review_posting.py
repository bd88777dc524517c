"""A review item has one message in the queue's channel, whoever posts it at the same time and whoever dies over it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

import pytest

from app.adapters.postgres.pool import transaction
from app.features.moderation.review import store
from app.features.moderation.review.posting import ReviewPosts
from app.features.moderation.review.queue import Reviews
from app.features.moderation.review.store import Item, NewItem
from app.snowflake import UserId
from app.streams.retry import TryLater
from sandbox.trouble import RestKind, RestTrouble
from tests.fixtures.moderation import MEMBER, MODERATOR, House

CREATE = "POST /channels/{channel_id}/messages"


class Forgetful(OrderedDict[Any, Any]):
    """Nonces whose minutes are always over."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget at once."""


@pytest.fixture
async def item(house: House) -> Item:
    house.sandbox.nonces = Forgetful()
    await house.review_here()
    return await house.reviews_open(
        NewItem(house.guild, "report:1", "report", UserId(MEMBER), excerpt="vile")
    )


def shown(house: House) -> list[str]:
    return [str(message.embeds) for message in house.written(house.review_channel)]


async def try_to_show(house: House, item: Item) -> bool:
    try:
        await house.service(ReviewPosts).show(house.guild, item.item_id)
    except TryLater:
        return False
    return True


async def age_the_lease(house: House) -> None:
    """Let the time pass for which whoever died holds the item."""
    async with transaction(house.pool) as conn:
        await conn.execute("UPDATE moderation.review_items SET posting_until = now() - interval '1 second'")


async def claim(house: House, item: Item) -> None:
    await house.service(Reviews).claim(house.guild, item.item_id, item.version, by=UserId(MODERATOR))


class Held:
    """Holds the first call that posts, until it may go on."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        post = house.rest.create_message

        async def create_message(*args: Any, **options: Any) -> Any:
            if not self.begun.is_set():
                self.begun.set()
                await self.go.wait()
            return await post(*args, **options)

        monkeypatch.setattr(house.rest, "create_message", create_message)


@pytest.fixture
def held(house: House, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(house, monkeypatch)


async def test_two_workers_post_one_message(house: House, item: Item, held: Held) -> None:
    first = asyncio.create_task(try_to_show(house, item))
    await held.begun.wait()
    assert not await try_to_show(house, item)
    held.go.set()
    assert await first
    assert len(shown(house)) == 1
    await claim(house, item)
    assert await try_to_show(house, item)
    [message] = shown(house)
    assert f"<@{MODERATOR}>" in message


async def test_what_changes_while_it_is_posted_is_shown(house: House, item: Item, held: Held) -> None:
    posting = asyncio.create_task(try_to_show(house, item))
    await held.begun.wait()
    await claim(house, item)
    held.go.set()
    assert await posting
    [message] = shown(house)
    assert f"<@{MODERATOR}>" in message


async def test_a_worker_that_dies_after_posting_leaves_a_message_that_is_found(
    house: House, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(store, "posted", dies)
        with pytest.raises(asyncio.CancelledError):
            await house.service(ReviewPosts).show(house.guild, item.item_id)
    assert len(shown(house)) == 1
    assert not await try_to_show(house, item)  # it might be at it still
    # Others write in the channel, the item changes, and the queue moves elsewhere meanwhile.
    house.world.post_message(house.review_channel, MODERATOR, "Review 1?")
    await claim(house, item)
    await house.set(review_channel=house.channel)
    await age_the_lease(house)
    assert await try_to_show(house, item)
    [message] = shown(house)
    assert f"<@{MODERATOR}>" in message
    assert not house.written(house.channel)


async def test_a_worker_that_dies_before_posting_is_followed_by_another(house: House, item: Item) -> None:
    async with transaction(house.pool) as conn:
        await store.begin_posting(conn, item.item_id, house.review_channel, seconds=30)
    assert not await try_to_show(house, item)
    await age_the_lease(house)
    assert await try_to_show(house, item)
    assert len(shown(house)) == 1


async def test_a_lost_answer_is_no_second_message(house: House, item: Item) -> None:
    house.sandbox.nonces = OrderedDict()
    house.sandbox.trouble.add(RestTrouble(kind=RestKind.LOST_ANSWER, count=1, route=CREATE))
    assert await try_to_show(house, item)
    assert len(shown(house)) == 1


async def test_a_refused_channel_is_tried_again_at_once(house: House, item: Item) -> None:
    await house.set(review_channel=999)
    assert await try_to_show(house, item)
    await house.review_here()
    assert await try_to_show(house, item)
    assert len(shown(house)) == 1


async def test_who_outlives_the_lease_takes_the_second_message_back(
    house: House, item: Item, held: Held
) -> None:
    slow = asyncio.create_task(try_to_show(house, item))
    await held.begun.wait()
    await age_the_lease(house)
    assert await try_to_show(house, item)
    held.go.set()
    assert await slow
    assert len(shown(house)) == 1
