"""`python -m ingester`: hold the gateway connections of the bot and publish its events to Redis."""

from __future__ import annotations

import asyncio
import signal
import sys

import click

from app.adapters.embedded import embedded_stores
from app.errors import AppError, ConfigurationError, InvalidShardPlan, LoggedOut
from app.observability import metrics
from app.observability.logging import configure_logging
from app.settings import Settings

VARIABLES = (
    "discord_token",
    "discord_api_base",
    "redis_url",
    "data_dir",
    "shard_count",
    "total_shards",
    "shard_start",
    "shard_end",
    "shards_per_cluster",
    "cluster_count",
    "stream_max_entries",
    "health_port",
    "manager_health_port",
    "host",
    "log_level",
    "log_to_stdout",
    "log_retention_days",
)


def _epilog() -> str:
    """Describe the variables that matter here."""
    lines = ["Environment:", ""]
    for name in VARIABLES:
        field = Settings.model_fields[name]
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        default = "" if field.default is None else f" [default: {field.default}]"
        also = f" Also {extra['variable']}_FILE." if extra["secret"] else ""
        lines.append(f"  {extra['variable']}: {field.description}{also}{default}")
        lines.append("")
    lines += [
        "Exit status: 0 stopped or handed over, 1 failed (E005: a process keeps crashing), 2 wrong configuration."
    ]
    return "\n".join(lines)


@click.command(
    epilog=_epilog(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--takeover",
    is_flag=True,
    help="Take over from the running instances, shard by shard: their sessions are resumed, they end by themselves.",
)
def ingester(*, takeover: bool) -> None:
    """Hold the gateway connections of the bot and publish its events to Redis streams.

    Starts one process per group of shards and watches over them. Several instances, on several machines, share the
    shards of one bot through Redis; when one dies, the others resume its sessions within 10 seconds. SIGTERM stores
    everything, closes so that the sessions can be resumed, and ends within 10 seconds.

    Starting an instance with more shards than are running connects the new set beside the old one and switches
    over without a gap.
    """
    settings = Settings.from_environment()
    settings.require("discord_token")
    configure_logging(settings, "ingester")
    metrics.watch_gc()
    with embedded_stores(settings, postgres=False) as urls:
        raise SystemExit(asyncio.run(_run(settings, urls.redis, takeover=takeover)))


async def _run(settings: Settings, redis_url: str, *, takeover: bool) -> int:
    from ingester.supervisor import Fatal, Supervisor

    supervisor = Supervisor(settings, redis_url, takeover=takeover)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, supervisor.request_stop)
    try:
        return await supervisor.run()
    except Fatal as fatal:
        click.echo(f"ingester: {fatal.line}", err=True)
        return fatal.status


def main() -> None:
    """Run; our own errors become one line on stderr and an exit status."""
    try:
        ingester(prog_name="python -m ingester")
    except (ConfigurationError, InvalidShardPlan, LoggedOut) as error:
        click.echo(f"ingester: {error.for_operator()}", err=True)
        sys.exit(2)
    except AppError as error:
        click.echo(f"ingester: {error.for_operator()}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
