"""Moderators' commands over the sandbox's REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.adapters.postgres.pool import transaction
from app.errors import DiscordUnreachable
from app.features.moderation.cases import store
from app.features.moderation.cases.moderators import Moderators
from app.features.moderation.cases.store import NewCase
from app.features.moderation.directory import Directory
from app.features.moderation.models import Sanction
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.interactions.permissions import Permission
from app.snowflake import RoleId, UserId
from app.tenancy.access import AccessSettings
from tests.fixtures.moderation import (
    ADMIN,
    MEMBER,
    MODERATOR,
    OWNER,
    SECOND,
    House,
    button,
    labels,
)


async def count(house: House) -> int:
    async with transaction(house.pool) as conn:
        cursor = await conn.execute("SELECT count(*) FROM moderation.cases")
        [[found]] = await cursor.fetchall()
    return int(found)


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("warn", {"member": MEMBER, "reason": "rude"}, "was warned: case 1"),
        ("timeout", {"member": MEMBER, "duration": "2h"}, "is timed out"),
        ("kick", {"member": MEMBER}, "was removed: case 1"),
        ("ban", {"user": MEMBER, "delete_days": 1}, "was banned: case 1"),
        ("note", {"user": MEMBER, "text": "asked nicely"}, "Noted: case 1"),
    ],
)
async def test_orders_are_done_recorded_and_told(
    house: House, path: str, options: dict[str, Any], said: str
) -> None:
    await house.set(log_channel=house.review_channel)
    answer = await house.run(path, options)
    assert said in answer["data"]["content"]
    case = await house.case(1)
    assert (case.sanction, case.state, case.moderator_id) == (path, "done", MODERATOR)
    member = house.guild_state.members.get(MEMBER)
    assert (member is None) == (path in {"kick", "ban"})
    assert (MEMBER in house.guild_state.bans) == (path == "ban")
    assert bool(member and member.timed_out_until_ms) == (path == "timeout")
    assert len(house.dms(MEMBER)) == (0 if path == "note" else 1)
    assert case.notified is (None if path == "note" else True)
    [logged] = house.written(house.review_channel)
    assert "Case 1" in str(logged.embeds)
    if path in {"timeout", "kick", "ban"}:
        assert f"by {MODERATOR}" in str(house.guild_state.audit[-1].reason)


async def test_an_interaction_that_is_delivered_twice_acts_once(house: House) -> None:
    for _ in range(2):
        await house.run("warn", {"member": MEMBER, "reason": "rude"}, key=1_600_000_000_000_000_000)
    assert await count(house) == 1
    assert len(house.dms(MEMBER)) == 1


@pytest.mark.parametrize(
    ("by", "target", "said"),
    [
        (MODERATOR, OWNER, "owner"),
        (MODERATOR, ADMIN, "Administrators"),
        (MODERATOR, MODERATOR, "yourself"),
        (SECOND, MEMBER, ""),
    ],
)
async def test_authority_is_asked_before_anything_is_recorded(
    house: House, by: int, target: int, said: str
) -> None:
    answer = await house.run("timeout", {"member": target, "duration": "1h"}, by=by)
    assert answer["data"]["flags"] == 64
    assert said in answer["data"]["content"]
    assert await count(house) == 0


async def test_a_member_without_dms_is_noted_as_not_told(house: House) -> None:
    house.world.user(MEMBER).accepts_dms = False
    answer = await house.run("warn", {"member": MEMBER, "reason": "rude"})
    assert "could not be told" in answer["data"]["content"]
    assert (await house.case(1)).notified is False


async def test_a_timeout_is_lifted_and_its_case_marked(house: House) -> None:
    await house.run("timeout", {"member": MEMBER, "duration": "1h"})
    await house.run("untimeout", {"member": MEMBER})
    assert not house.guild_state.members[MEMBER].timed_out_until_ms
    assert (await house.case(1)).state == "lifted"


@pytest.mark.parametrize(
    ("path", "option", "said"),
    [("untimeout", "member", "is not timed out"), ("unban", "user", "is not banned")],
)
async def test_what_is_not_there_is_not_lifted(house: House, path: str, option: str, said: str) -> None:
    answer = await house.run(path, {option: MEMBER})
    assert said in answer["data"]["content"]
    assert await count(house) == 0
    assert house.dms(MEMBER) == []


async def test_a_timeout_that_is_over_is_not_lifted(house: House) -> None:
    over = int((house.now() - timedelta(minutes=1)).timestamp() * 1000)
    house.guild_state.members[MEMBER].timed_out_until_ms = over
    assert "is not timed out" in (await house.run("untimeout", {"member": MEMBER}))["data"]["content"]


async def test_a_lift_is_ordered_all_the_same_when_discord_cannot_be_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise DiscordUnreachable

    monkeypatch.setattr(house.rest, "get_guild_ban", unreachable)
    assert "may come back: case 1" in (await house.run("unban", {"user": MEMBER}))["data"]["content"]


async def test_what_is_about_to_happen_can_be_lifted(house: House) -> None:
    new = NewCase(house.guild, "k", "ban", "automatic", UserId(MEMBER))
    async with transaction(house.pool) as conn:
        assert await store.open_case(conn, new)
    assert "may come back: case 2" in (await house.run("unban", {"user": MEMBER}))["data"]["content"]
    assert (await house.case(1)).state == "lifted"


async def test_a_lift_that_is_delivered_again_is_not_judged_again(house: House) -> None:
    await house.run("timeout", {"member": MEMBER, "duration": "1h"})
    moderators = house.service(Moderators)
    for _ in range(2):
        case = await moderators.order(
            house.guild, UserId(MEMBER), Sanction.UNTIMEOUT, by=UserId(MODERATOR), reason="", action_key="i:1"
        )
        assert (case.number, case.state) == (2, "done")


async def test_undo_takes_a_case_back_once(house: House) -> None:
    await house.run("timeout", {"member": MEMBER, "duration": "1h"})
    answer = await house.run("case undo", {"number": 1})
    assert "Case 1 is undone: case 2." in answer["data"]["content"]
    assert not house.guild_state.members[MEMBER].timed_out_until_ms
    again = await house.run("case undo", {"number": 1})
    assert "nothing to lift" in again["data"]["content"]
    assert "no case 9" in (await house.run("case undo", {"number": 9}))["data"]["content"]
    assert await count(house) == 2


async def test_history_shows_and_pages(house: House) -> None:
    for number in range(10):
        await house.run("note", {"user": MEMBER, "text": f"note {number}"})
    first = await house.run("history", {"user": MEMBER})
    assert "note 9" in str(first)
    assert "note 1 " not in str(first)
    older = await house.press(button(first, "Older"))
    assert "note 0" in str(older)
    assert labels(older) == []


async def test_a_case_is_viewed_and_edited(house: House) -> None:
    await house.run("warn", {"member": MEMBER, "reason": "rude"})
    assert "rude" in str(await house.run("case view", {"number": 1}))
    assert "very rude" in str(await house.run("case edit", {"number": 1, "reason": "very rude"}))
    assert "no case 5" in (await house.run("case view", {"number": 5}))["data"]["content"]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("warn", {"member": MEMBER, "reason": "  "}),
        ("note", {"user": MEMBER, "text": " "}),
        ("case edit", {"number": 1, "reason": " "}),
    ],
)
async def test_a_reason_of_spaces_is_none(house: House, path: str, options: dict[str, Any]) -> None:
    await house.run("note", {"user": MEMBER, "text": "seen"})
    assert "is empty" in (await house.run(path, options))["data"]["content"]
    assert await count(house) == 1
    assert (await house.case(1)).reason == "seen"


async def test_an_older_case_with_a_reason_of_spaces_is_shown(house: House) -> None:
    async with transaction(house.pool) as conn:
        assert await store.open_case(
            conn, NewCase(house.guild, "k", "warn", "command", UserId(MEMBER), reason=" ")
        )
    for path, options in (("case view", {"number": 1}), ("history", {"user": MEMBER})):
        assert "Warning" in str((await house.run(path, options))["data"]["embeds"])


async def test_history_speaks_of_sanctions_in_the_readers_language(house: House) -> None:
    await house.run("timeout", {"member": MEMBER, "duration": "1h"})
    await house.run("case undo", {"number": 1})
    shown = str(await house.run("history", {"user": MEMBER}))
    assert "> ~~Timeout~~ ·" in shown and "Timeout lifted" in shown and "~~~~" not in shown
    german = str(await house.run("history", {"user": MEMBER}, locale="de"))
    assert "Stummschaltung aufgehoben" in german


# -- killed between any two steps


async def test_a_moderator_role_lets_its_members_act(house: House) -> None:
    role = house.world.guilds[house.guild].members[MODERATOR].roles[0]
    answer = await house.run(
        "moderation moderators",
        {"role": str(role)},
        by=ADMIN,
        types={"role": 8},
        resolved={"roles": {str(role): {"id": str(role), "name": "x", "permissions": "0", "position": 3}}},
    )
    assert f"<@&{role}>" in str(answer)
    access = await house.guild_settings.get(house.guild, "access", AccessSettings)
    settings = await house.guild_settings.get(house.guild, FEATURE, ModerationSettings)
    assert access.grants["moderator"] == {RoleId(role)}
    assert settings.moderator_roles == (role,)
    # by role alone, without Discord's permission:
    house.world.guilds[house.guild].roles[role].permissions = int(Permission.SEND_MESSAGES)
    house.service(Directory).forget(house.guild)
    answer = await house.run("warn", {"member": MEMBER, "reason": "rude"}, permissions=0)
    assert "was warned" in answer["data"]["content"]
    await house.run(
        "moderation moderators",
        {"role": str(role), "moderates": False},
        by=ADMIN,
        types={"role": 8},
        resolved={"roles": {str(role): {"id": str(role), "name": "x", "permissions": "0", "position": 3}}},
    )
    answer = await house.run("warn", {"member": MEMBER, "reason": "rude"}, permissions=0)
    assert answer["data"]["content"] == "Only moderators can do this."


async def test_settings_are_changed_shown_and_audited(house: House) -> None:
    shown = await house.run("moderation view", by=ADMIN)
    assert "Ladder" in str(shown) and "OPENAI_API_KEY" not in str(shown)
    await house.run("moderation policy", {"severity": "1", "consequence": "delete", "weight": 3}, by=ADMIN)
    await house.run("moderation ladder", {"strikes": 5, "consequence": "timeout", "duration": "2h"}, by=ADMIN)
    await house.run("moderation ladder", {"strikes": 10, "consequence": "none"}, by=ADMIN)
    await house.run("moderation thresholds", {"category": "hate", "score": 0.5}, by=ADMIN)
    await house.run("moderation options", {"timeout": "3h", "notify": False, "retention_days": 7}, by=ADMIN)
    assert "from 5 strikes: timeout, 2 hours" in str(await house.run("moderation view", by=ADMIN))
    assert "timeout, 1 day" in str(shown) and "Timeouts of policy last 1 hour" in str(shown)
    shown = await house.run("moderation ai", {"provider": True}, by=ADMIN)
    assert "no `OPENAI_API_KEY`: only rules judge" in str(shown)
    where = {"channels": {str(house.channel): {"id": str(house.channel), "type": 0, "name": "x"}}}
    for exempted in (True, True, False, True):
        shown = await house.run(
            "moderation exempt",
            {"channel": str(house.channel), "exempted": exempted},
            by=ADMIN,
            types={"channel": 7},
            resolved=where,
        )
        assert (f"<#{house.channel}>" in str(shown)) is exempted
    modal = await house.run("moderation policy-text", by=ADMIN)
    answer = await house.submit(modal, {"text": "No spoilers."}, by=ADMIN)
    assert "No spoilers." in str(answer)
    settings = await house.guild_settings.get(house.guild, FEATURE, ModerationSettings)
    assert settings.sanctions[1] is Sanction.DELETE
    assert settings.strike_weights[1] == 3
    assert [(step.strikes, step.minutes) for step in settings.ladder] == [(3, 60), (5, 120), (6, 1440)]
    assert settings.thresholds["hate"] == 0.5
    assert (settings.timeout_minutes, settings.notify_members, settings.retention_days) == (180, False, 7)
    assert settings.exempt_channels == (house.channel,)
    assert (settings.provider_enabled, settings.policy_text) == (True, "No spoilers.")
    async with transaction(house.pool) as conn:
        cursor = await conn.execute(
            "SELECT count(*), bool_or(detail LIKE '%spoilers%') FROM moderation.audit_log"
            " WHERE action = 'settings.changed'"
        )
        assert await cursor.fetchone() == (11, False)


async def test_wrong_settings_change_nothing_and_say_why(house: House) -> None:
    for path, options, said in (
        ("moderation options", {}, "Name what is to be changed"),
        ("moderation ladder", {"strikes": 5, "consequence": "timeout"}, "needs a duration"),
        (
            "moderation ladder",
            {"strikes": 5, "consequence": "kick", "duration": "5d"},
            "Only a timeout and a ban",
        ),
        ("moderation options", {"timeout": "soon"}, "no duration"),
        ("moderation options", {"timeout": "40d"}, "too long"),
    ):
        answer = await house.run(path, options, by=ADMIN)
        assert said in answer["data"]["content"]
    assert "admins" in (await house.run("moderation view", by=MODERATOR))["data"]["content"]
    assert await house.guild_settings.get(house.guild, FEATURE, ModerationSettings) == ModerationSettings()
