"""`gatehouse shards`: every shard of the bot, on every machine, as its process sees it now."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import click
from redis.exceptions import RedisError

from app.adapters.embedded import embedded_stores
from app.adapters.redis.bridge import Finding, FoundGuild, GatewayBridge, GatewayStats
from app.adapters.redis.client import open_redis
from app.errors import AppError
from app.settings import Settings


class RedisUnavailable(AppError):
    """Redis did not answer."""

    remedy = "check REDIS_URL and the server"


@click.command()
@click.option("--guild", type=int, metavar="ID", help="Say on which shard this server is.")
@click.option("--timeout", default=2.0, show_default=True, help="Seconds to wait for the processes.")
def shards(guild: int | None, timeout: float) -> None:
    """Show every shard of the bot: state, latency, servers, process.

    Asks the running `python -m ingester` processes over Redis. Exit status 1 when a shard is not connected, a
    process has not answered, or the server is not found.
    """
    settings = Settings.from_environment()
    with embedded_stores(settings, postgres=False) as urls:
        try:
            healthy = asyncio.run(_run(urls.redis, guild, timeout))
        except RedisError as error:
            raise RedisUnavailable(f"Redis did not answer: {type(error).__name__}") from None
    sys.exit(0 if healthy else 1)


async def _run(url: str, guild: int | None, timeout: float) -> bool:
    async with open_redis(url, connections=2) as redis:
        bridge = GatewayBridge(redis, timeout=timeout)
        if guild is not None:
            return _show_guild(guild, await bridge.find_guild(guild))
        stats = await bridge.stats()
    for line in table(stats):
        click.echo(line)
    return bool(stats.shards) and not stats.partial and stats.online == stats.total_shards


def _show_guild(guild: int, finding: Finding) -> bool:
    found = finding.found
    if isinstance(found, FoundGuild):
        members = "" if found.members is None else f", {found.members} members"
        outage = "" if found.available else ", unavailable at the moment"
        click.echo(f"{found.name or guild}: shard {found.shard}{members}{outage}")
        return True
    doubt = " (not every process has answered)" if finding.partial else ""
    click.echo(f"no shard has server {guild}{doubt}", err=True)
    return False


def table(stats: GatewayStats) -> list[str]:
    """Return the lines that are shown."""
    if not stats.processes and not stats.silent:
        return ["no ingester is running: start `python -m ingester`"]
    lines = [f"{'shard':>5}  {'state':<12} {'latency':>9}  {'servers':>7}  {'members':>8}  process"]
    for shard in stats.shards:
        latency = "-" if shard.latency_ms is None else f"{shard.latency_ms:.0f} ms"
        lines.append(
            f"{shard.id:>5}  {shard.status:<12} {latency:>9}  {shard.guilds:>7}  {shard.members:>8}  {shard.process}"
        )
    lines += [f"{number:>5}  not running" for number in stats.missing]
    up = timedelta(seconds=int(stats.uptime_s))
    lines.append(
        f"{stats.online} of {stats.total_shards} shards connected, {stats.guilds} servers, "
        f"{stats.processes} processes, {stats.memory_bytes / (1 << 20):.0f} MB, up {up}"
    )
    if stats.buffered:
        lines.append(f"{stats.buffered} events wait for Redis")
    if stats.silent:
        lines.append(f"{stats.silent} processes have not answered in time: this is not the whole picture")
    return lines
