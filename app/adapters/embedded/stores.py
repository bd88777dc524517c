"""The user's side of the embedded servers: start the keeper if needed, hold the lock, know the URLs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.adapters.embedded.binaries import postgres_binaries, redis_server_binary
from app.adapters.embedded.locks import FileLock, Mode
from app.errors import AppError, ConfigurationError
from app.settings import Settings


class EmbeddedServerError(AppError):
    """An embedded server did not start."""


@dataclass(frozen=True, slots=True)
class StoreUrls:
    """Where PostgreSQL and Redis are, configured or embedded. The URLs hold passwords: never log them."""

    database: str
    redis: str


@contextmanager
def embedded_stores(
    settings: Settings, *, postgres: bool = True, redis: bool = True, durable: bool = True
) -> Iterator[StoreUrls]:
    """Yield the URLs; start what has no URL in `settings`. Blocks for about a second on a first start.

    `postgres` and `redis` say which stores the caller needs; one that is neither needed nor set has an empty URL.
    `durable=False` (tests) trades safety against a power cut for speed.
    Raises ConfigurationError when a server is neither configured nor installed, when DATABASE_URL cannot be read or
    DATA_DIR cannot be written; EmbeddedServerError if a server fails.
    """
    if postgres:
        check_database_url(settings)
    database_url = settings.database_url.get_secret_value() if settings.database_url else ""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else ""
    if (database_url or not postgres) and (redis_url or not redis):
        yield StoreUrls(database_url, redis_url)
        return
    if not database_url:
        postgres_binaries()
    if not redis_url:
        redis_server_binary()
    folder = settings.data_dir.absolute() / "embedded"
    starting = FileLock(folder / "start.lock", Mode.EXCLUSIVE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        starting.acquire()
    except OSError as error:
        raise ConfigurationError("DATA_DIR", f"cannot write to {folder}: {error.strerror}") from None
    try:
        # Waits while a leaving keeper, which holds this lock exclusively, stops the servers.
        using = FileLock(folder / "users.lock", Mode.SHARED)
        using.acquire()
        try:
            if FileLock(folder / "keeper.lock", Mode.EXCLUSIVE).is_free():
                _start_keeper(folder, postgres=not database_url, redis=not redis_url, durable=durable)
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            urls = StoreUrls(database_url or state["database_url"], redis_url or state["redis_url"])
            if (postgres and not urls.database) or (redis and not urls.redis):
                raise EmbeddedServerError(
                    f"another process uses {settings.data_dir} with a different DATABASE_URL or REDIS_URL; "
                    "give all processes of a DATA_DIR the same"
                )
        except BaseException:
            using.release()
            raise
    finally:
        starting.release()
    try:
        yield urls
    finally:
        using.release()


def check_database_url(settings: Settings) -> None:
    """Raise ConfigurationError for a DATABASE_URL that libpq cannot read; one that is unset is fine."""
    if settings.database_url is None:
        return
    # Here, so that an ingester, which has no database, does not load psycopg.
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(settings.database_url.get_secret_value())
    except ProgrammingError:  # its text may quote the password
        raise ConfigurationError(
            "DATABASE_URL",
            "is no URL that PostgreSQL reads; expected postgresql://user:password@host:5432/name",
        ) from None


def _start_keeper(folder: Path, *, postgres: bool, redis: bool, durable: bool) -> None:
    """Start the keeper and wait for its one line: `ready`, or what went wrong."""
    command = [sys.executable, "-m", "app.adapters.embedded.keeper", str(folder)]
    command += ["--postgres"] * postgres + ["--redis"] * redis + ["--fast"] * (not durable)
    log = folder / "keeper.log"
    with log.open("ab") as errors:
        keeper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            cwd="/",
        )
    assert keeper.stdout is not None
    with keeper.stdout as out:
        keeper.wait()  # it forks at once and goes on in its child
        line = out.readline().decode().strip()
    if line != "ready":
        raise EmbeddedServerError(f"{line or 'the embedded servers did not start'}; see {log}")
