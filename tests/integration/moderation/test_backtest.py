"""Kept messages, and trying rules on them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.adapters.postgres.pool import transaction
from app.errors import UserError
from app.events.envelope import Envelope
from app.events.messages import MessageCreated, MessageDeleted, MessageUpdated
from app.features.moderation.automod import Automod
from app.features.moderation.cases.retention import Retention
from app.features.moderation.models import Severity
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.messages import store
from app.features.moderation.rules.messages.backtest import Backtests
from app.features.moderation.rules.messages.keeping import KeptMessages, shortened
from app.snowflake import ChannelId, MessageId, UserId
from tests.fixtures.moderation import ADMIN, MEMBER, House
from tests.unit.moderation.rule_samples import id_at

BASE_MS = 1_790_000_000_000


def event(house: House, content: str, n: int, kind: type = MessageCreated, **fields: Any) -> Any:
    data = {
        "id": str(id_at(BASE_MS + n * 1000, n % 1000)),
        "channel_id": str(house.channel),
        "guild_id": str(house.guild),
        "author": {"id": str(MEMBER), "username": "sam", "avatar": "secret"},
        "member": {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00"},
        "content": content,
        **fields,
    }
    envelope = Envelope(kind.GATEWAY_EVENT, 0, "s", n, house.guild, BASE_MS, orjson.dumps(data))
    return kind.parse(envelope)


async def keep(house: House, *contents: str) -> None:
    kept = house.service(KeptMessages)
    for n, content in enumerate(contents):
        await kept.keep(event(house, content, n))


async def test_nothing_is_kept_unless_the_guild_says_so(house: House) -> None:
    await keep(house, "one")
    assert await house.service(KeptMessages).count(house.guild) == 0
    await house.run("rule keep", {"on": True}, by=ADMIN)
    await keep(house, "one", "two")
    assert await house.service(KeptMessages).count(house.guild) == 2
    await house.run("rule keep", {"on": False}, by=ADMIN)
    assert await house.service(KeptMessages).count(house.guild) == 0


async def test_an_edit_replaces_and_a_deletion_forgets(house: House) -> None:
    await house.set(keep_messages=True)
    kept = house.service(KeptMessages)
    await kept.keep(event(house, "first", 1))
    await kept.keep(event(house, "second", 1, MessageUpdated))
    async with transaction(house.pool) as conn:
        (row,) = await store.page(conn, house.guild, 0, limit=10)
    assert orjson.loads(row.payload)["content"] == "second"
    await kept.forget(house.guild, [row.message_id])
    assert await kept.count(house.guild) == 0


async def test_what_a_case_is_about_stays_until_its_time_is_over(house: House) -> None:
    await house.set(keep_messages=True)
    await house.service(RuleEditing).put(
        house.guild, "words", "w", {"words": ["bad"]}, severity=Severity.DELETE, by=UserId(ADMIN)
    )
    kept, bad = house.service(KeptMessages), event(house, "bad", 1)
    await kept.keep(bad)
    await house.service(Automod).check(bad.message)
    await kept.forget(house.guild, [bad.message.id])
    assert await kept.count(house.guild) == 1
    from datetime import timedelta

    house.shift += timedelta(days=15)
    await house.service(Retention).forget()
    assert await kept.count(house.guild) == 0


def test_names_and_urls_are_not_kept(house: House) -> None:
    found = event(
        house, "hi", 1, attachments=[{"id": "1", "filename": "a.exe", "size": 1, "url": "https://signed"}]
    )
    text = shortened(found.envelope.json()).decode()
    assert "sam" not in text and "secret" not in text and "signed" not in text and "a.exe" in text


async def test_a_rule_is_tried_on_what_was_kept(house: House) -> None:
    await house.set(keep_messages=True)
    await keep(house, *[f"message {n} " + ("b\u0430d stuff" if n % 10 == 0 else "fine") for n in range(60)])
    await house.service(RuleEditing).put(
        house.guild,
        "words",
        "w",
        {"words": ["bad"]},
        severity=Severity.TIMEOUT,
        shadow=True,
        by=UserId(ADMIN),
    )
    answer = await house.run("rule test", {"name": "w"}, by=ADMIN)
    assert answer["type"] == 5
    reply = await house.job("moderation.backtest", by=ADMIN, name="w", newest=50_000)
    params = reply.content.params
    assert (params["hits"], params["messages"], params["members"]) == (6, 60, 1)
    shown = str(reply.embeds)
    assert str(reply.embeds[0].fields[0].value) == "timeout: 6"
    assert "b\u0430d stuff" in shown and f"/{house.channel}/" in shown
    few = await house.job("moderation.backtest", by=ADMIN, name="w", newest=15)
    assert (few.content.params["hits"], few.content.params["messages"]) == (1, 15)


async def test_windows_are_replayed_by_the_time_of_writing(house: House) -> None:
    await house.set(keep_messages=True)
    await keep(house, *["spam spam spam"] * 12)
    await house.service(RuleEditing).put(
        house.guild, "repeat", "r", {"most": 3, "seconds": 5}, severity=Severity.DELETE, by=UserId(ADMIN)
    )
    rule = await house.service(RuleEditing).find(house.guild, "r")
    reports: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        reports.append((done, total))

    found = await house.service(Backtests).run(house.guild, rule, progress)
    assert (found.hits, found.messages) == (9, 12)
    assert reports == [(12, 12)]
    # The replay left nothing behind in the real windows.
    assert await house.floor.redis.keys("mod:*") == []


async def test_without_messages_it_says_what_to_do(house: House) -> None:
    await house.service(RuleEditing).put(
        house.guild, "caps", "c", {}, severity=Severity.WARN, by=UserId(ADMIN)
    )
    assert "/rule keep" in (await house.run("rule test", {"name": "c"}, by=ADMIN))["data"]["content"]
    with pytest.raises(UserError):
        await house.job("moderation.backtest", by=ADMIN, name="nope", newest=10)


async def test_deletions_reach_it_as_events(house: House) -> None:
    from app.features.moderation.rules.messages.keeping import forget_message

    await house.set(keep_messages=True)
    await keep(house, "one")
    key = id_at(BASE_MS)
    data = {"id": str(key), "channel_id": "1", "guild_id": str(house.guild)}
    gone = MessageDeleted.parse(
        Envelope("MESSAGE_DELETE", 0, "s", 9, house.guild, BASE_MS, orjson.dumps(data))
    )
    assert gone.message_id == MessageId(key) and gone.channel_id == ChannelId(1)
    await forget_message(gone, kept=house.service(KeptMessages))
    assert await house.service(KeptMessages).count(house.guild) == 0
