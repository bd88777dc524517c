"""The `gatehouse` command. Each subcommand is a module here, imported when it is used."""

from __future__ import annotations

import importlib
import sys

import click

from app import __version__
from app.errors import AppError, ConfigurationError

SUBCOMMANDS = {
    "audit": "app.cli.audit:audit",
    "commands": "app.cli.commands:commands",
    "dead-letters": "app.cli.dead_letters:dead_letters",
    "docs": "app.cli.docs:docs",
    "doctor": "app.cli.doctor:doctor",
    "keys": "app.cli.keys:keys",
    "migrate": "app.cli.migrate:migrate",
    "moderation": "app.cli.moderation:moderation",
    "sandbox": "app.cli.sandbox:sandbox",
    "shards": "app.cli.shards:shards",
    "web": "app.cli.web:web",
    "worker": "app.cli.worker:worker",
}


class _Lazy(click.Group):
    """Loads a subcommand's module only when it is needed: `gatehouse web` does not import the rest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = SUBCOMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gatehouse")
def gatehouse() -> None:
    """Gatehouse: a self-hosted Discord bot platform.

    Settings come from the environment (`gatehouse doctor` lists them). Exit status: 0 success, 1 failure,
    2 wrong usage or configuration.
    """


def main() -> None:
    """Run the command line; our own errors become one line on stderr and an exit status."""
    try:
        gatehouse(prog_name="gatehouse")
    except ConfigurationError as error:
        click.echo(f"gatehouse: {error.for_operator()}", err=True)
        sys.exit(2)
    except AppError as error:
        click.echo(f"gatehouse: {error.for_operator()}", err=True)
        sys.exit(1)
