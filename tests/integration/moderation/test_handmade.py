"""What moderators do by hand in Discord becomes a case with the right moderator, once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from app.adapters.postgres.pool import transaction
from app.events.audit_log import AuditLogEntryCreated
from app.events.envelope import Envelope
from app.features.moderation.audit import AuditLog
from app.features.moderation.carry_out import END_KIND
from app.features.moderation.cases.handmade import Handmade, note_entry
from sandbox.world.state import audit_payload
from tests.fixtures.moderation import MEMBER, MODERATOR, House


def event(house: House, **changes: Any) -> AuditLogEntryCreated:
    """The newest entry of the sandbox's audit log, as the ingester passes it on."""
    data = {**audit_payload(house.guild_state.audit[-1]), "guild_id": str(house.guild), **changes}
    return AuditLogEntryCreated.parse(
        Envelope("GUILD_AUDIT_LOG_ENTRY_CREATE", 0, "s", 1, house.guild, 0, orjson.dumps(data))
    )


def act(house: House, what: str) -> None:
    world, until = house.world, int((house.now() + timedelta(hours=1)).timestamp() * 1000)
    match what:
        case "kick":
            world.kick_member(house.guild, MEMBER, actor=MODERATOR, reason="by hand")
        case "ban":
            world.ban_member(house.guild, MEMBER, actor=MODERATOR, reason="by hand")
        case "unban":
            world.unban_member(house.guild, MEMBER, actor=MODERATOR, reason="by hand")
        case "timeout":
            world.timeout_member(house.guild, MEMBER, until, actor=MODERATOR, reason="by hand")
        case "untimeout":
            world.timeout_member(house.guild, MEMBER, None, actor=MODERATOR, reason="by hand")


@pytest.mark.parametrize("what", ["kick", "ban", "unban", "timeout", "untimeout"])
async def test_it_becomes_a_case_of_who_did_it(house: House, what: str) -> None:
    await house.set(log_channel=house.review_channel)
    if what.startswith("un"):
        act(house, what.removeprefix("un"))
    act(house, what)
    await note_entry(event(house), handmade=house.service(Handmade))
    case = await house.case(1)
    assert (case.sanction, case.origin, case.state) == (what, "discord", "done")
    assert (case.moderator_id, case.target_id, case.reason) == (MODERATOR, MEMBER, "by hand")
    assert (case.expires_at is not None) == (what == "timeout")
    assert case.notified is None  # Discord's own act: we write to nobody
    assert "Case 1" in str(house.written(house.review_channel)[-1].embeds)


async def test_a_deleted_message_is_a_case_of_its_author(house: House) -> None:
    message = house.world.post_message(house.channel, MEMBER, "hello")
    house.world.delete_message(house.channel, message.id, actor=MODERATOR, reason="off topic")
    assert house.guild_state.audit[-1].action_type == 72
    await house.service(Handmade).note(event(house))
    case = await house.case(1)
    assert (case.sanction, case.origin, case.state) == ("delete", "discord", "done")
    assert (case.moderator_id, case.target_id, case.channel_id) == (MODERATOR, MEMBER, house.channel)


async def test_a_bulk_deletion_is_a_purge(house: House) -> None:
    messages = [house.world.post_message(house.channel, MEMBER, "spam").id for _ in range(3)]
    house.world.bulk_delete_messages(house.channel, messages, actor=MODERATOR, reason="spam")
    assert house.guild_state.audit[-1].action_type == 73
    await house.service(Handmade).note(event(house))
    case = await house.case(1)
    assert (case.sanction, case.moderator_id, case.target_id) == ("purge", MODERATOR, None)
    assert (case.channel_id, case.reason) == (house.channel, f"3 × <#{house.channel}> spam")
    async with transaction(house.pool) as conn:
        assert await AuditLog().verify(conn, house.guild) == []


async def test_tidying_up_after_bots_is_no_case(house: House) -> None:
    message = house.world.post_message(house.channel, house.world.bot_id, "hello")
    house.world.delete_message(house.channel, message.id, actor=MODERATOR)
    assert await house.service(Handmade).note(event(house)) is None


async def test_an_entry_that_comes_again_opens_no_second_case(house: House) -> None:
    act(house, "ban")
    handmade = house.service(Handmade)
    found = await asyncio.gather(*(handmade.note(event(house)) for _ in range(5)))
    assert sum(case is not None for case in found) == 1


async def test_our_own_acts_have_their_case_already(house: House) -> None:
    await house.run("ban", {"user": MEMBER})
    assert house.guild_state.audit[-1].action_type == 22
    assert await house.service(Handmade).note(event(house)) is None


async def test_an_unban_by_hand_lifts_our_ban_and_its_end(house: House) -> None:
    await house.run("ban", {"user": MEMBER, "duration": "1h"})
    act(house, "unban")
    await house.service(Handmade).note(event(house))
    old = await house.case(1)
    assert (old.state, old.lifted_by) == ("lifted", MODERATOR)
    async with transaction(house.pool) as conn:
        cursor = await conn.execute("SELECT count(*) FROM streams.schedule WHERE kind = %s", (END_KIND,))
        assert await cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    "changes",
    [
        {"action_type": 9999},
        {"action_type": 24, "changes": [{"key": "nick", "new_value": "x"}]},
        {"action_type": 24, "changes": None},
        {"action_type": 24, "changes": [{"key": "something_new", "new_value": {"deep": [1]}}]},
        {"target_id": None},
    ],
)
async def test_what_is_not_known_is_left_alone(house: House, changes: dict[str, Any]) -> None:
    act(house, "ban")
    assert await house.service(Handmade).note(event(house, **changes, brand_new_field={"a": 1})) is None


@pytest.mark.parametrize(
    "value", ["no time", 5, {"x": 1}, "2020-01-01T00:00:00+00:00", "2099-01-01T00:00:00"]
)
async def test_a_strange_end_of_a_timeout_counts_as_its_end(house: House, value: Any) -> None:
    act(house, "timeout")
    odd = event(house, changes=[{"key": "communication_disabled_until", "new_value": value}])
    case = await house.service(Handmade).note(odd)
    assert case is not None
    assert case.sanction == "untimeout"


async def test_without_an_actor_and_reason(house: House) -> None:
    act(house, "kick")
    case = await house.service(Handmade).note(event(house, user_id=None, reason=None))
    assert case is not None
    assert (case.moderator_id, case.reason) == (None, "")
