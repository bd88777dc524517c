"""`python -m sandbox` as its own process: start, restart, stop, wrong use."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fixtures.sandbox import AGENT

pytestmark = pytest.mark.process


@contextmanager
def running(data_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--data-dir", str(data_dir), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[1]
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/api/v10/gateway", headers={"User-Agent": AGENT})
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def client(url: str, token: str) -> httpx.Client:
    headers = {"User-Agent": AGENT, "Authorization": f"Bot {token}"}
    return httpx.Client(base_url=f"{url}/api/v10", headers=headers, timeout=30)


def test_restart_keeps_the_world_and_sigterm_is_an_ordinary_end(tmp_path: Path) -> None:
    with running(tmp_path) as (process, url):
        credentials = httpx.get(f"{url}/sandbox/credentials").json()
        assert credentials["DISCORD_API_BASE"] == f"{url}/api/v10"
        with client(url, credentials["DISCORD_TOKEN"]) as discord:
            guild = discord.get("/users/@me/guilds").json()[0]["id"]
            channels = discord.get(f"/guilds/{guild}/channels").json()
            general = next(c["id"] for c in channels if c["name"] == "general")
            sent = discord.post(f"/channels/{general}/messages", json={"content": "remember me"}).json()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    with running(tmp_path) as (_, url), client(url, credentials["DISCORD_TOKEN"]) as discord:
        again = discord.get(f"/channels/{general}/messages/{sent['id']}")
        assert again.json()["content"] == "remember me"


def test_a_killed_sandbox_keeps_what_was_saved(tmp_path: Path) -> None:
    with running(tmp_path) as (process, url):
        token = httpx.get(f"{url}/sandbox/credentials").json()["DISCORD_TOKEN"]
        with client(url, token) as discord:
            guild = discord.get("/users/@me/guilds").json()[0]["id"]
            body = {"name": "kept-after-a-kill", "type": 0}
            assert discord.post(f"/guilds/{guild}/channels", json=body).status_code == 201
        deadline = time.monotonic() + 60
        while not any(b"kept-after-a-kill" in file.read_bytes() for file in tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.wait()
    with running(tmp_path) as (_, url), client(url, token) as discord:
        names = [c["name"] for c in discord.get(f"/guilds/{guild}/channels").json()]
        assert "kept-after-a-kill" in names


def test_a_folder_serves_one_sandbox(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("not the sandbox's")
    with running(tmp_path):
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--data-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "does another sandbox use this folder?" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    with running(tmp_path, "--reset"):
        assert (tmp_path / "note.txt").exists()


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "sandbox", "--port", str(port), "--data-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"sandbox: cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --port"
    ]


def test_help_and_wrong_options(tmp_path: Path) -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "sandbox", "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert helped.returncode == 0
    for option in (
        "--port",
        "--data-dir",
        "--reset",
        "--max-concurrency",
        "--identify-limit",
        "--limits-scale",
    ):
        assert option in helped.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "sandbox", "--shards", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert wrong.returncode == 2
