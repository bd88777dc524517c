"""/review: page through what waits for moderators."""

from __future__ import annotations

from app.features.moderation.review.buttons import page
from app.features.moderation.review.queue import Reviews
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.permissions import Level
from app.interactions.replies import Reply


@slash("review", "Decide what waits for moderators", permission=Level.MODERATOR)
async def review(call: Call, *, reviews: Reviews) -> Reply:
    """Show the oldest open item."""
    return await page(call.guild, 0, reviews, first=True)
