"""/panel on a real database: posting, voting, changing, closing, roles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from app.adapters.discord.errors import PermissionsRefused
from app.adapters.postgres.pool import Pool, open_pool
from app.adapters.postgres.query import many, value
from app.features.panels.closing import close_poll
from app.features.panels.panels import CLOSE, Panels
from app.interactions.permissions import Permission
from app.streams.store import Scheduled, take_due
from tests.fixtures.interactions import GUILD, member, press
from tests.integration.panels.stage import (
    HIGH,
    LOW,
    MANAGED,
    MEMBER,
    OTHER,
    POWERFUL,
    RecordingDiscord,
    Stage,
    admin,
    buttons,
    keys,
    poll_leaves,
    role_leaves,
    text,
)

Check = Callable[[str, Any], None]


@pytest.fixture
def discord(assert_discord_valid: Check) -> RecordingDiscord:
    return RecordingDiscord(assert_discord_valid)


@pytest.fixture
def stage(pool: Pool, discord: RecordingDiscord, assert_discord_valid: Check) -> Stage:
    return Stage(pool, discord, assert_discord_valid)


@pytest.fixture
async def replicas(
    database_url: str, discord: RecordingDiscord, assert_discord_valid: Check
) -> AsyncIterator[list[Stage]]:
    """Four replicas with a pool each."""
    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(open_pool(database_url, size=6)) for _ in range(4)]
        yield [Stage(pool, discord, assert_discord_valid) for pool in pools]


async def count(pool: Pool, table: str) -> Any:
    statements = {
        "votes": "SELECT count(*) FROM interactions.poll_votes",
        "claims": "SELECT count(*) FROM interactions.claims",
        "panels": "SELECT count(*) FROM interactions.panels",
        "scheduled": "SELECT count(*) FROM streams.schedule WHERE kind = 'panels.close'",
    }
    async with pool.connection() as conn:
        return await value(conn, statements[table])  # type: ignore[arg-type]


async def test_a_poll_is_posted_with_a_button_for_each_answer(stage: Stage) -> None:
    message = await stage.post_poll()
    assert message["flags"] == 1 << 15
    assert "## Which evening?" in text(message)
    assert list(buttons(message)) == ["Monday", "Friday", "Manage"]


async def test_each_member_has_one_vote_which_can_be_changed(stage: Stage) -> None:
    ids = buttons(await stage.post_poll())
    await stage.press(ids["Monday"])
    await stage.press(ids["Monday"], by=member(53))
    answer = await stage.press(ids["Friday"])
    assert answer["type"] == 7
    shown = text(answer["data"])
    assert "50% (1)" in shown
    assert shown.count("50% (1)") == 2
    assert "2 votes" in shown


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (("one",), "two to ten answers"),
        (tuple(str(n) for n in range(11)), "two to ten answers"),
        (("same", "SAME "), "Two answers are the same"),
        (("x" * 81, "y"), "80 characters"),
    ],
)
async def test_wrong_answers_are_told(stage: Stage, answers: tuple[str, ...], problem: str) -> None:
    opened = await stage.run("panel poll")
    refused = await stage.submit(opened["data"]["custom_id"], poll_leaves(*answers))
    assert problem in refused["data"]["content"]
    assert not stage.discord.posted


async def test_the_poll_speaks_the_language_of_the_server(stage: Stage) -> None:
    """Whoever presses: all see the same message."""
    message = await stage.post_poll(locale="ja", guild_locale="de")
    assert list(buttons(message))[-1] == "Verwalten"
    answer = await stage.press(buttons(message)["Monday"], locale="ja", guild_locale="de")
    assert "1 Stimme" in text(answer["data"])
    assert list(buttons(answer["data"]))[-1] == "Verwalten"


def service(stage: Stage) -> Panels:
    found = stage.services[Panels]
    assert isinstance(found, Panels)
    return found


async def test_members_cannot_post_panels(stage: Stage) -> None:
    opened = await stage.run("panel poll")
    by = member(51, permissions=0)
    answer = await stage.submit(opened["data"]["custom_id"], poll_leaves(), by=by)
    assert "Only admins" in answer["data"]["content"]
    assert not stage.discord.posted


async def test_a_poll_that_cannot_be_posted_leaves_nothing(stage: Stage, pool: Pool) -> None:
    stage.discord.failing = PermissionsRefused("create_message", 403, 50013, "Missing Permissions", {})
    opened = await stage.run("panel poll")
    answer = await stage.submit(opened["data"]["custom_id"], poll_leaves(lasts="day"))
    assert "E006" in answer["data"]["content"]
    assert (await count(pool, "panels"), await count(pool, "scheduled")) == (0, 0)


async def manage(stage: Stage, message: Any, **rest: Any) -> dict[str, str]:
    answer = await stage.press(buttons(message)["Manage"], **({"by": admin()} | rest))
    return buttons(answer["data"])


async def test_only_its_author_and_admins_manage_a_panel(stage: Stage) -> None:
    message = await stage.post_poll()
    refused = await stage.press(buttons(message)["Manage"])
    assert "Only whoever made this panel" in refused["data"]["content"]
    other = member(99, permissions=int(Permission.MANAGE_GUILD))
    assert list(await manage(stage, message, by=other)) == ["Edit", "Close it"]


async def test_a_changed_poll_keeps_the_votes_of_what_stayed(stage: Stage) -> None:
    message = await stage.post_poll()
    await stage.press(buttons(message)["Monday"])
    await stage.press(buttons(message)["Friday"], by=member(53))
    form = await stage.press((await manage(stage, message))["Edit"], by=admin())
    leaves = {part["component"]["custom_id"]: part["component"] for part in form["data"]["components"]}
    assert leaves["answers"]["value"] == "Monday\nFriday"
    await stage.submit(form["data"]["custom_id"], poll_leaves("Sunday", "Friday"))
    shown = stage.discord.edited[-1]
    assert list(buttons(shown)) == ["Sunday", "Friday", "Manage"]
    assert "100% (1)" in text(shown)
    assert "1 vote" in text(shown)


async def test_a_press_on_an_older_version_changes_nothing_and_shows_what_there_is(
    stage: Stage, pool: Pool
) -> None:
    old = await stage.post_poll()
    form = await stage.press((await manage(stage, old))["Edit"], by=admin())
    await stage.submit(form["data"]["custom_id"], poll_leaves("Sunday", "Friday"))
    answer = await stage.press(buttons(old)["Monday"])
    assert answer["type"] == 7
    assert list(buttons(answer["data"])) == ["Sunday", "Friday", "Manage"]
    assert await count(pool, "votes") == 0
    await stage.press(buttons(answer["data"])["Sunday"])
    assert await count(pool, "votes") == 1


async def test_of_two_changes_of_one_version_one_wins_and_the_other_sees_it(stage: Stage) -> None:
    message = await stage.post_poll()
    first = await stage.press((await manage(stage, message))["Edit"], by=admin())
    second = await stage.press((await manage(stage, message))["Edit"], by=admin())
    answers = await asyncio.gather(
        stage.submit(first["data"]["custom_id"], poll_leaves("A", "B"), message={"id": "5", "flags": 64}),
        stage.submit(second["data"]["custom_id"], poll_leaves("C", "D"), message={"id": "5", "flags": 64}),
    )
    texts = sorted(answer["data"]["content"].splitlines()[0] for answer in answers)
    assert texts == [
        "It is changed.",
        "Somebody else has changed this panel meanwhile. Here it is as it is now.",
    ]
    [loser] = [answer for answer in answers if "meanwhile" in answer["data"]["content"]]
    stands = [label for label in buttons(stage.discord.edited[-1]) if label != "Manage"]
    assert loser["data"]["content"].splitlines()[2:] == [f"- {label}" for label in stands]
    again = await stage.press(buttons(loser["data"])["Edit"], by=admin())
    assert again["type"] == 9


async def test_a_poll_is_closed_by_hand(stage: Stage, pool: Pool) -> None:
    message = await stage.post_poll(lasts="day")
    assert await count(pool, "scheduled") == 1
    answer = await stage.press((await manage(stage, message))["Close it"], by=admin())
    assert answer["data"]["content"] == "It is closed."
    assert await count(pool, "scheduled") == 0
    assert not buttons(stage.discord.edited[-1])
    late = await stage.press(buttons(message)["Monday"])
    assert "closed" in text(late["data"])
    assert await count(pool, "votes") == 0


async def test_a_poll_closes_at_its_time(stage: Stage, pool: Pool) -> None:
    message = await stage.post_poll(lasts="hour")
    await stage.press(buttons(message)["Monday"])
    stage.bot.now += timedelta(hours=1)
    late = await stage.press(buttons(message)["Friday"], by=member(53))
    assert not buttons(late["data"])
    assert await count(pool, "votes") == 1


async def test_the_worker_shows_the_result_when_the_time_has_come(stage: Stage, pool: Pool) -> None:
    await stage.post_poll(lasts="hour")
    async with pool.connection() as conn:
        await conn.execute(
            "UPDATE streams.schedule SET due_at = now() - interval '1 s', next_at = now() - interval '1 s'"
        )
        await conn.execute("UPDATE interactions.panels SET closes_at = now() - interval '1 s'")
        [job] = await take_due(conn, [CLOSE], limit=5, seconds=60)
    for _ in range(2):
        await close_poll(job, panels=service(stage))
    assert "closed" in text(stage.discord.edited[-1])
    assert not buttons(stage.discord.edited[-1])


async def test_work_for_a_panel_that_is_gone_is_done(stage: Stage) -> None:
    job = Scheduled(CLOSE, "9", stage.bot.now, {"guild": "1", "panel": "9"}, 1, 1, 0)
    await close_poll(job, panels=service(stage))


async def insist(stage: Stage, raw: dict[str, Any]) -> dict[str, Any]:
    """Send it again while the replica says that all its database connections are taken (slow machines)."""
    while True:
        answer = await stage.bot.send(raw)
        if "E010" not in (answer["data"].get("content") or ""):
            return answer


async def test_500_replays_of_one_vote_on_four_replicas_are_one_vote(replicas: list[Stage]) -> None:
    message = await replicas[0].post_poll()
    raw = press(buttons(message)["Monday"], by=member(MEMBER), key=next(keys))
    before = await count(service(replicas[0])._postgres, "claims")
    answers = await asyncio.gather(*(insist(replicas[n % 4], raw) for n in range(500)))
    pool = service(replicas[0])._postgres
    assert await count(pool, "votes") == 1
    assert await count(pool, "claims") == before + 1
    assert {text(answer["data"]) for answer in answers} == {text(answers[0]["data"])}


async def test_500_replays_of_one_role_press_are_one_role(
    replicas: list[Stage], discord: RecordingDiscord
) -> None:
    message = await replicas[0].post_roles(LOW, OTHER)
    raw = press(buttons(message)[f"role {LOW}"], by=member(MEMBER), key=next(keys))
    answers = await asyncio.gather(*(insist(replicas[n % 4], raw) for n in range(500)))
    assert discord.roles == [("give", MEMBER, LOW)]
    assert {answer["data"]["content"] for answer in answers} == {f"You have <@&{LOW}> now."}


async def test_votes_of_many_and_a_change_at_once_lose_no_vote_of_what_stays(
    replicas: list[Stage], pool: Pool
) -> None:
    """Each vote counts for the version that its member saw, or not at all."""
    stage = replicas[0]
    message = await stage.post_poll()
    form = await stage.press((await manage(stage, message))["Edit"], by=admin())
    ids = buttons(message)
    presses = [
        replicas[n % 4].press(ids[("Monday", "Friday")[n % 2]], by=member(1000 + n)) for n in range(60)
    ]
    presses.insert(30, stage.submit(form["data"]["custom_id"], poll_leaves("Sunday", "Friday")))
    await asyncio.gather(*presses)
    async with pool.connection() as conn:
        options = {
            row[0]
            for row in await (await conn.execute("SELECT option FROM interactions.poll_votes")).fetchall()
        }
    assert options <= {1}


async def test_a_role_is_given_and_given_back(stage: Stage) -> None:
    ids = buttons(await stage.post_roles(LOW, OTHER))
    given = await stage.press(ids[f"role {LOW}"])
    assert given["data"]["flags"] == 64
    back = await stage.press(ids[f"role {LOW}"], by=member(MEMBER, roles=(LOW,)))
    assert back["data"]["content"] == f"You have given back <@&{LOW}>."
    assert stage.discord.roles == [("give", MEMBER, LOW), ("take", MEMBER, LOW)]


async def test_of_an_exclusive_panel_one_has_one_role(stage: Stage) -> None:
    ids = buttons(await stage.post_roles(LOW, OTHER, many="one"))
    await stage.press(ids[f"role {LOW}"], by=member(MEMBER, roles=(OTHER,)))
    assert stage.discord.roles == [("give", MEMBER, LOW), ("take", MEMBER, OTHER)]


@pytest.mark.parametrize(
    ("role", "problem"),
    [
        (HIGH, "not below my own"),
        (POWERFUL, "rights over others"),
        (MANAGED, "integration"),
        (GUILD, "not there any more"),
    ],
)
async def test_unsafe_roles_are_refused(stage: Stage, role: int, problem: str) -> None:
    opened = await stage.run("panel roles")
    refused = await stage.submit(opened["data"]["custom_id"], *role_leaves(LOW, role))
    assert problem in refused["data"]["content"]
    assert not stage.discord.posted


async def test_admins_hand_out_only_what_is_below_themselves(stage: Stage) -> None:
    opened = await stage.run("panel roles")
    refused = await stage.submit(opened["data"]["custom_id"], *role_leaves(OTHER), by=admin(roles=(OTHER,)))
    assert "not below your own" in refused["data"]["content"]


async def test_a_role_that_became_powerful_is_not_handed_out_any_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = buttons(await stage.post_roles(LOW))
    monkeypatch.setattr("app.features.panels.member_roles.REMEMBER_SECONDS", 0.0)

    async def changed(guild: int, **_: Any) -> list[dict[str, Any]]:
        bits = int(Permission.ADMINISTRATOR)
        return [
            {"id": str(LOW), "position": 1, "permissions": str(bits)},
            {"id": "61", "position": 8, "permissions": str(int(Permission.MANAGE_ROLES))},
        ]

    monkeypatch.setattr(stage.discord, "get_guild_roles", changed)
    refused = await stage.press(ids[f"role {LOW}"])
    assert "rights over others" in refused["data"]["content"]
    assert not stage.discord.roles


async def test_a_role_press_on_a_changed_panel_shows_what_there_is(stage: Stage) -> None:
    old = await stage.post_roles(LOW, OTHER)
    form = await stage.press((await manage(stage, old))["Edit"], by=admin())
    await stage.submit(form["data"]["custom_id"], *role_leaves(OTHER))
    answer = await stage.press(buttons(old)[f"role {LOW}"])
    assert list(buttons(answer["data"])) == [f"role {OTHER}", "Manage"]
    assert not stage.discord.roles


async def test_rows_come_out_as_they_went_in(stage: Stage, pool: Pool) -> None:
    await stage.post_poll("Ä", "b")
    async with pool.connection() as conn:
        rows = await many(conn, dict, "SELECT options FROM interactions.panels")
    assert rows == [{"options": [{"id": 0, "label": "Ä"}, {"id": 1, "label": "b"}]}]
