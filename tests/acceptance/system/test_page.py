"""The whole system seen from the chat page: what a newcomer does in the first minutes after `make run`, and what
moderation does by itself and with people. Stages 2 and 3 ask a real HTTP server through the openai package.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.acceptance.page.conftest import CHROMIUM
from tests.fixtures.openai import Provider

from .chromium import DISGUISED, act_as, button, chat_page, chromium, enter, run_command, say
from .conftest import System
from .room import Room

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.process,
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing"),
]

KITCHEN, HARBOUR = "Kitchen Table", "Pixel Harbour"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, system: System) -> AsyncIterator[Page]:
    async with chat_page(browser, system.page, viewport={"width": 1360, "height": 860}) as opened:
        yield opened


async def test_ping_is_answered(page: Page) -> None:
    await run_command(page, "ping")
    answer = page.get_by_test_id("message").last
    await expect(answer).to_contain_text("Maya used /ping")
    await expect(answer).to_contain_text(re.compile(r"\d+\s*ms"))
    await expect(page.get_by_test_id("failed-command")).to_have_count(0)


async def test_a_disguised_word_disappears_and_its_author_is_timed_out(page: Page, system: System) -> None:
    await act_as(page, "Lena")
    await say(page, f"you are a {DISGUISED}")
    await expect(page.get_by_test_id("removed-trace").last).to_contain_text("A message by Lena was removed")
    await expect(page.get_by_text(DISGUISED)).to_have_count(0)
    await expect(page.get_by_test_id("timeout-clock")).to_contain_text("You are timed out for")
    row = page.locator("[data-testid=member][data-username=lena]")
    await expect(row.get_by_test_id("member-timeout")).to_be_visible()
    lena = await row.get_attribute("data-user-id")
    with system.database() as conn:
        rows = conn.execute(
            """SELECT action, actor_id, detail::jsonb->>'category', detail::jsonb->>'case'
               FROM moderation.audit_log WHERE target = %s""",
            (f"user:{lena}",),
        ).fetchall()
    assert [(action, actor, category) for action, actor, category, _ in rows] == [
        ("automod.timeout", None, "words")
    ]
    # She is told, and can appeal.
    told = system.admin("GET", "/dms/lena")[0]
    assert "You were timed out in" in told["content"]
    assert f"Case {rows[0][3]}" in told["content"]


async def test_an_invitation_is_removed_and_others_are_not(page: Page) -> None:
    await act_as(page, "Sam")
    await say(page, "See https://example.org/discord.gg for the slides")
    await expect(page.get_by_test_id("message").last).to_contain_text("for the slides")
    await say(page, "Join us at discord.gg/pixelharbour !")
    await expect(page.get_by_test_id("removed-trace").last).to_contain_text("A message by Sam was removed")
    await expect(page.get_by_text("Join us at")).to_have_count(0)
    await expect(page.get_by_test_id("message").last).to_contain_text("for the slides")
    await expect(page.get_by_test_id("timeout-clock")).to_have_count(0)


async def test_a_moderator_warns_and_looks_at_the_history(
    page: Page, system: System, wait_until: Callable[..., Awaitable[Any]]
) -> None:
    await act_as(page, "Priya")
    await run_command(page, "warn", ("member", "diego"), ("reason", "Please keep to the topic"))
    await expect(page.get_by_test_id("message").last).to_contain_text("Diego")
    await expect(page.get_by_test_id("message").last).to_contain_text(re.compile("[Ww]arn"))
    await run_command(page, "history", ("user", "diego"))
    await expect(page.get_by_test_id("message").last).to_contain_text("Please keep to the topic")
    dms = await wait_until(lambda: system.admin("GET", "/dms/diego"), what="the member to be told")
    assert "Please keep to the topic" in dms[0]["content"]
    # Somebody without permission is refused, in words.
    await act_as(page, "Jonas")
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type("/warn")
    await expect(page.locator("[data-testid=picker-item][data-name=warn]")).to_have_count(0)


LISTED = """rows => rows.map(row => [
    row.dataset.name, row.querySelector(".name").firstChild.textContent, row.querySelector(".about").textContent,
    row.querySelector(".options-hint").textContent])"""
"""What the picker shows of each command: its name for the API, and its name, description and options for people."""


def invocable(node: dict[str, Any], locale: str, *above: tuple[str, str]) -> Iterator[list[str]]:
    """Every command below a node of the manifest, as the picker has to show it in that language."""

    def named(one: dict[str, Any]) -> str:
        return str(one["name_localizations"].get(locale, one["name"]))

    path = (*above, (node["name"], named(node)))
    options = node.get("options", [])
    inner = [option for option in options if option["type"] in {1, 2}]
    for option in inner:
        yield from invocable(option, locale, *path)
    if not inner:
        hint = " ".join(named(one) if one["required"] else f"[{named(one)}]" for one in options)
        names, shown = (" ".join(part) for part in zip(*path, strict=True))
        description = node["description_localizations"].get(locale, node["description"])
        yield [names, f"/{shown}", description, hint]


@pytest.mark.parametrize(("language", "locale"), [("English (US)", "en-US"), ("Deutsch", "de")])
async def test_every_command_stands_in_the_picker_and_the_menus_in_the_persons_language(
    page: Page, system: System, language: str, locale: str
) -> None:
    manifest = json.loads(system.gatehouse("commands", "manifest").stdout)["commands"]
    await page.get_by_test_id("locale").click()
    await page.get_by_test_id("choice-filter").fill(language)
    await page.get_by_test_id("choice-filter").press("Enter")
    await expect(page.get_by_test_id("locale")).to_have_text(locale)
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type("/")
    await page.get_by_test_id("picker-item").first.wait_for()
    listed = await page.get_by_test_id("picker-item").evaluate_all(LISTED)
    expected = [found for one in manifest if one["type"] == 1 for found in invocable(one, locale)]
    assert sorted(listed) == sorted(expected)
    assert len(expected) > 50
    # The choices of an option, in the form of a command.
    group = next(one for one in manifest if one["name"] == "rule")
    words = next(one for one in group["options"] if one["name"] == "words")
    choices = next(one for one in words["options"] if one["name"] == "consequence")["choices"]
    await page.keyboard.type(next(shown for name, shown, *_ in expected if name == "rule words")[1:])
    await page.keyboard.press("Enter")
    await page.locator("[data-testid=option][data-name=consequence]").get_by_test_id("option-input").click()
    labels = [one["name_localizations"].get(locale, one["name"]) for one in choices]
    await expect(page.get_by_test_id("option-choice")).to_have_text(labels)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    # The commands that stand in menus.
    user, message = (
        next(one for one in manifest if one["type"] == kind)["name_localizations"][locale] for kind in (2, 3)
    )
    await page.get_by_test_id("message").first.click(button="right")
    await expect(page.get_by_test_id("menu").get_by_role("menuitem", name=message)).to_be_visible()
    await page.keyboard.press("Escape")
    await page.locator("[data-testid=member][data-username=diego]").click()
    await expect(page.get_by_test_id("profile").get_by_text(user, exact=True)).to_be_visible()


@pytest.fixture(scope="module")
def kitchen(system: System, provider: Provider) -> Room:
    """Priya's server: Lena is its admin, Sam moderates, the others are members."""

    def scores(text: str) -> dict[str, float]:
        found = {"abhorrent": {"hate": 0.93}, "borderline": {"harassment": 0.55}, "riddle": {"hate": 0.4}}
        return next((scored for word, scored in found.items() if word in text), {})

    def verdict(prompt: str) -> Any:
        flagged = prompt.split('"flagged_message"')[1]
        if "riddle" in flagged:
            return '{"severity": 9, "category": "hate", "reason": "ban them all"}'
        return {"severity": 3, "category": "harassment", "reason": "an insult"}

    provider.scores, provider.verdict = scores, verdict
    room = Room(system, KITCHEN, queue="moderators", log="mod-log")
    room.run("moderation ai", "priya", provider=True, agent=True)
    return room


