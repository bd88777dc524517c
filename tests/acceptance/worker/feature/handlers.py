"""Handlers that leave a row for each effect, under a claim."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from app.adapters.postgres.pool import Pool, transaction
from app.adapters.postgres.query import run
from app.events.messages import MessageCreated
from app.streams import store
from app.streams.declare import consumes, scheduled
from app.streams.retry import Retry

PAUSE = float(os.environ.get("HANDLER_PAUSE", "0"))
HOLD = Path(os.environ["HANDLER_HOLD"]) if "HANDLER_HOLD" in os.environ else None
"""A handler leaves a file of this name when it began, and goes on when the file is gone."""


@consumes(MessageCreated, group="writer", retry=Retry(attempts=5, first=0.2, cap=1.0))
async def write(event: MessageCreated, *, postgres: Pool) -> None:
    """Claim, wait, write: the wait is where a killed or frozen worker is caught."""
    if HOLD is not None:
        # Not claimed yet: the worker is frozen here, and what it does on waking comes too late.
        HOLD.touch()
        while HOLD.exists():
            await asyncio.sleep(0.01)
    async with transaction(postgres) as conn:
        if not await store.claim(conn, "writer", event.key):
            return
        await asyncio.sleep(PAUSE)
        await run(
            conn,
            "INSERT INTO public.handled (message_id, guild_id, worker) VALUES (%(m)s, %(g)s, %(w)s)",
            m=event.message.id,
            g=event.message.guild_id,
            w=os.getpid(),
        )


@scheduled("writer.later")
async def later(job: store.Scheduled, *, postgres: Pool) -> None:
    """Write a row once."""
    async with transaction(postgres) as conn:
        if await store.finish(conn, job):
            await run(
                conn,
                "INSERT INTO public.handled (message_id, guild_id, worker) VALUES (%(m)s, 0, 0)",
                m=job.payload,
            )
