"""Polls close by themselves, also when nobody votes any more and whichever worker is there."""

from __future__ import annotations

from datetime import UTC, datetime

from app.features.panels.models import PanelId
from app.features.panels.panels import CLOSE, PanelGone, Panels
from app.snowflake import GuildId
from app.streams.declare import scheduled
from app.streams.store import Scheduled


@scheduled(CLOSE)
async def close_poll(job: Scheduled, *, panels: Panels) -> None:
    """Close the poll and show its result. Done again after a failure: closing twice is closing once."""
    now = datetime.now(UTC)
    try:
        state = await panels.close_due(
            GuildId(int(job.payload["guild"])), PanelId(int(job.payload["panel"])), now
        )
    except PanelGone:
        return
    if state.panel.closed_at is not None:
        await panels.refresh(state, now)
