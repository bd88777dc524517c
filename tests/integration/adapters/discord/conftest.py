"""Both limiters, on a clock that the test moves."""

from __future__ import annotations

import pytest

from tests.integration.adapters.discord.clocked import Bench, local_bench, shared_bench


@pytest.fixture
async def shared(redis) -> Bench:
    """The limiter in Redis."""
    return await shared_bench(redis)


@pytest.fixture(params=["shared", "local"])
async def bench(request, redis) -> Bench:
    """Each rule holds for the limiter in Redis and for the one in the process."""
    return await shared_bench(redis) if request.param == "shared" else local_bench()
