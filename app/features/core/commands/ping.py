"""/ping: is the bot there, how far away is Discord, and which version runs?"""

from __future__ import annotations

from app import __version__
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.payloads import IntegrationType, InteractionContext
from app.interactions.replies import Reply
from app.locale.text import t
from app.snowflake import created_ms


@slash(
    "ping",
    "Check that I am there, and how fast",
    contexts=tuple(InteractionContext),
    integration_types=tuple(IntegrationType),
)
async def ping(call: Call) -> Reply:
    """Answer with the time from Discord's making the interaction until here, by both clocks, in ms."""
    latency = int(call.now.timestamp() * 1000) - created_ms(call.interaction.id)
    return Reply.private(
        t(
            "Pong! Discord reached me in {latency} ms. I am version {version}.",
            latency=max(0, latency),
            version=__version__,
        )
    )
