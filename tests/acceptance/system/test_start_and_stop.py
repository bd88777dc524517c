"""`make run` from start to Ctrl-C: what an operator sees, and that nothing is left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import free_ports, start_system, stop_system

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


def test_twice_is_refused_and_neither_ctrl_c_nor_kill_9_leaves_anything(tmp_path: Path) -> None:
    system = start_system(tmp_path)
    again = system.gatehouse("sandbox", "up")
    assert again.returncode == 1
    assert f"already runs in {system.data}: {system.page}" in again.stderr
    assert stop_system(system) == 0
    wait_gone(system.data)
    text = system.output.read_text()
    assert "Traceback" not in text
    # It starts again on the same data; then its supervisor is killed, and everything goes with it.
    ports = {name: value for name, value in system.environment.items() if name.endswith("PORT")}
    second = start_system(tmp_path, **ports)
    second.http.close()
    second.process.kill()
    second.process.wait()
    wait_gone(second.data)


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
