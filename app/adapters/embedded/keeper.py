"""The keeper of a DATA_DIR's servers: `python -m app.adapters.embedded.keeper FOLDER [--postgres] [--redis] [--fast]`.

Prints `ready`, or one line that says what is wrong, and then stays until no process uses the folder any more.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis

from app.adapters.embedded.binaries import postgres_binaries, redis_server_binary
from app.adapters.embedded.locks import FileLock, Mode
from app.adapters.embedded.unprivileged import as_ordinary_user, die_with_parent

START_SECONDS = 60
LINGER_SECONDS = 0.2
"""Servers stay this long after their last user, so that one command after another does not restart them."""


class ServerFailed(Exception):
    """A server ended or stayed silent while it should start."""


class Postgres:
    """A PostgreSQL cluster that listens on a Unix socket only, in a folder that only its owner can enter."""

    def __init__(self, folder: Path, *, fast: bool) -> None:
        self._data = folder / "postgres"
        self._log = folder / "postgres.log"
        # A Unix socket's path may have 107 bytes: DATA_DIR can be longer.
        self._socket = Path(tempfile.mkdtemp(prefix="gatehouse-"))
        self._fast = fast
        self._binaries = postgres_binaries()
        self.url = f"postgresql://gatehouse@/gatehouse?host={self._socket}"

    def start(self) -> None:
        """Create the cluster if there is none, start the server, wait, create the database."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        drop = as_ordinary_user([self._data, self._socket], signal.SIGINT)
        if not (self._data / "PG_VERSION").exists():
            self._initdb(drop)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket),
            "max_connections": "300",
            "shared_buffers": "128MB",
            "log_min_messages": "warning",
        }
        if self._fast:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = _spawn(command, self._log, drop)
        admin = self.url.replace("/gatehouse?", "/postgres?")
        _wait(
            self.process, "PostgreSQL", self._log, lambda: psycopg.connect(admin, connect_timeout=2).close()
        )
        with psycopg.connect(admin, autocommit=True) as conn:
            if not conn.execute("SELECT 1 FROM pg_database WHERE datname = 'gatehouse'").fetchone():
                conn.execute("CREATE DATABASE gatehouse")

    def _initdb(self, drop: Callable[[], None]) -> None:
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "gatehouse", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"] + ["--no-sync"] * self._fast
        with self._log.open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, preexec_fn=drop, cwd="/", check=False)
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed; see {self._log}")

    def stop(self) -> None:
        """Stop in fast mode: sessions are ended, data is safe."""
        _stop(self.process, signal.SIGINT)
        shutil.rmtree(self._socket, ignore_errors=True)


class RedisServer:
    """A redis-server on a free loopback port with a random password and an append-only file."""

    def __init__(self, folder: Path, *, fast: bool) -> None:
        self._data = folder / "redis"
        self._log = folder / "redis.log"
        self._fast = fast
        self._password = secrets.token_urlsafe(24)
        self._port = _free_port()
        self.url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until its data is loaded."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        config = self._data / "redis.conf"
        config.touch(mode=0o600)
        # In a file, since a command line can be read by every user of the machine.
        lines = [
            "bind 127.0.0.1",
            f"port {self._port}",
            f"requirepass {self._password}",
            f"dir {json.dumps(str(self._data))}",
            "appendonly no" if self._fast else "appendonly yes",
            "appendfsync everysec",
            'save ""' if self._fast else "save 300 100",
            "maxmemory-policy noeviction",
        ]
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.process = _spawn(
            [str(redis_server_binary()), str(config)], self._log, die_with_parent(signal.SIGTERM)
        )

        def ping() -> None:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                client.ping()

        _wait(self.process, "redis-server", self._log, ping)

    def stop(self) -> None:
        """Stop after saving."""
        _stop(self.process, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _spawn(command: list[str], log: Path, before: Callable[[], None]) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=before, cwd="/"
        )


def _wait(process: subprocess.Popen[bytes], name: str, log: Path, probe: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            probe()
            return
        except (psycopg.OperationalError, redis.RedisError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{name} did not start; see {log}") from None
        time.sleep(0.03)


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(arguments: list[str]) -> int:
    """Keep the servers of a folder. Exit status 0 after a clean stop, 1 when one did not start."""
    if os.fork():  # the process that started us waits for this one; the servers outlive it
        os._exit(0)
    folder, flags = Path(arguments[0]), set(arguments[1:])
    fast = "--fast" in flags
    mine = FileLock(folder / "keeper.lock", Mode.EXCLUSIVE)
    if not mine.acquire(wait=False):
        print("another keeper runs", flush=True)
        return 1
    servers: list[Postgres | RedisServer] = []
    started: list[Postgres | RedisServer] = []
    if "--redis" in flags:
        servers.append(RedisServer(folder, fast=fast))
    if "--postgres" in flags:
        servers.append(Postgres(folder, fast=fast))
    try:
        for server in servers:
            server.start()
            started.append(server)
        _publish(folder, servers)
        print("ready", flush=True)
        sys.stdout.close()
        _wait_for_last_user(folder)
    except ServerFailed as error:
        print(error, flush=True)
        return 1
    finally:
        for server in reversed(started):
            server.stop()
        (folder / "state.json").unlink(missing_ok=True)
    return 0


def _publish(folder: Path, servers: list[Postgres | RedisServer]) -> None:
    state = {"keeper_pid": os.getpid(), "database_url": "", "redis_url": ""}
    for server in servers:
        state["database_url" if isinstance(server, Postgres) else "redis_url"] = server.url
    path = folder / "state.json.new"
    path.touch(mode=0o600)
    path.write_text(json.dumps(state), encoding="utf-8")
    path.replace(folder / "state.json")


def _wait_for_last_user(folder: Path) -> None:
    """Return when nobody holds the users' lock; it stays ours until this process ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    users = FileLock(folder / "users.lock", Mode.EXCLUSIVE)
    try:
        while True:
            users.acquire()
            users.release()
            time.sleep(LINGER_SECONDS)
            if users.acquire(wait=False):
                return
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
