"""Processes of a running system end, by order or by force, and come back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .conftest import System

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


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
