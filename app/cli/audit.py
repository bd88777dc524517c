"""`gatehouse audit`: verify and export the audit log."""

from __future__ import annotations

import asyncio
import sys

import click
import psycopg

from app.adapters.postgres.pool import open_pool
from app.features.moderation.audit import AuditLog, store
from app.runtime import open_stores
from app.settings import Settings
from app.snowflake import GuildId


@click.group()
def audit() -> None:
    """Verify or export the audit log, which is a hash chain per guild."""


@audit.command()
@click.option("--guild", type=int, help="Only this guild's log; default: all.")
def verify(guild: int | None) -> None:
    """Walk the chain; name every changed, missing or reordered row. Exit status 1 if there is one."""
    with open_stores(Settings.from_environment()) as urls:
        sys.exit(asyncio.run(_verify(urls.database, guild)))


async def _verify(url: str, guild: int | None) -> int:
    status = 0
    async with open_pool(url, size=1) as pool, pool.connection() as conn:
        await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        for found in [GuildId(guild)] if guild else await store.guilds(conn):
            problems = await AuditLog().verify(conn, found)
            head = await store.head_of(conn, found)
            for problem in problems:
                click.echo(f"guild {found} position {problem.position}: {problem.text}")
            if problems:
                status = 1
            else:
                click.echo(f"guild {found}: {head.position if head else 0} entries, the chain holds")
    return status


@audit.command()
@click.option("--guild", type=int, required=True, help="The guild whose log is exported.")
def export(guild: int) -> None:
    """Print a guild's log as JSON lines."""
    with open_stores(Settings.from_environment()) as urls:
        asyncio.run(_export(urls.database, guild))


async def _export(url: str, guild: int) -> None:
    async with open_pool(url, size=1) as pool, pool.connection() as conn:
        async for line in AuditLog().export(conn, GuildId(guild)):
            sys.stdout.buffer.write(line)
