"""One way to open Redis: bytes in and out, a pool that waits, no silent retries of commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

COMMAND_SECONDS = 2.0
"""A command that takes longer counts as failed: callers fall back (limits fail open)."""

CONNECT_SECONDS = 2.0


@asynccontextmanager
async def open_redis(
    url: str, *, connections: int = 20, blocking_seconds: float | None = None
) -> AsyncIterator[Redis]:
    """Yield a client on a pool of at most `connections`; a caller waits for a free one instead of failing.

    `blocking_seconds`: the longest BLOCK that readers on this client use; its socket timeout lies above.
    Commands are not retried silently (an XADD could run twice), so callers see ConnectionError at once.
    """
    timeout = COMMAND_SECONDS if blocking_seconds is None else blocking_seconds + COMMAND_SECONDS
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=COMMAND_SECONDS,
        socket_timeout=timeout,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=30,
        client_name="gatehouse",
    )
    client = Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()
