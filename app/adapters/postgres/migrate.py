"""Apply `sql/migrations/NNNN_name.sql` in order, once each, under an advisory lock, with recorded checksums.

One transaction per file, unless its first line is `-- no transaction` (for CREATE INDEX CONCURRENTLY).
An applied file that has changed since is refused: write a new migration instead.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg

from app.errors import AppError, DatabaseUnavailable

LOCK_KEY = 0x6761_7465  # "gate"
NO_TRANSACTION = "-- no transaction"
NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")

CREATE_LEDGER = """
CREATE TABLE IF NOT EXISTS public.schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


class MigrationError(AppError):
    """A migration cannot be applied."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the file, recorded when it is applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def find_migrations(folder: Traversable | None = None) -> list[Migration]:
    """Read the folder (default: the packaged sql/migrations). Raises MigrationError on a bad or doubled name."""
    source = files("sql") / "migrations" if folder is None else folder
    found: dict[int, Migration] = {}
    for entry in source.iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = NAME.match(entry.name)
        if match is None:
            raise MigrationError(f"{entry.name}: a migration is named NNNN_what_it_does.sql")
        number = int(match[1])
        if number in found:
            raise MigrationError(f"{entry.name} and {found[number].name} have the same number")
        found[number] = Migration(number, entry.name, entry.read_text(encoding="utf-8"))
    return [found[number] for number in sorted(found)]


def migrate(url: str, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is missing and return the names applied. Raises MigrationError or DatabaseUnavailable (E004)."""
    wanted = find_migrations() if migrations is None else migrations
    try:
        conn = psycopg.connect(url, autocommit=True, application_name="gatehouse-migrate", connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"cannot connect to PostgreSQL: {type(error).__name__}") from None
    with conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        conn.execute("SET client_min_messages = warning")
        conn.execute(CREATE_LEDGER)
        _refuse_changed(conn, wanted)
        done = {row[0] for row in conn.execute("SELECT number FROM public.schema_migrations")}
        return [
            migration.name for migration in wanted if migration.number not in done and _apply(conn, migration)
        ]


def pending(url: str) -> list[str]:
    """Return the names that `migrate` would apply, without applying them. Raises DatabaseUnavailable (E004)."""
    try:
        conn = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"cannot connect to PostgreSQL: {type(error).__name__}") from None
    with conn:
        row = conn.execute("SELECT to_regclass('public.schema_migrations') IS NOT NULL").fetchone()
        done = (
            {r[0] for r in conn.execute("SELECT number FROM public.schema_migrations")}
            if row and row[0]
            else set()
        )
        return [migration.name for migration in find_migrations() if migration.number not in done]


def _refuse_changed(conn: psycopg.Connection, wanted: list[Migration]) -> None:
    by_number = {migration.number: migration for migration in wanted}
    for number, name, sha256 in conn.execute("SELECT number, name, sha256 FROM public.schema_migrations"):
        migration = by_number.get(number)
        if migration is None:
            raise MigrationError(
                f"{name} is applied in the database but not in this release: deploy the newer release"
            )
        if migration.sha256 != sha256:
            raise MigrationError(
                f"{migration.name} has changed since it was applied: restore it and add a new migration"
            )


def _apply(conn: psycopg.Connection, migration: Migration) -> bool:
    record = "INSERT INTO public.schema_migrations (number, name, sha256) VALUES (%s, %s, %s)"
    values = (migration.number, migration.name, migration.sha256)
    try:
        if migration.sql.startswith(NO_TRANSACTION):
            conn.execute("SET lock_timeout = '5s'")
            conn.execute(migration.sql.encode())
            conn.execute(record, values)
        else:
            with conn.transaction():
                conn.execute("SET LOCAL lock_timeout = '5s'")
                conn.execute(migration.sql.encode())
                conn.execute(record, values)
    except psycopg.Error as error:
        raise MigrationError(f"{migration.name}: {str(error).strip().splitlines()[0]}") from error
    return True
