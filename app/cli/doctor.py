"""`gatehouse doctor`: what is set, what is reachable, what is wrong; one line each, with the remedy."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum

import click
import psycopg
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey
from redis.exceptions import RedisError

from app.adapters.discord.rest import DiscordRest
from app.adapters.embedded import StoreUrls, embedded_stores
from app.adapters.postgres.migrate import pending
from app.adapters.redis.client import open_redis
from app.admission.proxies import ClientAddresses
from app.errors import AppError, ConfigurationError, InvalidShardPlan
from app.keyring import key_file, load_keyring
from app.settings import Settings
from app.shard_plan import make_plan

FREE_BYTES = 500 * 2**20
"""Below this much free space in DATA_DIR the doctor warns (E009)."""
DISCORD_SECONDS = 8.0
"""Discord is asked for no longer: somebody waits for the report."""


class Verdict(Enum):
    """How a finding is marked."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    subject: str
    text: str


@click.command()
def doctor() -> None:
    """Check settings, PostgreSQL, Redis and Discord; exit status 1 if anything is wrong."""
    try:
        settings = Settings.from_environment()
    except ConfigurationError as error:
        *others, last = error, *error.also
        for each in others:
            click.echo(f"gatehouse: {each.for_operator()}", err=True)
        raise last from None
    for line in describe(settings):
        click.echo(line)
    click.echo()
    wrong = asyncio.run(_report(settings))
    if wrong:
        raise SystemExit(1)


def describe(settings: Settings) -> list[str]:
    """Return `NAME=value` per variable; secrets are masked, defaults marked."""
    lines = []
    for name, field in type(settings).model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        value = getattr(settings, name)
        if value is None or value == ():
            shown = "(not set)"
        elif extra["secret"]:
            shown = "********"
        else:
            shown = ",".join(value) if isinstance(value, tuple) else str(value)
        variable = str(extra["variable"])
        given = os.environ.get(variable) or (extra["secret"] and os.environ.get(f"{variable}_FILE"))
        lines.append(f"{variable}={shown}" + ("" if given or shown == "(not set)" else "  (default)"))
    return lines


