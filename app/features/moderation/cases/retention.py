"""What is kept for a while only: texts of decisions, evidence of reviews, texts of appeals,
messages that a guild keeps. Forgotten daily.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.appeals import store as appeals
from app.features.moderation.decisions import store as decisions
from app.features.moderation.review import store as reviews
from app.features.moderation.rules.messages import store as messages
from app.streams.declare import scheduled
from app.streams.store import Scheduled, schedule

log = logging.getLogger(__name__)

FORGET_KIND = "moderation.forget"
"""The first piece of this work is scheduled by migration 0010."""
EVERY = timedelta(days=1)
ROWS = 500
"""Rows of one transaction: locks stay short."""


class Retention:
    """Forgets what has had its time. Digests, findings and the audit log stay."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def plan_next(self, key: str) -> None:
        """Schedule the next time first: whatever happens now, it goes on tomorrow."""
        async with transaction(self._pool) as conn:
            await schedule(conn, FORGET_KIND, key, self._clock() + EVERY, {})

    async def forget(self) -> int:
        """Remove every text whose time is over; return how many."""
        now, total = self._clock(), 0
        while True:
            async with transaction(self._pool) as conn:
                found = await decisions.forget_texts(conn, limit=ROWS)
                found += await reviews.forget_excerpts(conn, now, limit=ROWS)
                found += await appeals.forget_texts(conn, now, limit=ROWS)
                found += await messages.prune(conn, now, limit=ROWS)
            if not found:
                return total
            total += found


@scheduled(FORGET_KIND, seconds=600.0)
async def forget_texts(job: Scheduled, *, retention: Retention) -> None:
    """Forget what has had its time, and again tomorrow."""
    await retention.plan_next(job.key)
    forgotten = await retention.forget()
    if forgotten:
        log.info("texts forgotten", extra={"count": forgotten})