async def test_what_no_rule_catches_is_judged_by_the_provider(
    page: Page, kitchen: Room, provider: Provider
) -> None:
    await act_as(page, "Priya")
    await enter(page, KITCHEN, "general")
    kitchen.post("jonas", "an abhorrent thing to say")
    await expect(page.get_by_test_id("removed-trace").last).to_contain_text("A message by Jonas was removed")
    kitchen.post("tomas", "a borderline thing to say")
    await expect(page.get_by_test_id("moderation-trace").last).to_contain_text("timed out Tomás")
    await expect(page.get_by_text("a borderline thing to say")).to_have_count(0)
    riddle = kitchen.post("aiko", "a riddle of a message")
    await enter(page, KITCHEN, "mod-log")
    for reason in ("hate 0.93", "harassment (agent)"):
        await expect(page.get_by_test_id("message").filter(has_text=reason)).to_have_count(1)
    # An answer that is not of the schema is no verdict: people decide, by button, and take it back.
    await enter(page, KITCHEN, "moderators")
    item = page.get_by_test_id("message").filter(has_text="a riddle of a message")
    await expect(item).to_contain_text("unsure: the answer is not of the schema")
    assert kitchen.stands(riddle)
    assert not kitchen.dms("aiko")
    await button(page, "a riddle of a message", "Timeout").click()
    await expect(item).to_contain_text("Timeout by")
    kitchen.wait(partial(kitchen.removed, riddle))
    await button(page, "a riddle of a message", "Undo").click()
    await expect(item).to_contain_text("Undone")
    kitchen.wait(lambda: "was lifted" in str(kitchen.dms("aiko")[-1]["content"]))
    assert len(kitchen.reviews("a riddle of a message")) == 1
    # Reasons are told, and the provider was asked about each message as the stages say.
    assert "Reason: harassment (agent)" in kitchen.dms("tomas")[-1]["content"]
    asked = [one["path"] for one in provider.asked if "thing to say" in str(one) or "riddle" in str(one)]
    assert (asked.count("moderations"), asked.count("chat")) == (3, 2)
    await run_command(page, "history", ("user", "tomas"))
    await expect(page.get_by_test_id("message").last).to_contain_text("harassment (agent)")


