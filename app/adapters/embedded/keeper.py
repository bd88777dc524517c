"""The keeper of a DATA_DIR's servers: `python -m app.adapters.embedded.keeper FOLDER [--postgres] [--redis] [--fast]`.

Prints `ready`, or one line that says what is wrong, and then stays until no process uses the folder any more. A
server that dies meanwhile (kill -9, out of memory) is started again under the same URL, which its users hold.
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
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import psycopg
import redis

from app.adapters.embedded.binaries import postgres_binaries, redis_server_binary
from app.adapters.embedded.locks import FileLock, Mode
from app.adapters.embedded.unprivileged import as_ordinary_user, die_with_parent

START_SECONDS = 60
LINGER_SECONDS = 0.2
"""Servers stay this long after their last user, so that one command after another does not restart them."""
PAUSE_FIRST, PAUSE_CAP = 0.1, 30.0
"""Before a dead server is started again; twice as long each time, until one has lived for PAUSE_CAP seconds."""


class ServerFailed(Exception):
    """A server ended or stayed silent while it should start."""


class Postgres:
    """A PostgreSQL cluster that listens on a Unix socket only, in a folder that only its owner can enter."""

    name = "PostgreSQL"

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
        self._drop = as_ordinary_user([self._data, self._socket], signal.SIGINT)
        if not (self._data / "PG_VERSION").exists():
            self._initdb()
        self.spawn()
        admin = self.url.replace("/gatehouse?", "/postgres?")
        _wait(self.process, self.name, self._log, lambda: psycopg.connect(admin, connect_timeout=2).close())
        with psycopg.connect(admin, autocommit=True) as conn:
            if not conn.execute("SELECT 1 FROM pg_database WHERE datname = 'gatehouse'").fetchone():
                conn.execute("CREATE DATABASE gatehouse")

    def spawn(self) -> None:
        """Start the server on its cluster, and do not wait."""
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
        self.process = _spawn(command, self._log, self._drop)

    def _initdb(self) -> None:
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "gatehouse", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"] + ["--no-sync"] * self._fast
        with self._log.open("ab") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, preexec_fn=self._drop, cwd="/", check=False
            )
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed; see {self._log}")

    def stop(self) -> None:
        """Stop in fast mode: sessions are ended, data is safe."""
        _stop(self.process, signal.SIGINT)
        shutil.rmtree(self._socket, ignore_errors=True)


class RedisServer:
    """A redis-server on a free loopback port with a random password and an append-only file."""

    name = "redis-server"

    def __init__(self, folder: Path, *, fast: bool) -> None:
        self._data = folder / "redis"
        self._config = self._data / "redis.conf"
        self._log = folder / "redis.log"
        self._fast = fast
        self._password = secrets.token_urlsafe(24)
        self._port = _free_port()
        self.url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until its data is loaded."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._config.touch(mode=0o600)
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
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.spawn()

        def ping() -> None:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                client.ping()

        _wait(self.process, self.name, self._log, ping)

    def spawn(self) -> None:
        """Start the server on its data, and do not wait."""
        command = [str(redis_server_binary()), str(self._config)]
        self.process = _spawn(command, self._log, die_with_parent(signal.SIGTERM))

    def stop(self) -> None:
        """Stop after saving."""
        _stop(self.process, signal.SIGTERM)


Server = Postgres | RedisServer
News = SimpleQueue[tuple[Server, float] | None]
"""A server that has to be started again and how long that was waited for, or None: the last user has left."""


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
    servers: list[Server] = []
    started: list[Server] = []
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
        _keep(folder, servers)
    except ServerFailed as error:
        print(error, flush=True)
        return 1
    finally:
        for server in reversed(started):
            server.stop()
        (folder / "state.json").unlink(missing_ok=True)
    return 0


def _publish(folder: Path, servers: list[Server]) -> None:
    state = {"keeper_pid": os.getpid(), "database_url": "", "redis_url": ""}
    for server in servers:
        state["database_url" if isinstance(server, Postgres) else "redis_url"] = server.url
    path = folder / "state.json.new"
    path.touch(mode=0o600)
    path.write_text(json.dumps(state), encoding="utf-8")
    path.replace(folder / "state.json")


def _keep(folder: Path, servers: list[Server]) -> None:
    """Start again what dies, until the last user leaves or SIGTERM comes.

    Other threads wait, this one acts: the kernel ends a server with the thread that started it (PR_SET_PDEATHSIG).
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    news: News = SimpleQueue()
    try:
        _in_background(_wait_for_last_user, folder, news)
        for server in servers:
            _in_background(_wait_for_death, server, PAUSE_FIRST, news)
        while (dead := news.get()) is not None:
            server, pause = dead
            try:
                server.spawn()
            except (OSError, subprocess.SubprocessError) as error:
                _say(f"{server.name} cannot be started: {error}")
            _in_background(_wait_for_death, server, min(2 * pause, PAUSE_CAP), news)
    except KeyboardInterrupt:
        return


def _in_background(wait: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=wait, args=arguments, daemon=True).start()


def _wait_for_last_user(folder: Path, news: News) -> None:
    """Report when nobody holds the users' lock; it stays ours until this process ends."""
    users = FileLock(folder / "users.lock", Mode.EXCLUSIVE)
    while True:
        users.acquire()
        users.release()
        time.sleep(LINGER_SECONDS)
        if users.acquire(wait=False):
            news.put(None)
            return


def _wait_for_death(server: Server, pause: float, news: News) -> None:
    """Report, after a pause, that a server has to be started again."""
    started = time.monotonic()
    status = server.process.wait()
    if time.monotonic() - started > PAUSE_CAP:
        pause = PAUSE_FIRST
    _say(f"{server.name} ended with exit status {status}; starting it again in {pause:g} s")
    time.sleep(pause)
    news.put((server, pause))


def _say(text: str) -> None:
    """Write a line to keeper.log, which is our standard error."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
