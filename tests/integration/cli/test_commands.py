"""`gatehouse commands` against a real HTTP server that keeps commands as Discord does."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from app.cli.commands import NotConfirmed, commands, current_manifest

APPLICATION = 1_100_000_000_000_000_001
TOKEN = "token-that-is-secret"


class Discord(ThreadingHTTPServer):
    """Keeps the commands of every scope; `status` and `error` make it refuse."""

    daemon_threads = True

    def __init__(self, valid: Callable[[str, Any], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.valid = valid
        self.scopes: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.problems: list[str] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/v10"

    def puts(self) -> list[str]:
        return [path for method, path in self.requests if method == "PUT"]


class _Handler(BaseHTTPRequestHandler):
    server: Discord
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.server.requests.append(("GET", path))
        if path.endswith("/commands") and query != "with_localizations=true":
            self.server.problems.append(f"GET {self.path}: without localisations")
        self._answer(self.server.scopes.get(path, []))

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(("PUT", self.path))
        name = (
            "bulk_set_guild_application_commands"
            if "/guilds/" in self.path
            else "bulk_set_application_commands"
        )
        try:
            self.server.valid(name, body)
        except AssertionError as error:
            self.server.problems.append(str(error))
        if self.server.refusal is None:
            self.server.scopes[self.path] = [
                {"application_id": str(APPLICATION), "version": "1", "description": ""}
                | command
                | {"id": command.get("id", str(number))}
                for number, command in enumerate(body, 1)
            ]
        self._answer(self.server.scopes.get(self.path, []))

    def _answer(self, content: Any) -> None:
        status = 200
        if self.headers["authorization"] != f"Bot {TOKEN}":
            status, content = 401, {"message": "401: Unauthorized", "code": 0}
        elif self.server.refusal is not None:
            status, content = self.server.refusal
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def discord(assert_discord_valid: Callable[[str, Any], None]) -> Iterator[Discord]:
    with Discord(assert_discord_valid) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        assert server.problems == []


@pytest.fixture
def run(
    discord: Discord, monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str, tmp_path: Path
) -> Callable[..., Result]:
    for name, value in {
        "DISCORD_API_BASE": discord.base,
        "DISCORD_TOKEN": TOKEN,
        "DISCORD_APPLICATION_ID": str(APPLICATION),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path),
        "GIT_REVISION": "abc123",
    }.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(commands, arguments, input=answer)

    return invoke


GLOBAL = f"/api/v10/applications/{APPLICATION}/commands"
GUILD = f"/api/v10/applications/{APPLICATION}/guilds/42/commands"
OLD = {"id": "7", "type": 1, "name": "ancient", "description": "Gone"}


def rows(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(
            "SELECT guild_id, version, git_revision, commands, changes FROM interactions.registrations ORDER BY id"
        ).fetchall()


def test_a_first_sync_registers_everything_and_a_second_sends_nothing(
    run: Callable[..., Result], discord: Discord, database_url: str
) -> None:
    first = run("sync")
    assert first.exit_code == 0, first.output
    assert "+ /ping" in first.output
    assert "globally: " in first.output
    version = current_manifest().version
    assert f"version {version} from git abc123" in first.output
    second = run("sync")
    assert second.exit_code == 0, second.output
    assert "nothing to change" in second.output
    assert discord.puts() == [GLOBAL]
    number = len(current_manifest().commands)
    assert rows(database_url) == [(0, version, "abc123", number, number)]


def test_the_record_tells_a_new_revision_of_the_same_commands(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    run("sync")
    monkeypatch.setenv("GIT_REVISION", "def456")
    run("sync")
    run("sync")
    assert [(row[2], row[4] > 0) for row in rows(database_url)] == [("abc123", True), ("def456", False)]


def test_only_what_differs_is_shown(run: Callable[..., Result], discord: Discord) -> None:
    run("sync")
    ping = next(one for one in discord.scopes[GLOBAL] if one["name"] == "ping")
    ping["description"] = "Something else"
    shown = run("diff")
    assert shown.exit_code == 0
    assert (
        "~ /ping\n    description: 'Something else' -> 'Check that I am there, and how fast'" in shown.output
    )
    assert "/help" not in shown.output
    assert run("diff", "--exit-code").exit_code == 1
    assert discord.puts() == [GLOBAL], "a diff sends nothing"
    run("sync")
    assert run("diff", "--exit-code").exit_code == 0


def test_deleting_asks_first(run: Callable[..., Result], discord: Discord) -> None:
    run("sync")
    discord.scopes[GLOBAL].append(copy.deepcopy(OLD))
    for answer in ("n\n", "\n", None):
        refused = run("sync", answer=answer)
        assert refused.exit_code == 1
        assert "Delete ancient?" in refused.output
        assert isinstance(refused.exception, NotConfirmed)
        assert "--yes" in refused.exception.for_operator()
    assert discord.puts() == [GLOBAL]
    agreed = run("sync", answer="y\n")
    assert agreed.exit_code == 0, agreed.output
    assert "ancient" not in [one["name"] for one in discord.scopes[GLOBAL]]


def test_yes_deletes_without_asking(run: Callable[..., Result], discord: Discord) -> None:
    discord.scopes[GLOBAL] = [copy.deepcopy(OLD)]
    done = run("sync", "--yes")
    assert done.exit_code == 0, done.output
    assert "- /ancient" in done.output
    assert "1 to delete" in done.output


def test_a_guild_gets_guild_commands(run: Callable[..., Result], discord: Discord, database_url: str) -> None:
    done = run("sync", "--guild", "42")
    assert done.exit_code == 0, done.output
    assert "in server 42" in done.output
    assert discord.puts() == [GUILD]
    assert all("contexts" not in one for one in discord.scopes[GUILD])
    assert "nothing to change" in run("sync", "--guild", "42").output
    assert rows(database_url)[0][0] == 42
    assert run("sync", "--guild", "0").exit_code == 2
    assert run("sync", "--guild", "x").exit_code == 2


def test_an_entry_point_command_survives(run: Callable[..., Result], discord: Discord) -> None:
    entry = {"id": "9", "type": 4, "name": "launch", "description": "", "handler": 2, "contexts": [0]}
    discord.scopes[GLOBAL] = [entry]
    done = run("sync")
    assert done.exit_code == 0, done.output
    assert "left alone: launch" in done.output
    assert next(one for one in discord.scopes[GLOBAL] if one["type"] == 4)["handler"] == 2


def test_the_manifest_can_be_written_and_checked(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "commands.json"
    assert run("manifest", "--output", str(file)).exit_code == 0
    assert run("manifest", "--check", str(file)).exit_code == 0
    assert file.read_text() == run("manifest").output
    file.write_text("{}")
    changed = run("manifest", "--check", str(file))
    assert changed.exit_code == 1
    assert f"--output {file}" in str(changed.exception)


def gatehouse(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DISCORD_")}
    return subprocess.run(
        [sys.executable, "-m", "app", "commands", *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.process
def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    failed = gatehouse("sync", DATA_DIR=str(tmp_path))
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == "gatehouse: DISCORD_TOKEN: is not set\n"
    failed = gatehouse("diff", DATA_DIR=str(tmp_path), DISCORD_TOKEN="x")
    assert failed.returncode == 2
    assert "DISCORD_APPLICATION_ID" in failed.stderr


@pytest.mark.process
def test_what_discord_refuses_is_one_clear_line(run: Callable[..., Result], discord: Discord) -> None:
    failed = gatehouse(
        "sync", DISCORD_API_BASE=discord.base, DISCORD_TOKEN="wrong", DISCORD_APPLICATION_ID="5"
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("gatehouse: E002: ")
    assert failed.stderr.count("\n") == 1
    errors = {"0": {"name": {"_errors": [{"code": "APPLICATION_COMMAND_TOO_LARGE", "message": "Too large"}]}}}
    discord.refusal = (400, {"message": "Invalid Form Body", "code": 50035, "errors": errors})
    environment = {
        "DISCORD_API_BASE": discord.base,
        "DISCORD_TOKEN": TOKEN,
        "DISCORD_APPLICATION_ID": str(APPLICATION),
    }
    failed = gatehouse("sync", **environment)
    assert failed.returncode == 1
    assert "50035" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert TOKEN not in failed.stderr
