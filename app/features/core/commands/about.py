"""/about: what this bot is, and how to have it in another server."""

from __future__ import annotations

import platform

from app import __version__
from app.interactions.components import LinkButton
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.embeds import Embed, Field
from app.interactions.payloads import IntegrationType, InteractionContext
from app.interactions.replies import Reply
from app.locale.text import t
from app.settings import INSTALL_PAGE

BLURPLE = 0x5865F2


@slash(
    "about",
    "What I am, and how to add me to another server",
    contexts=tuple(InteractionContext),
    integration_types=tuple(IntegrationType),
)
async def about(call: Call) -> Reply:
    """Show name, version and an install link."""
    embed = Embed(
        title="Gatehouse",
        description=t(
            "A bot that its own community runs: moderation with people in the loop. "
            "Type `/help` to see what I can do."
        ),
        fields=(
            Field(t("Version"), __version__, inline=True),
            Field(t("Runs on"), f"Python {platform.python_version()}", inline=True),
            Field(t("License"), "MIT", inline=True),
        ),
        colour=BLURPLE,
    )
    install = f"{INSTALL_PAGE}?client_id={call.interaction.application_id}"
    return Reply.private(None, LinkButton(install, t("Add me to a server")), embeds=[embed])
