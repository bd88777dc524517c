"""`gatehouse commands`: print the manifest, compare it with Discord, register it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from app import catalog
from app.adapters.discord.rest import DiscordRest
from app.adapters.embedded import StoreUrls, embedded_stores
from app.adapters.postgres.pool import open_pool, transaction
from app.adapters.redis.client import open_redis
from app.errors import AppError
from app.features.core.store import RegistrationStore
from app.interactions.discovery import Declarations
from app.interactions.registration import Manifest, build_manifest
from app.interactions.registration_diff import Action, Plan, plan
from app.locale.catalogue import Catalogue
from app.runtime import open_stores
from app.settings import Settings

DEADLINE = 60.0
"""Seconds that one call to Discord may take, waiting for rate limits included."""


class NotConfirmed(AppError):
    """Nothing was registered: deleting commands needs a yes, or --yes."""


class ManifestChanged(AppError):
    """The declarations differ from the committed manifest."""


@click.group()
def commands() -> None:
    """Register the slash commands with Discord."""
    # What the layers below log, the error that ends the command says as well, in one line.
    logging.getLogger("app").addHandler(logging.NullHandler())


_guild = click.option(
    "--guild",
    type=click.IntRange(min=1),
    metavar="ID",
    help="Only in this server (for development): changes show at once, and beside the global commands.",
)


@commands.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@click.option(
    "--check",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Only compare with this file; exit status 1 if it differs.",
)
def manifest(output: Path | None, check: Path | None) -> None:
    """Print what would be registered, as JSON with a version, without asking Discord."""
    text = current_manifest().to_json()
    if check is not None and check.read_text(encoding="utf-8") != text:
        raise ManifestChanged(f"{check} is out of date; run `gatehouse commands manifest --output {check}`")
    if output is not None:
        output.write_text(text, encoding="utf-8")
    if output is None and check is None:
        click.echo(text, nl=False)


@commands.command()
@_guild
@click.option("--exit-code", is_flag=True, help="Exit status 1 if anything differs.")
@click.pass_context
def diff(context: click.Context, guild: int | None, exit_code: bool) -> None:
    """Print what `commands sync` would change."""
    settings = _settings()
    ours = current_manifest()
    with embedded_stores(settings, postgres=False) as urls:
        planned = asyncio.run(_plan(settings, urls, ours, guild))
    _show(planned, ours, guild)
    if exit_code and planned.changes:
        context.exit(1)


@commands.command()
@_guild
@click.option("--yes", is_flag=True, help="Delete without asking what is not declared any more.")
def sync(guild: int | None, yes: bool) -> None:
    """Make Discord's commands equal to the declared ones; nothing is sent when they are."""
    settings = _settings()
    ours = current_manifest()
    with open_stores(settings) as urls:
        planned = asyncio.run(_plan(settings, urls, ours, guild))
        _show(planned, ours, guild)
        if planned.deletions and not yes:
            _confirm(planned)
        if planned.changes:
            asyncio.run(_overwrite(settings, urls, planned, guild))
        revision = git_revision(settings)
        asyncio.run(_record(urls, ours, planned, guild, revision))
    if planned.changes:
        came_from = f" from git {revision}" if revision else ""
        click.echo(f"registered {len(ours.commands)} command(s), version {ours.version}{came_from}")


def current_manifest() -> Manifest:
    """Build the manifest of all features. Raises DeclarationError."""
    return build_manifest(Declarations.collect(catalog.packages()).commands, Catalogue.load())


def git_revision(settings: Settings) -> str | None:
    """Return the revision that runs: GIT_REVISION where an image sets it, else what git says, with `-dirty`."""
    if settings.git_revision is not None:
        return settings.git_revision
    source = Path(__file__).resolve().parents[2]
    if not (source / ".git").exists():
        return None
    asked = subprocess.run(
        ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or None


def _settings() -> Settings:
    settings = Settings.from_environment()
    settings.require("discord_token", "discord_application_id")
    return settings


@asynccontextmanager
async def _rest(settings: Settings, urls: StoreUrls) -> AsyncIterator[DiscordRest]:
    async with open_redis(urls.redis, connections=4) as redis, DiscordRest.open(settings, redis) as rest:
        yield rest


async def _plan(settings: Settings, urls: StoreUrls, ours: Manifest, guild: int | None) -> Plan:
    async with _rest(settings, urls) as rest:
        theirs = await rest.get_commands(guild, deadline=DEADLINE)
    wanted = ours.commands if guild is None else ours.for_guild()
    return plan(wanted, theirs, guild=guild is not None)


async def _overwrite(settings: Settings, urls: StoreUrls, planned: Plan, guild: int | None) -> None:
    async with _rest(settings, urls) as rest:
        await rest.bulk_overwrite_commands(planned.body, guild, deadline=DEADLINE)


async def _record(
    urls: StoreUrls, ours: Manifest, planned: Plan, guild: int | None, revision: str | None
) -> None:
    async with open_pool(urls.database, size=1) as pool, transaction(pool) as conn:
        await RegistrationStore().record(
            conn,
            guild or 0,
            ours.version,
            revision,
            commands=len(ours.commands),
            changes=len(planned.changes),
        )


def _show(planned: Plan, ours: Manifest, guild: int | None) -> None:
    where = "globally" if guild is None else f"in server {guild}"
    if planned.kept:
        click.echo(f"left alone: {', '.join(planned.kept)} (not a kind of command that we declare)")
    if not planned.changes:
        click.echo(
            f"nothing to change: {len(ours.commands)} command(s), version {ours.version}, are registered {where}"
        )
        return
    for change in planned.changes:
        click.echo(str(change))
    counts = [
        f"{number} to {action.name.lower()}"
        for action in Action
        if (number := sum(change.action is action for change in planned.changes))
    ]
    click.echo(f"{where}: {', '.join(counts)}")


def _confirm(planned: Plan) -> None:
    names = ", ".join(change.name for change in planned.deletions)
    question = f"Deleting also erases what servers have allowed for these commands. Delete {names}?"
    try:
        agreed = click.confirm(question)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        raise NotConfirmed
