"""Keyboard, light and dark, narrow screens, the documentation, and starting over."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.acceptance.page.conftest import Site
from tests.acceptance.page.test_interactions import last, run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CONTRAST = """() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = (node) => { for (let one = node; one; one = one.parentElement) { const c = parse(getComputedStyle(one).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const node of document.querySelectorAll("#app *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(".sr-only, .avatar, [disabled], .gutter, .spoiler, .rail-button")) continue;
    const color = getComputedStyle(node).color;
    if (!color.startsWith("rgb")) continue;
    const [a, b] = [light(parse(color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) poor.push(`${node.className || node.tagName}: ${node.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


async def test_everything_works_from_the_keyboard(page: Page, site: Site) -> None:
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # the skip link
    await expect(page.get_by_test_id("composer")).to_be_focused()
    await run(page, "panel buttons")
    await expect(last(page)).to_contain_text("Choose your button")
    await expect(page.get_by_test_id("composer")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(last(page)).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(last(page).get_by_role("button", name="Count")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(last(page)).to_contain_text("Only for whoever pressed")
    await page.get_by_test_id("composer").focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    menu = page.get_by_test_id("menu")
    await expect(menu.get_by_role("menuitem").first).to_be_focused()
    await page.keyboard.press("End")
    await expect(menu.get_by_role("menuitem").last).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("composer")).to_be_focused()
    await page.keyboard.press("Alt+ArrowDown")
    await expect(page.get_by_test_id("channel-name")).to_have_text("book-of-the-month")
    await page.get_by_test_id("rail-guild").first.focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_test_id("rail-guild").nth(1)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Pixel Harbour")


async def test_light_and_dark_are_legible_and_remembered(page: Page, site: Site) -> None:
    await run(page, "secret")
    await run(page, "panel menus")
    await expect(last(page)).to_contain_text("Choose from the menus")
    assert await page.evaluate(CONTRAST) == []
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.get_by_test_id("theme").click()
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    assert await page.evaluate(CONTRAST) == []
    await page.reload()
    await last(page).wait_for()
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


async def test_the_page_follows_the_systems_colours(page: Page, site: Site) -> None:
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != light


async def test_a_narrow_screen_folds_the_columns(page: Page, site: Site) -> None:
    await page.get_by_test_id("toggle-members").click()
    await page.set_viewport_size({"width": 390, "height": 760})
    channel = page.locator("[data-testid=channel][data-name=recommendations]")
    await expect(channel).to_be_hidden()
    await page.get_by_test_id("open-sidebar").click()
    await channel.click()
    await expect(page.get_by_test_id("channel-name")).to_have_text("recommendations")
    await expect(channel).to_be_hidden()
    await run(page, "ping")
    await expect(last(page)).to_contain_text("Pong!")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_test_id("toggle-inspector").click()
    await expect(page.get_by_test_id("entry").first).to_contain_text("/ping")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("entry").first).to_be_hidden()


async def test_trouble_is_switched_on_and_the_world_starts_over(page: Page, site: Site) -> None:
    await page.get_by_test_id("tab-trouble").click()
    await page.get_by_test_id("trouble-lost_answer_percent").fill("100")
    await page.keyboard.press("Tab")
    await run(page, "ping")
    await expect(page.get_by_test_id("failed-command")).to_contain_text("The application did not respond")
    await page.get_by_test_id("trouble-add").click()
    await expect(page.get_by_test_id("active-trouble")).to_contain_text("rest rate limit")
    await page.get_by_test_id("reset-world").click()
    await expect(page.get_by_test_id("active-trouble")).to_have_count(0)
    await expect(page.get_by_test_id("failed-command")).to_have_count(0)
    await run(page, "ping")
    await expect(last(page)).to_contain_text("Pong!")


async def test_the_page_comes_back_when_the_stream_breaks(page: Page, site: Site) -> None:
    sockets: list[WebSocketRoute] = []
    open_again = asyncio.Event()

    async def through(socket: WebSocketRoute) -> None:
        if sockets:
            await open_again.wait()
        sockets.append(socket)
        socket.connect_to_server()

    await page.route_web_socket("**/sandbox/stream", through)
    await page.reload()
    await last(page).wait_for()
    await sockets[0].close()
    await expect(page.locator("#banner")).to_contain_text("The connection to the sandbox is lost")
    await site.post("/messages", as_="aiko", channel="general", content="Still here?")
    open_again.set()
    await expect(last(page)).to_contain_text("Still here?")
    await expect(page.locator("#banner")).to_be_hidden()


async def test_the_api_documentation_works_without_a_network(page: Page, site: Site) -> None:
    outside: list[str] = []
    page.on("request", lambda r: outside.append(r.url) if not r.url.startswith(site.url) else None)
    await page.goto(f"{site.url}/sandbox/docs")
    await page.get_by_label("Find").fill("post a message")
    await page.get_by_text("/sandbox/messages", exact=True).first.click()
    body = page.get_by_label("Request body")
    await body.fill('{"as": "maya", "channel": "general", "content": "From the documentation"}')
    await page.get_by_role("button", name="Try it").click()
    await expect(page.locator(".try pre")).to_contain_text("201")
    assert (await site.get("/channels/general/messages?limit=1"))[0]["content"] == "From the documentation"
    assert outside == []
