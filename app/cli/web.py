"""`gatehouse web`: answer Discord's interactions."""

from __future__ import annotations

import click

from app.observability.logging import configure_logging
from app.settings import Settings


@click.command()
def web() -> None:
    """Answer interactions and webhook events on PORT, until SIGTERM.

    Any number of replicas can stand behind a proxy; any replica answers any interaction. Needs
    DISCORD_APPLICATION_ID and DISCORD_PUBLIC_KEY.
    """
    from app.web.main import run

    settings = Settings.from_environment()
    configure_logging(settings, "web")
    run(settings)
