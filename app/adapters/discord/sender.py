"""One call to Discord: wait for a slot, send, learn from the answer, repeat where that is safe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from redis.asyncio import Redis

from app.adapters.discord.caller import File
from app.adapters.discord.priority import Priority
from app.adapters.discord.routes import Target
from app.settings import Settings


class Sender:
    """Sends calls over one shared HTTP client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(
        self,
        target: Target,
        *,
        json: Any,
        query: Mapping[str, Any] | None,
        files: Sequence[File],
        reason: str | None,
        priority: Priority,
        deadline: float | None,
        idempotent: bool,
    ) -> Any:
        raise NotImplementedError(target.route.name)


@asynccontextmanager
async def open_sender(settings: Settings, redis: Redis) -> AsyncIterator[Sender]:
    """Yield a sender; its connections close at the end."""
    async with httpx.AsyncClient(base_url=settings.discord_api_base) as client:
        yield Sender(client)
