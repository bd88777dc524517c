"""A sandbox without a socket, and a plain HTTP client on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.instance import Sandbox
from sandbox.rest.api import RestApi
from sandbox.rest.routes import ROUTES
from sandbox.server import create_sandbox
from sandbox.settings import SandboxSettings
from sandbox.world import Channel, Guild, World, seeded_world
from tests.fixtures.sandbox import AGENT, Clock, named


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return seeded_world(clock=clock)


@pytest.fixture
async def sandbox(world: World) -> AsyncIterator[Sandbox]:
    made = create_sandbox(SandboxSettings(limits_scale=0, global_limit=0), world)
    yield made
    await made.interactions.aclose()


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(RestApi(sandbox, ROUTES))
    headers = {"User-Agent": AGENT, "Authorization": f"Bot {sandbox.world.application.token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://sandbox/api/v10", headers=headers
    ) as client:
        yield client


@pytest.fixture
def guild(world: World) -> Guild:
    return next(iter(world.guilds.values()))


@pytest.fixture
def general(world: World, guild: Guild) -> Channel:
    return named(world, guild, "general")
