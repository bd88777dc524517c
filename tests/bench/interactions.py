"""What a signed command costs: `gatehouse web` with everything on, against a bare ASGI function that only verifies.

Server on one core, load generator and stores on the other; rounds interleaved; CPU time per request, so a shared
machine spoils little. Limits are raised, not switched off: every request charges its three windows.

    python -m tests.bench.interactions [--rounds 3] [--requests 12000] [--only NAME]

`BENCH_PEERS=/path/to/a/copy` of ../shared/bench/interactions whose setup.sh has run adds what others serve
interactions with: hikari, Discord's own packages on Flask, express and fastify, flask-discord-interactions, slash-create.
None of them limits or deduplicates. They know one command, `/greet` with two options; a second process of ours has it
too. The bars: at least 0.7 of the floor, faster than every peer, below 120 MB.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop
from nacl.signing import SigningKey

from app.adapters.embedded import embedded_stores
from app.adapters.postgres.migrate import migrate
from app.settings import Settings
from tests.fixtures.load import Load, generate
from tests.fixtures.signed_requests import APPLICATION_ID, PING, Requests

SERVER_CPU, LOAD_CPU = 0, 1
BAR = 0.7
MOST_MB = 120
UVICORN = [
    "-m",
    "uvicorn",
    "--no-access-log",
    "--log-level",
    "warning",
    "--loop",
    "uvloop",
    "--http",
    "httptools",
]


GUNICORN = "-b 127.0.0.1:{port} -w 1 -k gthread --threads 8 --keep-alive 60 --log-level error".split()
OURS = "gatehouse web"
GREET = PING | {
    "name": "greet",
    "options": [{"name": "name", "type": 3, "value": "Zoë"}, {"name": "times", "type": 4, "value": 2}],
}


@dataclass
class Server:
    """One server under test. `share`: part of the requests that it is given; a slow one needs no more."""

    name: str
    command: list[str]
    path: str = "/interactions"
    cwd: Path | None = None
    data: dict[str, Any] = field(default_factory=lambda: PING)
    share: float = 1.0
    cpu_us: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    memory_mb: float = 0.0


def servers() -> list[Server]:
    """Ours, the floor, and the peers that can be run here."""
    found = [
        Server(
            "floor: bare ASGI + PyNaCl + orjson",
            [sys.executable, *UVICORN, "tests.bench.floor:app", "--port", "{port}"],
        ),
        Server(OURS, [sys.executable, "-m", "app", "web"]),
    ]
    peers = os.environ.get("BENCH_PEERS")
    return found if peers is None else found + _with_peers(Path(peers))


def _with_peers(folder: Path) -> list[Server]:
    """Ours with `/greet`, and the peers of a prepared copy."""
    python, servers, node = str(folder / ".bench-env/bin/python"), folder / "servers", folder / "node"

    def peer(
        name: str, command: list[str], cwd: Path, path: str = "/interactions", share: float = 1.0
    ) -> Server:
        return Server(name, command, path, cwd, GREET, share)

    hikari = [python, "hikari_restbot.py", "{port}"]
    gunicorn = [python, "-m", "gunicorn", *GUNICORN]
    return [
        Server(f"{OURS}, /greet", [sys.executable, "-m", "tests.bench.greeting"], data=GREET),
        peer("hikari RESTBot, asyncio", hikari, servers, "/"),
        peer("hikari RESTBot, uvloop", [*hikari, "uvloop"], servers, "/"),
        peer("discord-interactions on fastify 5", ["node", "official_fastify.js"], node),
        peer("discord-interactions on express 4", ["node", "official_express.js"], node),
        peer("discord-interactions on Flask", [*gunicorn, "official_flask:app"], servers),
        peer("flask-discord-interactions", [*gunicorn, "flask_di:app"], servers, share=0.3),
        peer("slash-create on fastify 4", ["node", "slash_create_fastify.js"], node, share=0.1),
    ]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: Server, environment: dict[str, str]) -> Iterator[tuple[psutil.Process, int]]:
    """Start it on its own core and wait until it accepts connections."""
    port = free_port()
    command = [part.replace("{port}", str(port)) for part in server.command]
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CPU), *command],
        env={**os.environ, **environment, "PORT": str(port), "NODE_ENV": "production"},
        cwd=server.cwd,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{server.name} did not start") from None
                time.sleep(0.05)
        yield psutil.Process(process.pid), port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def measure(server: Server, environment: dict[str, str], key: SigningKey, count: int, seed: int) -> None:
    """One round: warm up, then count CPU time over the requests."""
    requests, count = Requests(key, seed, ahead_ms=60_000), int(count * server.share)
    with running(server, environment) as (process, port):
        if server.name.startswith(OURS):
            time.sleep(1.5)  # the socket listens before the stores are open
        uvloop.run(generate(port, list(requests.commands(count // 12, server.path, server.data))))
        prepared = list(requests.commands(count, server.path, server.data))
        before = cpu_seconds(process)
        load: Load = uvloop.run(generate(port, prepared))
        after = cpu_seconds(process)
        if load.statuses[200] != count or not all(
            b'"type":4' in body.replace(b" ", b"") for body in load.bodies
        ):
            raise SystemExit(f"{server.name} answered {dict(load.statuses)} {list(load.bodies)[:1]}")
        server.cpu_us.append((after - before) / count * 1e6)
        server.per_second.append(count / load.seconds)
        server.p99_ms.append(load.percentile(0.99))
        used = sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
        server.memory_mb = max(server.memory_mb, used / 2**20)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a server's processes so far."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(used.user + used.system for used in times)


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--requests", type=int, default=12_000)
    options.add_argument("--only", default="")
    arguments = options.parse_args()
    key = SigningKey.generate()
    tested = [server for server in servers() if arguments.only in server.name]
    os.sched_setaffinity(0, {LOAD_CPU})
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        given = {
            "DATA_DIR": folder,
            **{k: os.environ[k] for k in ("DATABASE_URL", "REDIS_URL") if k in os.environ},
        }
        stores = stack.enter_context(embedded_stores(Settings.from_environment(given), durable=False))
        migrate(stores.database)
        environment = {
            "DATABASE_URL": stores.database,
            "REDIS_URL": stores.redis,
            "DATA_DIR": folder,
            "DISCORD_PUBLIC_KEY": key.verify_key.encode().hex(),
            "DISCORD_APPLICATION_ID": str(APPLICATION_ID),
            "LIMIT_USER": "1000/1",
            "LIMIT_USER_COMMAND": "1000/1",
            "LIMIT_GUILD": "1000/1",
            "LOG_LEVEL": "warning",
        }
        for round_ in range(arguments.rounds):
            for server in tested if round_ % 2 == 0 else tested[::-1]:
                measure(server, environment, key, arguments.requests, seed=round_)
    return report(tested)


def report(tested: list[Server]) -> int:
    """Print medians and the ratio to the floor."""
    floor = next((statistics.median(s.cpu_us) for s in tested if s.name.startswith("floor")), None)
    print(
        f"{'server':38} {'CPU µs/request':>15} {'of the floor':>13} {'requests/s':>11} {'p99 ms':>7} {'MB':>5}"
    )
    ours = None
    for server in tested:
        cpu = statistics.median(server.cpu_us)
        share = "" if floor is None else f"{floor / cpu:.2f}"
        print(
            f"{server.name:38} {cpu:15.1f} {share:>13} {statistics.median(server.per_second):11.0f}"
            f" {statistics.median(server.p99_ms):7.2f} {server.memory_mb:5.0f}"
        )
        if server.name == OURS:
            ours = server
    if ours is None or floor is None:
        return 0
    cpu = statistics.median(ours.cpu_us)
    missed = [f"{floor / cpu:.2f} of the floor, not {BAR}"] if floor / cpu < BAR else []
    missed += [
        f"slower than {s.name}"
        for s in tested
        if not s.name.startswith((OURS, "floor")) and statistics.median(s.cpu_us) < cpu
    ]
    missed += [f"{ours.memory_mb:.0f} MB, more than {MOST_MB}"] if ours.memory_mb > MOST_MB else []
    print("; ".join(missed) or "bars met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
