"""Nicknames and names of threads."""

from __future__ import annotations

from typing import Any

import orjson

from app.adapters.postgres.pool import transaction
from app.events.envelope import Envelope
from app.events.members import MemberUpdated
from app.events.threads import ThreadCreated, ThreadUpdated
from app.features.moderation.models import Severity
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.names import NameCheck
from app.snowflake import UserId
from tests.fixtures.moderation import ADMIN, MEMBER, MODERATOR, House


async def rule(house: House, **fields: Any) -> None:
    await house.service(RuleEditing).put(
        house.guild,
        "words",
        "w",
        {"words": ["bad"]},
        by=UserId(ADMIN),
        **({"severity": Severity.DELETE} | fields),
    )


def renamed(house: House, who: int, nick: str | None, global_name: str | None = "Fine") -> MemberUpdated:
    member = house.guild_state.members[who]
    house.world.edit_member(house.guild, who, actor=who, nick=nick)
    data = {
        "guild_id": str(house.guild),
        "user": {"id": str(who), "username": "fine", "global_name": global_name},
        "roles": [str(role) for role in member.roles],
        "nick": nick,
        "joined_at": "2026-01-01T00:00:00+00:00",
    }
    return MemberUpdated.parse(
        Envelope("GUILD_MEMBER_UPDATE", 0, "s", 1, house.guild, 1_790_000_000_000, orjson.dumps(data))
    )


async def cases_of(house: House) -> list[tuple[Any, ...]]:
    async with transaction(house.pool) as conn:
        return await (
            await conn.execute("SELECT target_id, sanction, channel_id FROM moderation.cases ORDER BY number")
        ).fetchall()


async def test_a_bad_nickname_is_reset_every_time_and_warned_about_once(house: House) -> None:
    await rule(house)
    names = house.service(NameCheck)
    for _ in range(2):
        assert await names.member(renamed(house, MEMBER, "b\u0430d one"))
        assert house.guild_state.members[MEMBER].nick is None
    assert await cases_of(house) == [(MEMBER, "warn", None)]
    assert not await names.member(renamed(house, MEMBER, "nice one"))
    assert house.guild_state.members[MEMBER].nick == "nice one"


async def test_a_bad_account_name_gets_a_neutral_nickname(house: House) -> None:
    await rule(house)
    assert await house.service(NameCheck).member(renamed(house, MEMBER, None, "bad"))
    assert (house.guild_state.members[MEMBER].nick or "").startswith("Member ")


async def test_moderators_keep_their_names(house: House) -> None:
    await rule(house)
    assert not await house.service(NameCheck).member(renamed(house, MODERATOR, "bad"))
    assert house.guild_state.members[MODERATOR].nick == "bad"
    assert await cases_of(house) == []


async def test_shadow_and_exempt_roles_change_nothing(house: House) -> None:
    await rule(house, shadow=True)
    assert not await house.service(NameCheck).member(renamed(house, MEMBER, "bad"))
    assert house.guild_state.members[MEMBER].nick == "bad"
    await rule(house)
    role = next(iter(house.guild_state.members[MEMBER].roles), None)
    if role is not None:
        await house.service(RuleEditing).change(house.guild, "w", by=UserId(ADMIN), exempt_roles=[role])
        assert not await house.service(NameCheck).member(renamed(house, MEMBER, "bad"))


async def test_a_harder_rule_times_out(house: House) -> None:
    await rule(house, severity=Severity.TIMEOUT)
    assert await house.service(NameCheck).member(renamed(house, MEMBER, "bad"))
    assert house.guild_state.members[MEMBER].timed_out_until_ms is not None


def thread_event(house: House, kind: type, thread: int, name: str, owner: int = MEMBER) -> Any:
    data = {
        "id": str(thread),
        "guild_id": str(house.guild),
        "parent_id": str(house.channel),
        "owner_id": str(owner),
        "name": name,
        "newly_created": True,
    }
    return kind.parse(
        Envelope(kind.GATEWAY_EVENT, 0, "s", 1, house.guild, 1_790_000_000_000, orjson.dumps(data))
    )


async def test_a_new_thread_with_a_bad_name_is_deleted(house: House) -> None:
    await rule(house)
    thread = house.world.create_thread(house.channel, "so bad", MEMBER)
    assert await house.service(NameCheck).thread(thread_event(house, ThreadCreated, thread.id, "so bad"))
    assert thread.id not in house.world.channels
    assert [row[:2] for row in await cases_of(house)] == [(MEMBER, "warn")]


async def test_a_renamed_thread_gets_a_neutral_name(house: House) -> None:
    await rule(house)
    thread = house.world.create_thread(house.channel, "b.a.d", MEMBER)
    assert await house.service(NameCheck).thread(thread_event(house, ThreadUpdated, thread.id, "b.a.d"))
    assert house.world.channels[thread.id].name == "thread"


async def test_threads_of_administrators_stay(house: House) -> None:
    await rule(house)
    thread = house.world.create_thread(house.channel, "bad", ADMIN)
    assert not await house.service(NameCheck).thread(
        thread_event(house, ThreadCreated, thread.id, "bad", ADMIN)
    )
    assert thread.id in house.world.channels
