"""The chat page of a running system in headless Chromium, used as people use it: shared by test and screenshot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.acceptance.page.conftest import ARGUMENTS, CHROMIUM

DISGUISED = "B\u0430d\u200bw\u03bf\u200drd"
"""`badword` with a Cyrillic a, a Greek o and two invisible characters."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def chat_page(browser: Browser, url: str, **context: Any) -> AsyncIterator[Page]:
    """Open the page as Maya, the owner, in #general, with a profile of its own."""
    opened = await browser.new_context(locale="en-US", **context)
    opened.set_default_timeout(30_000)
    page = await opened.new_page()
    await page.goto(url)
    await page.get_by_test_id("message").first.wait_for()
    yield page
    await opened.close()


async def act_as(page: Page, name: str) -> None:
    """Become somebody else, at the lower left."""
    await page.get_by_test_id("persona").click()
    await page.get_by_test_id("choice-filter").fill(name)
    await page.get_by_test_id("choice-filter").press("Enter")
    await expect(page.get_by_test_id("persona")).to_contain_text(name)


async def say(page: Page, text: str) -> None:
    """Write a message."""
    await page.get_by_test_id("composer").fill(text)
    await page.keyboard.press("Enter")


async def run_command(page: Page, name: str, *values: tuple[str, str]) -> None:
    """Type a command, choose it from the list, and fill its options in by keyboard."""
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type(f"/{name}")
    chosen = page.locator("[data-testid=picker-item][aria-selected=true]")
    await expect(chosen).to_have_attribute("data-name", name)
    await page.keyboard.press("Enter")
    await page.get_by_test_id("command-form").wait_for()
    for option, value in values:
        add = page.locator(f"[data-testid=add-option][data-name={option}]")
        if await add.count():
            await add.click()
        field = page.locator(f"[data-testid=option][data-name={option}]").get_by_test_id("option-input")
        await field.fill(value)
        choice = page.get_by_test_id("option-choice").first
        if option in {"member", "user"}:
            await choice.wait_for()
            await field.press("Enter")
    await page.get_by_test_id("run-command").click()


async def enter(page: Page, guild: str, channel: str) -> None:
    """Go to a channel of a server."""
    await page.locator(f"[data-testid=rail-guild][aria-label^='{guild}']").click()
    await page.locator(f"[data-testid=channel][data-name='{channel}']").click()
    await expect(page.get_by_test_id("channel-name")).to_contain_text(channel)


def button(page: Page, text: str, label: str) -> Locator:
    """Return the button of the message that says `text`, in its embeds or itself."""
    return page.get_by_test_id("message").filter(has_text=text).get_by_role("button", name=label, exact=True)
