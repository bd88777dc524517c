from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from app.adapters.postgres.migrate import Migration, MigrationError, find_migrations, migrate, pending
from app.adapters.postgres.pool import Conn, Pool, open_pool
from app.adapters.postgres.query import NoRow, many, maybe, one, run, value
from app.errors import DatabaseUnavailable

pytestmark = pytest.mark.own_database


@dataclass(frozen=True)
class Guild:
    guild_id: int
    name: str


async def test_rows_come_back_typed(conn: Conn) -> None:
    assert (
        await run(conn, "INSERT INTO tenancy.guilds (guild_id, name) VALUES (%(g)s, 'a'), (2, 'b')", g=1) == 2
    )
    sql = "SELECT guild_id, name FROM tenancy.guilds WHERE guild_id = %(g)s"
    assert await one(conn, Guild, sql, g=1) == Guild(1, "a")
    assert await maybe(conn, Guild, sql, g=3) is None
    assert await value(conn, "SELECT name FROM tenancy.guilds WHERE guild_id = 2") == "b"
    assert len(await many(conn, Guild, "SELECT guild_id, name FROM tenancy.guilds")) == 2
    with pytest.raises(NoRow):
        await one(conn, Guild, sql, g=3)


async def test_a_pool_connection_is_one_transaction(pool: Pool) -> None:
    with pytest.raises(RuntimeError):
        async with pool.connection() as conn:
            await run(conn, "INSERT INTO tenancy.guilds (guild_id) VALUES (1)")
            raise RuntimeError
    async with pool.connection() as conn:
        assert await value(conn, "SELECT count(*) FROM tenancy.guilds") == 0


async def test_a_missing_server_is_e004() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        migrate("postgresql://nobody:secret@127.0.0.1:1/x")
    assert "E004" in caught.value.for_operator()
    assert "secret" not in caught.value.for_operator()


def test_migrations_apply_once_and_in_order(database_url: str) -> None:
    assert migrate(database_url) == []
    assert pending(database_url) == []
    extra = [*find_migrations(), Migration(9001, "9001_x.sql", "CREATE TABLE public.x (a int)")]
    assert migrate(database_url, extra) == ["9001_x.sql"]
    assert migrate(database_url, extra) == []


def test_a_changed_applied_file_is_refused_by_name(database_url: str) -> None:
    first, *rest = find_migrations()
    changed = Migration(first.number, first.name, first.sql + "\n-- changed")
    with pytest.raises(MigrationError, match=first.name):
        migrate(database_url, [changed, *rest])


def test_a_failing_file_leaves_nothing_and_is_named(database_url: str) -> None:
    bad = Migration(9001, "9001_bad.sql", "CREATE TABLE public.half (a int); SELECT nonsense")
    with pytest.raises(MigrationError, match=r"9001_bad\.sql"):
        migrate(database_url, [*find_migrations(), bad])
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT to_regclass('public.half')").fetchone() == (None,)


def test_a_database_ahead_of_the_release_is_refused(database_url: str) -> None:
    with pytest.raises(MigrationError, match="newer release"):
        migrate(database_url, find_migrations()[:-1])


def test_concurrent_migrators_wait_for_each_other(stores: object, database_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    extra = [
        *find_migrations(),
        Migration(9001, "9001_x.sql", "SELECT pg_sleep(0.2); CREATE TABLE public.x (a int)"),
    ]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: migrate(database_url, extra), range(4)))
    assert sorted(results) == [[], [], [], ["9001_x.sql"]]


def test_bad_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "12_short.sql").write_text("")
    with pytest.raises(MigrationError, match="NNNN"):
        find_migrations(tmp_path)
    (tmp_path / "12_short.sql").unlink()
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / "0001_b.sql").write_text("")
    with pytest.raises(MigrationError, match="same number"):
        find_migrations(tmp_path)


async def test_pool_opens(database_url: str) -> None:
    async with open_pool(database_url) as pool, pool.connection() as conn:
        assert await value(conn, "SHOW timezone") == "UTC"
