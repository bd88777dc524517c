"""`gatehouse dead-letters`: what could not be handled, and what to do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.postgres.pool import Pool, open_pool, transaction
from app.adapters.redis.client import open_redis
from app.errors import AppError
from app.runtime import open_stores
from app.settings import Settings
from app.streams import dead_letters as letters
from app.streams import store

SCHEDULE = "schedule"
"""Scheduled work that was given up is listed as a group of this name, with `kind/key` as id."""


class NoSuchDeadLetter(AppError):
    """There is no such dead letter."""


class RedisUnavailable(AppError):
    """Redis did not answer."""

    remedy = "check REDIS_URL and the server"


@dataclass(frozen=True, slots=True)
class Stores:
    """Both stores, open."""

    redis: Redis
    postgres: Pool


@click.group()
def dead_letters() -> None:
    """Show, replay or drop events and scheduled work that could not be handled.

    What members wrote is never shown. GROUP is a consumer group, or `schedule` for scheduled work.
    """


@dead_letters.command("list")
@click.argument("group", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def list_letters(group: str | None, limit: int) -> None:
    """List dead letters, newest first; without GROUP those of all groups."""
    _run(lambda stores: _list(stores, group, limit))


@dead_letters.command()
@click.argument("group")
@click.argument("letter_id", metavar="ID")
def show(group: str, letter_id: str) -> None:
    """Show one dead letter with the place where it failed."""
    _run(lambda stores: _show(stores, group, letter_id))


@dead_letters.command()
@click.argument("group")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All of the group.")
def replay(group: str, ids: tuple[str, ...], every: bool) -> None:
    """Have dead letters handled again, from their first attempt, by the running workers."""
    _choose(ids, every)
    _run(lambda stores: _each(stores, group, ids, "replayed", _replay))


@dead_letters.command()
@click.argument("group")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All of the group.")
def drop(group: str, ids: tuple[str, ...], every: bool) -> None:
    """Delete dead letters. They are gone for good."""
    _choose(ids, every)
    _run(lambda stores: _each(stores, group, ids, "dropped", _drop))


def _choose(ids: tuple[str, ...], every: bool) -> None:
    if every == bool(ids):
        raise click.UsageError("give the ids of dead letters, or --all")


def _run(work: Callable[[Stores], Awaitable[None]]) -> None:
    settings = Settings.from_environment()

    async def main(database: str, redis_url: str) -> None:
        async with _open(database, redis_url) as stores:
            try:
                await work(stores)
            except RedisError as error:
                raise RedisUnavailable(f"Redis did not answer: {type(error).__name__}") from None

    with open_stores(settings) as urls:
        asyncio.run(main(urls.database, urls.redis))


@asynccontextmanager
async def _open(database: str, redis_url: str) -> AsyncIterator[Stores]:
    async with open_redis(redis_url, connections=2) as redis, open_pool(database, size=2) as postgres:
        yield Stores(redis, postgres)


async def _list(stores: Stores, group: str | None, limit: int) -> None:
    lines = 0
    known = [name for name, _ in await letters.groups_with_letters(stores.redis)]
    for name in known if group is None else [group]:
        for letter in await letters.newest(stores.redis, name, limit=limit):
            lines += 1
            click.echo(
                f"{letter.group}  {letter.id}  {letter.died_at:%Y-%m-%d %H:%M:%S}  {letter.event}  "
                f"guild {letter.guild_id}  {letter.why} after {letter.failures}  {letter.error}"
            )
    if group in (None, SCHEDULE):
        async with transaction(stores.postgres) as conn:
            for work in await store.failed_work(conn, limit=limit):
                lines += 1
                last = (work.error or "").strip().rpartition("\n")[2]
                click.echo(
                    f"{SCHEDULE}  {work.kind}/{work.key}  {work.failed_at:%Y-%m-%d %H:%M:%S}  "
                    f"due {work.due_at:%Y-%m-%d %H:%M:%S}  after {work.attempts}  {last}"
                )
    if not lines:
        click.echo("No dead letters.")


async def _show(stores: Stores, group: str, letter_id: str) -> None:
    if group == SCHEDULE:
        kind, _, key = letter_id.partition("/")
        async with transaction(stores.postgres) as conn:
            work = await store.find_failed(conn, kind, key)
        if work is None:
            raise NoSuchDeadLetter(f"no scheduled work {letter_id!r} was given up")
        click.echo(f"kind      {work.kind}\nkey       {work.key}\ndue       {work.due_at.isoformat()}")
        click.echo(f"attempts  {work.attempts}\ngiven up  {work.failed_at.isoformat()}\n\n{work.error or ''}")
        return
    letter = await letters.find(stores.redis, group, letter_id)
    if letter is None:
        raise NoSuchDeadLetter(f"{group} has no dead letter {letter_id!r}")
    click.echo(f"event     {letter.event}\nguild     {letter.guild_id}\nentry     {letter.entry_id}")
    click.echo(f"died      {letter.died_at.isoformat()}\nhandler   {letter.handler}\nreason    {letter.why}")
    click.echo(f"failures  {letter.failures}\npayload   {letter.payload_bytes} bytes (not shown)")
    click.echo(f"error     {letter.error}\n\n{letter.trace}")


async def _each(
    stores: Stores,
    group: str,
    ids: tuple[str, ...],
    done: str,
    act: Callable[[Stores, str, str], Awaitable[bool]],
) -> None:
    chosen = ids or await _all(stores, group)
    missing = [letter_id for letter_id in chosen if not await act(stores, group, letter_id)]
    click.echo(f"{len(chosen) - len(missing)} {done}")
    if missing and ids:
        raise NoSuchDeadLetter(f"{group} has no dead letter {', '.join(missing)}")


async def _all(stores: Stores, group: str) -> tuple[str, ...]:
    if group == SCHEDULE:
        async with transaction(stores.postgres) as conn:
            return tuple(f"{work.kind}/{work.key}" for work in await store.failed_work(conn, limit=100_000))
    return tuple(letter.id for letter in await letters.newest(stores.redis, group, limit=letters.KEPT * 2))


async def _replay(stores: Stores, group: str, letter_id: str) -> bool:
    if group != SCHEDULE:
        return await letters.replay(stores.redis, group, letter_id)
    kind, _, key = letter_id.partition("/")
    async with transaction(stores.postgres) as conn:
        return await store.revive(conn, kind, key)


async def _drop(stores: Stores, group: str, letter_id: str) -> bool:
    if group != SCHEDULE:
        return await letters.drop(stores.redis, group, letter_id)
    kind, _, key = letter_id.partition("/")
    async with transaction(stores.postgres) as conn:
        return await store.drop_failed(conn, kind, key)
