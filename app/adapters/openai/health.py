"""Whether the provider answers, as the workers find it: kept in Redis, so that any process can show it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

STATE, UNSCANNED = "provider:state", "provider:unscanned:"
STATE_SECONDS = 3600
"""After so long without a message to be judged, nothing is known."""
UNSCANNED_SECONDS = 2 * 86_400
NEWS_SECONDS = 30.0
"""How often one process tells what has not changed."""


@dataclass(frozen=True, slots=True)
class Health:
    """`down_since` None: it answers. `unscanned`: messages of today (UTC) that it did not judge."""

    down_since: datetime | None
    unscanned: int


class ProviderHealth:
    """Tells and reads. A Redis that is away is no error: nothing is known then."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._told: tuple[bool, float] | None = None

    async def up(self) -> None:
        """It has answered."""
        await self._tell(up=True)

    async def down(self) -> None:
        """It has not."""
        await self._tell(up=False)

    async def _tell(self, *, up: bool) -> None:
        now = self._clock()
        if self._told is not None and self._told[0] is up and now - self._told[1] < NEWS_SECONDS:
            return
        self._told = (up, now)
        try:
            if up:
                await self._redis.set(STATE, "up", ex=STATE_SECONDS)
                return
            # The time of the first failure stays, whoever sees the next ones.
            known = await self._redis.get(STATE)
            since = known if known and known != b"up" else str(int(now)).encode()
            await self._redis.set(STATE, since, ex=STATE_SECONDS)
        except (RedisError, OSError) as error:
            log.debug("state of the provider not kept", extra={"error": type(error).__name__})

    async def unscanned(self) -> None:
        """A message was not judged by it."""
        key = self._today()
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.incr(key)
                pipe.expire(key, UNSCANNED_SECONDS)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.debug("unscanned message not counted", extra={"error": type(error).__name__})

    async def read(self) -> Health | None:
        """Return how it is; None: nobody has asked it lately. Raises RedisError."""
        state, unscanned = await self._redis.mget(STATE, self._today())
        if state is None and unscanned is None:
            return None
        since = None if state is None or state == b"up" else datetime.fromtimestamp(int(state), UTC)
        return Health(since, int(unscanned or 0))

    def _today(self) -> str:
        return f"{UNSCANNED}{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%d}"
