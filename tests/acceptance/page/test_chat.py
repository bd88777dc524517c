"""Chatting: messages as text, markdown, mentions, edits, deletions, timeouts, unread marks, people."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.acceptance.page.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_message_is_sent_and_shown_to_everybody(page: Page, site: Site) -> None:
    await page.get_by_test_id("composer").fill("Hello @lena, see #book-of-the-month")
    await page.keyboard.press("Enter")
    message = page.get_by_test_id("message").last
    await expect(message).to_contain_text("Hello @Lena, see #book-of-the-month")
    stored = (await site.get("/channels/general/messages?limit=1"))[0]
    assert [who["username"] for who in stored["mentions"]] == ["lena"]
    await site.post("/messages", as_="jonas", channel="general", content="Welcome back")
    await expect(page.get_by_test_id("message").last).to_contain_text("Welcome back")


async def test_message_text_is_never_html(page: Page, site: Site) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> [a](javascript:alert(1))"
    await site.post(
        "/messages",
        as_="sam.okafor",
        channel="general",
        content=evil,
        embeds=[{"title": "<b>x</b>", "description": evil, "fields": [{"name": evil[:80], "value": "v"}]}],
    )
    message = page.get_by_test_id("message").last
    await expect(message).to_contain_text("<script>document.title='owned'</script>")
    assert (
        await message.locator("img, script, iframe, .text b, .embed-title b, a[href^='javascript']").count()
        == 0
    )
    assert await page.title() == "Gatehouse sandbox"


async def test_markdown_stamps_and_spoilers(page: Page, site: Site) -> None:
    text = (
        "**bold** *it* __under__ ~~gone~~ `code` <t:1:R>\n> quoted\n- item\n```py\nx = 1\n```\n||the butler||"
    )
    await site.post("/messages", as_="aiko", channel="general", content=text)
    message = page.get_by_test_id("message").last
    for selector, content in (
        ("strong", "bold"),
        ("em", "it"),
        ("u", "under"),
        ("s", "gone"),
        ("p code", "code"),
        ("blockquote", "quoted"),
        ("li", "item"),
        ("pre", "x = 1"),
        (".stamp", "years ago"),
    ):
        await expect(message.locator(selector).last).to_contain_text(content)
    spoiler = message.locator(".spoiler")
    await expect(spoiler).to_have_attribute("aria-expanded", "false")
    await spoiler.press("Enter")
    await expect(spoiler).to_have_attribute("aria-expanded", "true")


async def test_moderation_leaves_a_brief_trace_and_a_clock(page: Page, site: Site) -> None:
    posted = await site.post("/messages", as_="diego", channel="general", content="free gifts")
    await expect(page.get_by_test_id("message").last).to_contain_text("free gifts")
    secrets = await site.get("/credentials")
    headers = {"Authorization": f"Bot {secrets['DISCORD_TOKEN']}", "X-Audit-Log-Reason": "Scam%20link"}
    base = secrets["DISCORD_API_BASE"]
    async with httpx.AsyncClient(headers=headers) as bot:
        gone = await bot.delete(f"{base}/channels/{posted['channel_id']}/messages/{posted['id']}")
        assert gone.status_code == 204
    await expect(page.get_by_test_id("removed-trace")).to_contain_text("A message by Diego was removed")
    await expect(page.get_by_test_id("removed-trace")).to_contain_text("Gatehouse) · Scam link")
    await expect(page.get_by_text("free gifts")).to_have_count(0)
    answer = await site.admin.put(
        "/guilds/The Reading Room/members/diego/timeout",
        json={"as": "priya", "seconds": 600, "reason": "Scam"},
    )
    assert answer.status_code == 200
    row = page.locator("[data-testid=member][data-username=diego]")
    await expect(row.get_by_test_id("member-timeout")).to_contain_text("9:")
    await expect(page.get_by_test_id("moderation-trace")).to_contain_text("Priya timed out Diego until")
    await _act_as(page, "Diego")
    await expect(page.get_by_test_id("timeout-clock")).to_contain_text("You are timed out for 9:")
    await page.get_by_test_id("tab-audit").click()
    await expect(page.get_by_test_id("entry").first).to_contain_text("Priya timed out Diego")


async def _act_as(page: Page, name: str) -> None:
    await page.get_by_test_id("persona").click()
    await page.get_by_test_id("choice-filter").fill(name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("persona")).to_contain_text(name)


async def test_own_messages_can_be_edited_and_deleted_without_a_trace(page: Page, site: Site) -> None:
    await page.get_by_test_id("composer").fill("A tyop")
    await page.keyboard.press("Enter")
    message = page.get_by_test_id("message").last
    await expect(message).to_contain_text("A tyop")
    await message.hover()
    await message.get_by_test_id("edit").click()
    await page.get_by_test_id("composer").fill("A typo")
    await page.keyboard.press("Enter")
    await expect(message).to_contain_text("A typo")
    await expect(message).to_contain_text("(edited)")
    await message.hover()
    await message.get_by_test_id("delete").click()
    await expect(page.get_by_text("A typo")).to_have_count(0)
    await expect(page.get_by_test_id("removed-trace")).to_have_count(0)


async def test_other_channels_show_what_is_unread(page: Page, site: Site) -> None:
    maya = (await site.get("/view?as=maya"))["me"]["id"]
    channel = page.locator("[data-testid=channel][data-name=recommendations]")
    await site.post("/messages", as_="jonas", channel="recommendations", content="Read this")
    await expect(channel).to_have_class("channel unread ")
    await site.post("/messages", as_="jonas", channel="recommendations", content=f"<@{maya}> really")
    await expect(channel.locator(".pill")).to_have_text("1")
    await channel.click()
    await expect(page.get_by_test_id("channel-name")).to_have_text("recommendations")
    await expect(page.get_by_test_id("message").last).to_contain_text("@Maya really")
    await expect(page.get_by_text("New", exact=True)).to_be_visible()
    await expect(channel.locator(".pill")).to_have_count(0)


async def test_direct_messages_belong_to_each_person(page: Page, site: Site) -> None:
    await page.get_by_test_id("rail-dms").click()
    await page.get_by_test_id("open-dm").click()
    await expect(page.get_by_test_id("channel-name")).to_have_text("Gatehouse")
    await page.get_by_test_id("composer").fill("Between us")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("message").last).to_contain_text("Between us")
    assert [m["content"] for m in await site.get("/dms/maya")] == ["Between us"]
    assert await site.get("/dms/lena") == []


async def test_a_profile_card_moderates(page: Page, site: Site) -> None:
    await page.locator("[data-testid=member][data-username=lena]").click()
    card = page.get_by_test_id("profile")
    await expect(card).to_contain_text("@lena")
    await card.get_by_text("Kick").click()
    await expect(page.locator("[data-testid=member][data-username=lena]")).to_have_count(0)
    assert (await site.get("/guilds/The Reading Room/audit-log"))[0]["action_type"] == 20


async def test_somebody_without_a_server_joins_one(page: Page, site: Site) -> None:
    await _act_as(page, "Robin")
    await expect(page.get_by_test_id("rail-guild")).to_have_count(0)
    await expect(page.get_by_test_id("composer")).to_be_disabled()
    await site.post("/guilds/Kitchen Table/members", user="robin")
    await page.get_by_test_id("rail-guild").click()
    await expect(page.get_by_test_id("channel-name")).to_have_text("general")
    await page.locator("[data-testid=channel][data-name=arrivals]").click()
    await expect(page.get_by_test_id("message").last).to_contain_text("Robin")
    await site.admin.delete("/guilds/Kitchen Table/members/robin")
    await expect(page.get_by_test_id("rail-guild")).to_have_count(0)
