"""Which worker reads which partition: leases in Redis, shared out evenly, with fencing tokens.

Each worker renews, once a second, what it holds and takes free partitions up to its share (partitions / workers).
Who holds more than its share, because another worker came, gives up what is too much after finishing it. A
dead worker's leases end after LEASE_SECONDS. One that was only frozen finds on waking that its time has passed
on its own clock, and its late claims are refused by its token being the older one (`store.claim`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from app.events.envelope import PARTITIONS, stream_name
from app.streams import names

LEASE_SECONDS = 5.0
RENEWALS = 5
"""How often a lease is renewed in its life."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A partition that is ours until `valid_until` (monotonic seconds) unless it is renewed."""

    partition: int
    token: int
    valid_until: float


class Leases:
    """The leases of one worker for one group."""

    def __init__(
        self,
        redis: Redis,
        group: str,
        worker: str,
        *,
        seconds: float = LEASE_SECONDS,
        partitions: int = PARTITIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._group = group
        self._worker = worker
        self.seconds = seconds
        self._partitions = partitions
        self._clock = clock
        self.floor = 0
        """New tokens are greater than this."""
        self._renew = redis.register_script(_script("lease.lua"))
        self._release = redis.register_script(_script("release.lua"))

    async def renew(
        self, *, leaving: Iterable[int] = (), take_part: bool = True
    ) -> tuple[int, dict[int, Lease]]:
        """Renew, take what is free up to the share; return the share and what is held. Raises RedisError.

        `leaving`: held partitions that are being given up; they are kept alive but do not count.
        """
        # The validity counts from before the call: the server may have answered long ago.
        valid_until = self._clock() + self.seconds
        reply: list[Any] = await self._renew(
            keys=[names.leases(self._group), names.workers(self._group)],
            args=[
                self._worker,
                int(self.seconds * 1000),
                self._partitions,
                "1" if take_part else "0",
                self.floor,
                *leaving,
            ],
        )
        pairs = zip(reply[1::2], reply[2::2], strict=True)
        held = {int(p): Lease(int(p), int(token), valid_until) for p, token in pairs}
        return int(reply[0]), held

    async def release(self, partitions: Iterable[int]) -> None:
        """Give up these partitions so that others can take them at once. Raises RedisError."""
        chosen = list(partitions)
        await self._release(
            keys=[names.leases(self._group), *map(stream_name, chosen)],
            args=[self._worker, self._group, *chosen],
        )


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
