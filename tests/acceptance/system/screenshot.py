"""Take the README's picture: `python -m tests.acceptance.system.screenshot [docs/images/sandbox.png]`.

Starts a system of its own, lets a few people talk, and takes the page when a disguised word has just gone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, expect

from .chromium import DISGUISED, chat_page, chromium, run_command
from .conftest import System, start_system, stop_system

SIZE = {"width": 1440, "height": 900}
TALK = (
    ("jonas", "I finished it on the train. That last chapter!"),
    ("aiko", "No spoilers please, I am on page 212 😅"),
    ("maya", "Tea is ready, and the window seat is free."),
    ("priya", "I put the questions for Thursday into #book-of-the-month."),
    ("diego", "Is chapter ten homework, or for the brave?"),
    ("sam.okafor", "Thursday at eight then? I bring the lemon cake."),
    ("maya", "Thursday it is. @aiko you have **two days** for the rest."),
)


async def scene(page: Page, system: System) -> None:
    """Maya looks on while people talk, and Lena tries a disguised word; then she asks for Lena's history."""
    for dismiss in reversed(await page.get_by_test_id("dismiss").all()):
        await dismiss.click()  # the answers from setting the rules up
    for who, content in TALK:
        post(system, who, content)
    await run_command(page, "ping")
    await expect(page.get_by_test_id("message").last).to_contain_text("Maya used /ping")
    post(system, "lena", f"only a {DISGUISED} reads that slowly")
    await expect(page.get_by_test_id("moderation-trace").last).to_contain_text("timed out Lena")
    await page.get_by_test_id("tab-rest").click()
    entry = page.get_by_test_id("entry").filter(has_text="DELETE").first
    await entry.locator("summary").click()
    await run_command(page, "history", ("user", "lena"))
    await expect(page.get_by_test_id("message").last).to_contain_text("Maya used /history")
    await page.mouse.move(700, 880)


def post(system: System, who: str, content: str) -> None:
    system.admin("POST", "/messages", **{"as": who, "channel": "general", "content": content})


async def take(target: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        system = start_system(Path(folder))
        try:
            async with (
                chromium() as browser,
                chat_page(browser, system.page, viewport=SIZE, color_scheme="dark") as page,
            ):
                await scene(page, system)
                await page.wait_for_timeout(500)  # the last transition
                await page.screenshot(path=target)
        finally:
            stop_system(system)


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/sandbox.png")))