async def test_an_appeal_is_made_in_the_direct_message_and_decided_by_somebody_else(
    page: Page, kitchen: Room
) -> None:
    kitchen.run("warn", "priya", member=kitchen.people["jonas"], reason="Too much salt")
    kitchen.wait(lambda: "Too much salt" in str(kitchen.dms("jonas")))
    await act_as(page, "Jonas")
    await page.get_by_test_id("rail-dms").click()
    await page.get_by_test_id("channel").filter(has_text="Gatehouse").first.click()
    await button(page, "Too much salt", "Appeal").click()
    await page.get_by_test_id("modal-input").first.fill("It was a pinch")
    await page.get_by_test_id("modal-submit").click()
    await expect(page.get_by_text("Your appeal is with the moderators.").last).to_be_visible()
    await act_as(page, "Priya")
    await enter(page, KITCHEN, "moderators")
    await button(page, "It was a pinch", "Overturn").click()
    await expect(page.get_by_text("Somebody else has to look at the appeal").last).to_be_visible()
    await act_as(page, "Lena")
    await enter(page, KITCHEN, "moderators")
    await button(page, "It was a pinch", "Overturn").click()
    await expect(page.get_by_test_id("message").filter(has_text="It was a pinch")).to_contain_text(
        "Overturned"
    )
    kitchen.wait(lambda: "Your appeal was successful" in str(kitchen.dms("jonas")))


