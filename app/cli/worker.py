"""`gatehouse worker`: consume events, finish interaction jobs, do scheduled work."""

from __future__ import annotations

import click

from app.observability.logging import configure_logging
from app.settings import Settings


@click.command()
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Serve only this consumer group (repeatable). Default: all.",
)
def worker(groups: tuple[str, ...]) -> None:
    """Consume events, finish interaction jobs and do scheduled work, until SIGTERM.

    Any number of workers share the work: partitions of the event streams are leased, and move within seconds when
    a worker dies. Health is on WORKER_HEALTH_PORT; when it is taken, the next free one is used and logged.
    """
    from app.workers.main import run

    settings = Settings.from_environment()
    configure_logging(settings, "worker")
    run(settings, groups=groups)
