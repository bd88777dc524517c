"""`python -m sandbox.stack`: start everything, print the page's URL, stay in the foreground."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from app.errors import AppError, ConfigurationError
from app.settings import Settings
from sandbox.stack.system import System


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--port",
    envvar="SANDBOX_PORT",
    default=8080,
    show_default=True,
    help="Port of the chat page [SANDBOX_PORT].",
)
@click.option("--fresh", is_flag=True, help="Forget the sandbox's world first; the databases are kept.")
def up(port: int, fresh: bool) -> None:
    """Start PostgreSQL, Redis, the stand-in for Discord, web, worker and ingester; Ctrl-C stops them all.

    Data is kept in DATA_DIR (default .gatehouse). PORT, HEALTH_PORT, MANAGER_HEALTH_PORT and
    WORKER_HEALTH_PORT move the other ports.
    """
    try:
        settings = Settings.from_environment()
        system = System(settings, page_port=port, fresh=fresh, folder=Path.cwd())
        sys.exit(asyncio.run(system.run()))
    except ConfigurationError as error:
        click.echo(f"gatehouse: {error.for_operator()}", err=True)
        sys.exit(2)
    except AppError as error:
        click.echo(f"gatehouse: {error.for_operator()}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    up(prog_name="gatehouse sandbox up")
