"""A sandbox and a scripted application on real sockets, and headless Chromium to look at them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

from sandbox.server import create_app, create_sandbox, listen, uvicorn_server
from sandbox.settings import SandboxSettings
from tests.acceptance.page.script import COMMANDS, install
from tests.fixtures.scripted_app import ScriptedApp, scripted_app
from tests.fixtures.serving import serving

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=20_000)  # machines are shared
VIEWPORT: ViewportSize = {"width": 1360, "height": 860}
FORGET = (
    "if (!sessionStorage.getItem('begun')) { localStorage.clear(); sessionStorage.setItem('begun', '1'); }"
)
"""What another test's page has remembered; a reload within a test remembers."""


@dataclass
class Site:
    """What the tests talk to: the page's address, the admin API, the application behind it."""

    url: str
    admin: httpx.AsyncClient
    app: ScriptedApp

    async def get(self, path: str) -> Any:
        answer = await self.admin.get(path)
        assert answer.status_code < 400, answer.text
        return answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.admin.post(path, json={k.rstrip("_"): v for k, v in body.items()})
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None


@asynccontextmanager
async def running_site() -> AsyncIterator[Site]:
    """Start sandbox and application on free ports."""
    listener = listen("127.0.0.1", 0)
    settings = SandboxSettings(port=listener.getsockname()[1], limits_scale=0)
    sandbox = create_sandbox(settings)
    sandbox.world.overwrite_commands(None, COMMANDS)
    async with (
        serving(uvicorn_server(create_app(sandbox)).config, listener),
        scripted_app(sandbox.world.application.public_key) as app,
        httpx.AsyncClient(base_url=f"{settings.http_url}/sandbox", timeout=30) as admin,
    ):
        install(app, f"{settings.http_url}/api/v10")
        await sandbox.interactions.endpoint.save_interactions_url(app.url)
        yield Site(settings.http_url, admin, app)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests of a worker."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing")
        pytest.skip(f"{CHROMIUM} is missing; install chromium to run the browser tests")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_site() -> AsyncIterator[Site]:
    """One sandbox for all tests of a worker; `site` starts it over."""
    async with running_site() as site:
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """One browser profile, so that the page's files are loaded once."""
    made = await browser.new_context(viewport=VIEWPORT, locale="en-US")
    made.set_default_timeout(20_000)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(shared_site: Site) -> Site:
    """A fresh world."""
    await shared_site.post("/reset")
    shared_site.app.received.clear()
    shared_site.app.gate.clear()
    return shared_site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tab(context: BrowserContext) -> AsyncIterator[Page]:
    """One tab for all tests: a new one costs more than what most of them do in it."""
    opened = await context.new_page()
    await opened.add_init_script(FORGET)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(tab: Page, site: Site) -> AsyncIterator[Page]:
    """The chat page, opened as Maya in #general; errors of its scripts fail the test."""
    errors: list[str] = []

    def on_error(error: Any) -> None:
        errors.append(str(error))

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    tab.on("pageerror", on_error)
    tab.on("console", on_console)
    await tab.goto(site.url)
    await tab.get_by_test_id("message").first.wait_for()
    yield tab
    tab.remove_listener("pageerror", on_error)
    tab.remove_listener("console", on_console)
    # What this test set and kept ends with it; FORGET then clears the rest when the next one opens the page.
    await tab.evaluate("sessionStorage.clear()")
    await tab.goto("about:blank")
    await tab.emulate_media(color_scheme="null")
    await tab.set_viewport_size(VIEWPORT)
    assert not errors, errors
