"""Fixtures for all tests: real PostgreSQL, real Redis, Discord's schema, polling."""

from __future__ import annotations

import asyncio
import gc
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
    "tests.scheduling",
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


def pytest_collection_finish() -> None:
    """Keep the collector from looking through 3,900 tests again and again: a twelfth of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


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
