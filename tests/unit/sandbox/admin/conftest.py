"""A whole sandbox in this process, its admin API and REST side, and a scripted application on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from sandbox.instance import Sandbox
from sandbox.server import create_app, create_sandbox
from sandbox.settings import SandboxSettings
from tests.fixtures.scripted_app import ScriptedApp, scripted_app

COMMANDS: list[dict[str, Any]] = [
    {"name": "ping", "type": 1, "description": "Pong", "integration_types": [0, 1], "contexts": [0, 1, 2]},
    {"name": "form", "type": 1, "description": "A form"},
    {"name": "Report", "type": 3},
]


@dataclass
class Api:
    """The admin API (`call`) and REST without a token (`rest`)."""

    sandbox: Sandbox
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """Returns the JSON of a 2xx answer; raises AssertionError with the error otherwise."""
        answer = await self.raw(method, path, **body)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    async def raw(self, method: str, path: str, **body: Any) -> httpx.Response:
        payload = {key.rstrip("_"): value for key, value in body.items()}
        return await self.http.request(method, f"/sandbox{path}", json=payload if body else None)

    async def rest(self, method: str, path: str, **body: Any) -> httpx.Response:
        headers = {"User-Agent": "DiscordBot (https://example.org, 1)"}
        return await self.http.request(method, f"/api/v10{path}", json=body or None, headers=headers)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    sandbox = create_sandbox(SandboxSettings(limits_scale=0))
    sandbox.world.overwrite_commands(None, COMMANDS)
    transport = httpx.ASGITransport(app=create_app(sandbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
        yield Api(sandbox, http)
    await sandbox.interactions.aclose()


@pytest.fixture
async def app(api: Api) -> AsyncIterator[ScriptedApp]:
    async with scripted_app(api.sandbox.world.application.public_key) as running:
        await api.call("PUT", "/application/interactions-endpoint", url=running.url)
        yield running
