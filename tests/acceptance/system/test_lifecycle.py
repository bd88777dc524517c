"""`make run` from start to Ctrl-C: what an operator sees, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from .conftest import System, free_ports, start_system, stop_system

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


def processes_of(data: Path) -> list[str]:
    """Command lines of processes that know the data folder by environment or arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                known = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue  # ended meanwhile
            if str(data).encode() in known and (entry / "cmdline").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def wait_gone(data: Path) -> None:
    deadline = time.monotonic() + 30
    while left := processes_of(data):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_twice_is_refused_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    system = start_system(tmp_path)
    again = system.gatehouse("sandbox", "up")
    assert again.returncode == 1
    assert f"already runs in {system.data}: {system.page}" in again.stderr
    assert stop_system(system) == 0
    wait_gone(system.data)
    text = system.output.read_text()
    assert "Traceback" not in text
    # and it starts again on the same data
    second = start_system(tmp_path)
    assert stop_system(second) == 0
    wait_gone(system.data)


def test_a_killed_supervisor_takes_everything_with_it(tmp_path: Path) -> None:
    system = start_system(tmp_path)
    system.http.close()
    system.process.kill()
    system.process.wait()
    wait_gone(system.data)


@pytest.mark.parametrize("variable", ["SANDBOX_PORT", "PORT", "HEALTH_PORT"])
def test_a_taken_port_is_one_clear_line(tmp_path: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        names = ["SANDBOX_PORT", "PORT", "HEALTH_PORT", "MANAGER_HEALTH_PORT", "WORKER_HEALTH_PORT"]
        ports = dict(zip(names, map(str, free_ports(5)), strict=True)) | {
            variable: str(taken.getsockname()[1])
        }
        done = subprocess.run(
            [sys.executable, "-m", "app", "sandbox", "up"],
            env={**os.environ, **ports, "DATA_DIR": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert variable in done.stderr
    assert "taken" in done.stderr


def all_children(system: System) -> dict[str, int]:
    """Wait until every process is there and ready: another test may have stopped one just now."""

    def ready(variable: str) -> bool:
        try:
            url = f"http://127.0.0.1:{system.environment[variable]}/ready"
            return system.http.get(url).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(
        lambda: (
            len(system.children()) == 4
            and all(map(ready, ("PORT", "WORKER_HEALTH_PORT", "HEALTH_PORT", "MANAGER_HEALTH_PORT")))
        ),
        system,
    )
    return system.children()


def test_a_killed_child_is_started_again(system: System) -> None:
    before = all_children(system)
    victim = before["app worker"]
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while (now := system.children()).get("app worker", victim) == victim:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {name: pid for name, pid in now.items() if "worker" not in name} == {
        name: pid for name, pid in before.items() if "worker" not in name
    }


def test_doctor_finds_nothing_wrong_and_shows_no_secret(system: System) -> None:
    done = system.gatehouse("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert system.environment["DISCORD_TOKEN"] not in done.stdout
    assert "DISCORD_TOKEN=********" in done.stdout


@pytest.mark.parametrize("process", ["app web", "app worker", "ingester"])
def test_every_process_ends_cleanly_on_sigterm(system: System, process: str) -> None:
    pid = all_children(system)[process]
    os.kill(pid, signal.SIGTERM)
    ended = f"{process.split()[-1]:<9}| ended with exit status 0; starting it again"
    wait_until(lambda: ended in system.output.read_text(), system)


def test_every_process_ends_cleanly_under_load_and_nothing_is_missed(system: System) -> None:
    """SIGTERM while flagged messages flow: exit status 0, and the processes that follow finish the rest."""
    running = all_children(system)
    with system.database() as conn, ThreadPoolExecutor(1) as pool:
        decisions = "SELECT count(*) FROM moderation.decisions"
        before = conn.execute(decisions).fetchone()[0]  # type: ignore[index]
        body = {
            "messages": 1500,
            "per_second": 250,
            "guild": "The Reading Room",
            "contents": [*["nothing"] * 29, "a badword {n}"],
        }
        loading = pool.submit(httpx.post, f"{system.page}/sandbox/load", json=body, timeout=60)
        for process in ("app worker", "ingester", "app web"):
            ended = f"{process.split()[-1]:<9}| ended with exit status 0; starting it again"
            times = system.output.read_text().count(ended)
            os.kill(running[process], signal.SIGTERM)
            wait_until(lambda: system.output.read_text().count(ended) > times, system)
        assert loading.result().status_code == 200
        wait_until(lambda: conn.execute(decisions).fetchone()[0] - before == 50, system)  # type: ignore[index]
    assert "Traceback" not in system.output.read_text()


def wait_until(holds: Callable[[], bool], system: System) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, system.output.read_text()[-2000:]
        time.sleep(0.1)
