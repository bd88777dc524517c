"""The whole system seen from the chat page: what a newcomer does in the first minutes after `make run`."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.acceptance.page.conftest import CHROMIUM

from .chromium import DISGUISED, act_as, chat_page, run_command, say
from .conftest import System

pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing"),
]


@pytest_asyncio.fixture
async def page(system: System) -> AsyncIterator[Page]:
    async with chat_page(system.page, viewport={"width": 1360, "height": 860}) as opened:
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


async def test_a_moderator_warns_and_looks_at_the_history(page: Page, system: System) -> None:
    await act_as(page, "Priya")
    await run_command(page, "warn", ("member", "diego"), ("reason", "Please keep to the topic"))
    await expect(page.get_by_test_id("message").last).to_contain_text("Diego")
    await expect(page.get_by_test_id("message").last).to_contain_text(re.compile("[Ww]arn"))
    await run_command(page, "history", ("user", "diego"))
    await expect(page.get_by_test_id("message").last).to_contain_text("Please keep to the topic")
    assert "Please keep to the topic" in system.admin("GET", "/dms/diego")[0]["content"]
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
