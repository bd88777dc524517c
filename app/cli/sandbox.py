"""`gatehouse sandbox`: hand over to the stand-in for Discord, which `app` never imports."""

from __future__ import annotations

import os
import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """Start the stand-in for Discord (development and tests); `sandbox up` starts the whole system on it."""
    module = "sandbox"
    if arguments and arguments[0] == "up":
        module, arguments = "sandbox.stack", arguments[1:]
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