async def test_listed_domains_and_floods_are_removed(page: Page, kitchen: Room) -> None:
    listed = "# scams\n" + "\n".join(f"0.0.0.0 scam-{number}.example" for number in range(2000))
    done = kitchen.run(
        "rule domains import", "priya", name="scams", file={"filename": "s.txt", "text": listed}
    )
    kitchen.wait(lambda: "2,000 domains" in kitchen.now(done))
    kitchen.run("rule links", "priya", name="scams", lists="scams", consequence="delete")
    kitchen.run("rule flood", "priya", name="flood", most=6, seconds=60, consequence="timeout")
    await act_as(page, "Maya")
    await enter(page, KITCHEN, "general")
    harmless = kitchen.post("maya", "see https://scam-7.example.org/recipes")
    for hidden in ("https://LOGIN.scam-7.example/recipes", "https://scam-7\uff0eexample"):
        caught = kitchen.post("maya", f"see {hidden}")
        kitchen.wait(partial(kitchen.removed, caught))
        await expect(page.get_by_text(hidden)).to_have_count(0)
    await expect(page.get_by_test_id("removed-trace").last).to_contain_text("by Maya")
    assert kitchen.stands(harmless)
    kitchen.system.admin("POST", f"/guilds/{kitchen.guild['id']}/members", user="finn")
    posted = [kitchen.post("finn", f"look {number}") for number in range(8)]
    trace = page.get_by_test_id("moderation-trace").last
    await expect(trace).to_contain_text(re.compile("timed out finn", re.IGNORECASE))
    # Messages are judged side by side: what is judged last belongs to the burst, whichever it is.
    kitchen.wait(lambda: 1 <= sum(map(kitchen.stands, posted)) <= 6)


async def test_a_raid_of_200_is_banned_and_the_alarm_goes_down_by_itself(page: Page, system: System) -> None:
    harbour = Room(system, HARBOUR, queue="moderators", log="mod-log")
    harbour.run("raid settings", "maya", enabled=True, joins=15, seconds=60, action="ban")
    await act_as(page, "Maya")
    await enter(page, HARBOUR, "mod-log")
    burst = {"count": 200, "per_second": 1000, "prefix": "raider"}
    joined = system.admin("POST", f"/guilds/{harbour.guild['id']}/join-burst", **burst)["user_ids"]
    harbour.wait(lambda: {ban["user"]["id"] for ban in harbour.bans()} == set(joined), seconds=120)
    await expect(page.get_by_test_id("message").last).to_contain_text("Raid alarm: lockdown")
    for message in harbour.messages(harbour.channels["mod-log"]):
        for embed in message["embeds"]:  # one for each wave: as many as an embed holds, and none cut
            assert re.fullmatch(r"Raid: [^\n]*\n<@\d+>( <@\d+>)*( …)?", embed["description"])
    await run_command(page, "raid status")
    status = page.get_by_test_id("message").last
    for shown in ("lockdown", "People in the wave", "200"):
        await expect(status).to_contain_text(shown)
    harbour.wait(lambda: invites_paused(system, harbour))
    with system.database() as conn:
        cases = (
            "SELECT count(*) FROM moderation.cases WHERE guild_id = %s AND origin = 'raid' AND state = 'done'"
        )
        harbour.wait(partial(found, conn, cases, harbour.guild["id"], 200))
        level = "SELECT level FROM moderation.raids WHERE guild_id = %s"
        for lower in (2, 1, 0):
            # The calm minutes pass.
            conn.execute("UPDATE moderation.raids SET calm_at = now()")
            conn.execute("UPDATE streams.schedule SET next_at = now() WHERE kind = 'moderation.raid_calm'")
            conn.execute("NOTIFY streams_schedule")
            harbour.wait(partial(found, conn, level, harbour.guild["id"], lower))
    harbour.wait(lambda: not invites_paused(system, harbour))
    await run_command(page, "raid status")
    await expect(page.get_by_test_id("message").last).to_contain_text(re.compile("calm"))


def found(conn: psycopg.Connection, query: LiteralString, guild: str, wanted: int) -> bool:
    return conn.execute(query, (guild,)).fetchone() == (wanted,)


def invites_paused(system: System, room: Room) -> bool:
    """Ask Discord, as any bot may."""
    base, token = system.environment["DISCORD_API_BASE"], system.environment["DISCORD_TOKEN"]
    answer = system.http.get(f"{base}/guilds/{room.guild['id']}", headers={"Authorization": f"Bot {token}"})
    return bool((answer.json().get("incidents_data") or {}).get("invites_disabled_until"))