async def _report(settings: Settings) -> bool:
    wrong = False
    async for finding in examine(settings):
        wrong |= finding.verdict is Verdict.WRONG
        click.echo(f"{finding.verdict.value:<6}{finding.subject}: {finding.text}")
    return wrong


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield one finding per thing that can be right or wrong."""
    for check in (_disk, _public_key, _application, _keys, _proxies, _shards):
        yield check(settings)
    stores = embedded_stores(settings)
    try:
        urls = await asyncio.to_thread(stores.__enter__)
    except AppError as error:
        if isinstance(error, ConfigurationError):
            yield Finding(Verdict.WRONG, error.variable, error.problem)
        else:
            yield Finding(Verdict.WRONG, "stores", error.for_operator())
        return
    try:
        yield await asyncio.to_thread(_postgres, settings, urls)
        async for finding in _redis_and_discord(settings, urls):
            yield finding
    finally:
        await asyncio.to_thread(stores.__exit__, None, None, None)


def _disk(settings: Settings) -> Finding:
    data_dir = settings.data_dir.absolute()
    folder = next(each for each in (data_dir, *data_dir.parents) if os.path.lexists(each))
    try:
        if not folder.is_dir():
            return Finding(Verdict.WRONG, "DATA_DIR", f"{folder} is no folder; set another")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            Verdict.WRONG, "DATA_DIR", f"{settings.data_dir}: {error.strerror}; set another folder"
        )
    if free < FREE_BYTES:
        return Finding(Verdict.WRONG, "DATA_DIR", f"E009: {free // 2**20} MiB free; free at least 500 MiB")
    return Finding(Verdict.OK, "DATA_DIR", f"{settings.data_dir.absolute()}, {free // 2**30} GiB free")


def _public_key(settings: Settings) -> Finding:
    key = settings.discord_public_key
    if key is None:
        return Finding(
            Verdict.WRONG,
            "DISCORD_PUBLIC_KEY",
            "not set; copy it from General Information in the Developer Portal",
        )
    try:
        VerifyKey(bytes.fromhex(key))
    except (CryptoError, ValueError):
        return Finding(Verdict.WRONG, "DISCORD_PUBLIC_KEY", "is no Ed25519 key; copy it again")
    return Finding(Verdict.OK, "DISCORD_PUBLIC_KEY", "is an Ed25519 key")


def _application(settings: Settings) -> Finding:
    if settings.discord_application_id is None:
        return Finding(
            Verdict.WRONG, "DISCORD_APPLICATION_ID", "not set; copy it from General Information in the portal"
        )
    return Finding(Verdict.OK, "DISCORD_APPLICATION_ID", str(settings.discord_application_id))


def _keys(settings: Settings) -> Finding:
    if settings.custom_id_keys is None and not os.path.lexists(key_file(settings)):
        return Finding(Verdict.OK, "CUSTOM_ID_KEYS", "not set; made at the first start and kept in DATA_DIR")
    try:
        keyring = load_keyring(settings)
    except ConfigurationError as error:
        return Finding(Verdict.WRONG, error.variable, error.problem)
    return Finding(Verdict.OK, "CUSTOM_ID_KEYS", f"{keyring.newest.kid} signs")


def _proxies(settings: Settings) -> Finding:
    try:
        ClientAddresses(settings.trusted_proxies)
    except ConfigurationError as error:
        return Finding(Verdict.WRONG, error.variable, error.problem)
    return Finding(Verdict.OK, "TRUSTED_PROXIES", f"{len(settings.trusted_proxies)} set")


def _shards(settings: Settings) -> Finding:
    """Find what no number that Discord might recommend puts right."""
    try:
        make_plan(settings, recommended=settings.cluster_count or 1)
    except InvalidShardPlan as error:
        return Finding(Verdict.WRONG, "shards", error.for_operator())
    return Finding(Verdict.OK, "shards", "the settings fit together")


def _postgres(settings: Settings, urls: StoreUrls) -> Finding:
    kind = "embedded server" if settings.database_url is None else "server"
    try:
        with psycopg.connect(urls.database, connect_timeout=5) as conn:
            version = conn.info.server_version
        missing = pending(urls.database)
    except (psycopg.OperationalError, AppError) as error:
        return Finding(
            Verdict.WRONG, "DATABASE_URL", f"E004: {type(error).__name__}: check the URL and the server"
        )
    if missing:
        return Finding(
            Verdict.NOTE, "DATABASE_URL", f"{len(missing)} migrations are missing; run `gatehouse migrate`"
        )
    return Finding(Verdict.OK, "DATABASE_URL", f"{kind}, PostgreSQL {version // 10000}, schema up to date")


async def _redis_and_discord(settings: Settings, urls: StoreUrls) -> AsyncIterator[Finding]:
    async with open_redis(urls.redis, connections=2) as redis:
        try:
            info = await redis.info("server")
        except (RedisError, OSError) as error:
            yield Finding(Verdict.WRONG, "REDIS_URL", f"{type(error).__name__}: check the URL and the server")
            return
        kind = "embedded server" if settings.redis_url is None else "server"
        yield Finding(Verdict.OK, "REDIS_URL", f"{kind}, Redis {info['redis_version']}")
        if settings.discord_token is None:
            yield Finding(Verdict.WRONG, "DISCORD_TOKEN", "not set; copy it from Bot in the Developer Portal")
            return
        async with DiscordRest.open(settings, redis) as discord:
            yield await _discord(settings, discord)
    yield _openai(settings)


async def _discord(settings: Settings, discord: DiscordRest) -> Finding:
    try:
        application = await discord.get_current_application(deadline=DISCORD_SECONDS)
    except AppError as error:
        return Finding(Verdict.WRONG, "DISCORD_TOKEN", error.for_operator())
    wanted = settings.discord_application_id
    if wanted is not None and int(application["id"]) != wanted:
        return Finding(
            Verdict.WRONG,
            "DISCORD_APPLICATION_ID",
            f"the token belongs to application {application['id']}; set that id or the other token",
        )
    if settings.discord_public_key not in (None, application["verify_key"]):
        return Finding(
            Verdict.WRONG,
            "DISCORD_PUBLIC_KEY",
            "is not this application's key; every interaction would be refused; copy it again",
        )
    endpoint = application.get("interactions_endpoint_url")
    if not endpoint:
        return Finding(
            Verdict.NOTE, "interactions URL", "not set at Discord; save https://YOUR-HOST/interactions there"
        )
    return Finding(Verdict.OK, "DISCORD_TOKEN", f"logged in; interactions go to {endpoint}")


def _openai(settings: Settings) -> Finding:
    if settings.openai_api_key is None:
        return Finding(Verdict.NOTE, "OPENAI_API_KEY", "not set: moderation uses rules only")
    return Finding(Verdict.OK, "OPENAI_API_KEY", f"set, used at {settings.openai_base_url}")
