"""The whole system, as `make run` starts it, on free ports and a data folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from anyio.from_thread import start_blocking_portal

from tests.fixtures.openai import Provider, serve_provider

START_SECONDS = 90


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclass
class System:
    """A running system and how to act in it."""

    process: subprocess.Popen[str]
    data: Path
    page: str
    environment: dict[str, str]
    output: Path
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def admin(self, method: str, path: str, **json_body: Any) -> Any:
        """Call the sandbox's admin API; a refusal fails the test."""
        answer = self.http.request(method, f"{self.page}/sandbox{path}", json=json_body or None)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def database(self) -> psycopg.Connection:
        """A connection to the system's database."""
        state = json.loads((self.data / "embedded/state.json").read_text())
        return psycopg.connect(state["database_url"], autocommit=True)

    def redis_url(self) -> str:
        """The system's Redis."""
        return str(json.loads((self.data / "embedded/state.json").read_text())["redis_url"])

    def children(self) -> dict[str, int]:
        """Processes of the supervisor by what they run."""
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            found[" ".join(part for part in command[2:4] if part)] = int(pid)
        return found

    def gatehouse(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand with the environment of this system."""
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def start_system(
    folder: Path, *, program: Sequence[str] = ("-m", "app", "sandbox", "up"), **variables: str
) -> System:
    """Start everything; `variables` are added to the environment of all processes. `program`: for python."""
    page, web, first, manager, worker = free_ports(5)
    environment = {
        **{
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("DISCORD_", "DATABASE_", "REDIS_", "OPENAI_"))
        },
        "DATA_DIR": str(folder / "data"),
        "SANDBOX_PORT": str(page),
        "PORT": str(web),
        "HEALTH_PORT": str(first),
        "MANAGER_HEALTH_PORT": str(manager),
        "WORKER_HEALTH_PORT": str(worker),
        **variables,
    }
    output = folder / "output.txt"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, *program],
            env=environment,
            stdout=out,
            stderr=out,
            text=True,
            cwd=folder,
        )
    system = System(
        process, folder / "data", f"http://127.0.0.1:{environment['SANDBOX_PORT']}", environment, output
    )
    deadline = time.monotonic() + START_SECONDS
    while "Gatehouse is running" not in output.read_text():
        assert process.poll() is None, output.read_text()[-3000:]
        assert time.monotonic() < deadline, output.read_text()[-3000:]
        time.sleep(0.1)
    credentials = system.admin("GET", "/credentials")
    environment |= {name: str(value) for name, value in credentials.items()}
    return system


def stop_system(system: System) -> int:
    system.http.close()
    if system.process.poll() is None:
        system.process.send_signal(signal.SIGINT)
    try:
        return system.process.wait(30)
    except subprocess.TimeoutExpired:
        system.process.kill()
        raise


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """An HTTP server in OpenAI's place, in a thread, that every process of the module's system is given."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve_provider()) as served:
        yield served


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[System]:
    """One running system for the tests of a module."""
    openai = {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "a key of the tests"}
    started = start_system(tmp_path_factory.mktemp("system"), **openai)
    yield started
    stop_system(started)
