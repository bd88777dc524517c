"""What makes a web process ready, and what /health tells about it.

Redis does not decide: without it interactions are answered all the same, and a proxy that found no ready replica
would answer 5xx in our place, for which Discord removes the endpoint (contract 1.2).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sized
from typing import Any

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import value
from app.adapters.redis.shared_connection import SharedConnection
from app.observability.health import Check


class Draining:
    """Whether the process is stopping, and until when its work must be done."""

    def __init__(self) -> None:
        self._deadline: float | None = None

    @property
    def active(self) -> bool:
        """Tell whether it is stopping."""
        return self._deadline is not None

    def begin(self, seconds: float) -> None:
        """The process has so many seconds left; the first call counts."""
        if self._deadline is None:
            self._deadline = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Return the rest, at least 0."""
        return 0.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())


def checks(postgres: Pool, draining: Draining) -> dict[str, Check]:
    """Return the checks that decide about /ready."""

    async def check_postgres() -> Mapping[str, Any]:
        async with transaction(postgres) as conn:
            return {"ok": await value(conn, "SELECT 1") == 1}

    async def check_draining() -> Mapping[str, Any]:
        return {"ok": not draining.active}

    return {"postgres": check_postgres, "serving": check_draining}


def details(shared: SharedConnection, flights: Sized) -> dict[str, Check]:
    """Return what /health tells beside the checks."""

    async def of_redis() -> Mapping[str, Any]:
        return {"ok": shared.connected, "admission": "shared" if shared.connected else "this process alone"}

    async def of_interactions() -> Mapping[str, Any]:
        return {"under_way": len(flights)}

    return {"redis": of_redis, "interactions": of_interactions}
