"""Fixtures for all tests: real PostgreSQL, real Redis, Discord's schema, polling."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.discord",
    "tests.fixtures.sent_payloads",
    "tests.fixtures.gateway",
    "tests.fixtures.ingester",
    "tests.fixtures.streams",
    "tests.fixtures.sandbox",
    "tests.fixtures.openai",
    "tests.fixtures.web",
    "tests.fixtures.moderation",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it at the end.

    Tests of a module that share one running system stay on one worker (`--dist loadgroup`).
    """
    for item in items:
        if "system" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))

    def weight(item: pytest.Item) -> int:
        if item.get_closest_marker("xdist_group"):
            return 0
        return 1 if item.get_closest_marker("process") else 2 if item.get_closest_marker("browser") else 3

    items.sort(key=weight)


@pytest.fixture
def wait_until() -> Callable[..., Awaitable[Any]]:
    """Poll until `predicate()` (plain or async) is truthy and return its value; fail after `seconds`."""

    async def wait(predicate: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
        deadline = time.monotonic() + seconds
        while True:
            found = predicate()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds} s in vain for {what or predicate}")
            await asyncio.sleep(0.02)

    return wait
