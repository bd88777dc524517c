"""Forgetting what has done its duty: claims, used ids, webhook events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from random import uniform

import psycopg

from app.adapters.postgres.pool import Pool, transaction
from app.admission.store import forget_old
from app.errors import AppError

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
CLAIMS = timedelta(days=1)
"""A request older than 5 minutes is refused, and a token dies after 15: nothing can repeat after a day."""
EVENTS = timedelta(days=30)
"""Discord repeats a webhook event for 10 minutes; late ones are judged by older events of the same person."""


async def forget(pool: Pool, now: datetime) -> int:
    """Delete what is old; return how many rows."""
    async with transaction(pool) as conn:
        return await forget_old(conn, claims_before=now - CLAIMS, events_before=now - EVENTS)


async def forget_forever(pool: Pool, *, clock: Callable[[], datetime]) -> None:
    """Do it about once an hour, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS * uniform(0.5, 1.0))
        try:
            await forget(pool, clock())
        except (psycopg.Error, AppError) as error:
            log.warning("old claims were not forgotten", extra={"error": type(error).__name__})
