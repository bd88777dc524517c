"""`python -m sandbox`: the stand-in for Discord on one port."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import Any

import click
import structlog

from sandbox.server import create_app, create_sandbox, listen, open_world, uvicorn_server
from sandbox.settings import SandboxSettings
from sandbox.world.store import IncompatibleWorld, WorldInUse

DEFAULTS = SandboxSettings()


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--host", default=DEFAULTS.host, help="Address to listen on.")
@click.option(
    "--port", default=DEFAULTS.port, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option(
    "--data-dir",
    default=Path(".gatehouse/sandbox"),
    type=click.Path(path_type=Path, file_okay=False),
    help="Where servers, people, messages, token and keys are kept.",
)
@click.option("--reset", is_flag=True, help="Throw the kept world away and start with a new one.")
@click.option(
    "--public-url",
    default=None,
    help="Address under which clients reach the sandbox, for example http://sandbox:8080. Default: host and port.",
)
@click.option(
    "--max-concurrency",
    default=DEFAULTS.max_concurrency,
    type=click.IntRange(1),
    help="Identifies per window.",
)
@click.option(
    "--shards", default=DEFAULTS.shards, type=click.IntRange(1), help="Recommended number of shards."
)
@click.option(
    "--identify-limit",
    default=DEFAULTS.identify_limit,
    type=click.IntRange(1),
    help="Identifies a day; one more ends all sessions and resets the bot token.",
)
@click.option(
    "--identify-window",
    "identify_window_seconds",
    default=DEFAULTS.identify_window_seconds,
    type=click.FloatRange(0.1),
    help="Seconds in which max-concurrency identifies are allowed.",
)
@click.option(
    "--heartbeat-interval",
    "heartbeat_interval_ms",
    default=DEFAULTS.heartbeat_interval_ms,
    type=click.IntRange(100),
    help="Milliseconds between heartbeats.",
)
@click.option(
    "--session-keep",
    "session_keep_seconds",
    default=DEFAULTS.session_keep_seconds,
    type=click.FloatRange(0),
    help="Seconds that a lost session waits to be resumed.",
)
@click.option(
    "--global-limit",
    default=DEFAULTS.global_limit,
    type=click.IntRange(0),
    help="REST calls a second; 0: no limit.",
)
@click.option(
    "--limits-scale",
    default=DEFAULTS.limits_scale,
    type=click.FloatRange(0),
    help="Multiplies every route's rate limit; 0: no route limits.",
)
@click.option(
    "--user-agent",
    default=DEFAULTS.user_agent,
    type=click.Choice(["lenient", "strict"]),
    help="strict refuses every User-Agent without the documented form.",
)
def main(*, host: str, port: int, data_dir: Path, reset: bool, **options: Any) -> None:
    """Serve a small Discord: REST, gateway, interactions, an admin API and a chat page, all on one port."""
    _log()
    try:
        listener = listen(host, port)
    except OSError as error:
        taken = error.strerror or str(error)
        click.echo(f"sandbox: cannot listen on {host}:{port} ({taken}); choose another with --port", err=True)
        sys.exit(2)
    settings = SandboxSettings(host=host, port=listener.getsockname()[1], data_dir=data_dir, **options)
    try:
        world, store = open_world(data_dir, reset=reset)
    except (IncompatibleWorld, WorldInUse, OSError) as error:
        click.echo(f"sandbox: {error}", err=True)
        sys.exit(2)
    click.echo(f"sandbox: {settings.http_url} (admin API: {settings.http_url}/sandbox/docs)")
    # uvicorn repeats the signal that stopped it once it is done; SIGTERM is an ordinary end here.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    uvicorn_server(create_app(create_sandbox(settings, world), store)).run(sockets=[listener])


def _log() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    main(prog_name="python -m sandbox")
