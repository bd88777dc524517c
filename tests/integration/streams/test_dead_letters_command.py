"""`gatehouse dead-letters` as an operator runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_sync
from click.testing import CliRunner, Result

from app.cli.dead_letters import NoSuchDeadLetter, dead_letters
from app.events.messages import MessageCreated
from app.streams import names
from app.streams.dead_letters import letter_fields
from app.streams.entry import Entry
from tests.fixtures.streams import guild_in, message_envelope

SECRET = "what the member wrote"


@pytest.fixture
def run(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(dead_letters, arguments)

    return invoke


@pytest.fixture
def client(redis_url: str) -> Iterator[redis_sync.Redis]:
    with redis_sync.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def letters(client: redis_sync.Redis) -> list[str]:
    """Two dead letters of the group `moderation`."""
    made = []
    for number in (1, 2):
        envelope = message_envelope(guild_in(3), number, content=SECRET)
        entry = Entry(3, b"%d-0" % number, guild_in(3), envelope.to_fields())
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            fields = letter_fields(entry, "app.x.check", failures=5, why="attempts", error=error)
        made.append(client.xadd(names.dead("moderation"), fields).decode())
    return made


def test_nothing_is_there(run: Callable[..., Result]) -> None:
    result = run("list")
    assert (result.exit_code, result.output) == (0, "No dead letters.\n")


def test_letters_are_listed_and_shown_without_what_was_written(
    run: Callable[..., Result], letters: list[str]
) -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split()[:2] for line in lines] == [["moderation", letters[1]], ["moderation", letters[0]]]
    assert "MESSAGE_CREATE" in lines[0]
    assert "attempts after 5  ValueError" in lines[0]
    assert run("list", "moderation", "--limit", "1").output.count("\n") == 1
    shown = run("show", "moderation", letters[0])
    assert shown.exit_code == 0
    assert "app.x.check" in shown.output
    assert f"guild     {guild_in(3)}" in shown.output
    assert "test_dead_letters_command.py" in shown.output
    assert SECRET not in result.output + shown.output
    assert MessageCreated.GATEWAY_EVENT in shown.output


def test_a_letter_is_replayed_to_its_handler(
    run: Callable[..., Result], letters: list[str], client: redis_sync.Redis
) -> None:
    result = run("replay", "moderation", letters[0])
    assert (result.exit_code, result.output) == (0, "1 replayed\n")
    assert client.xlen(names.dead("moderation")) == 1
    assert client.hkeys(names.delayed("moderation", 3)) == [b"1-0|app.x.check"]
    assert client.zscore(names.due("moderation", 3), "1-0|app.x.check") == 0
    assert run("replay", "moderation", "--all").output == "1 replayed\n"
    assert client.xlen(names.dead("moderation")) == 0


def test_letters_are_dropped(
    run: Callable[..., Result], letters: list[str], client: redis_sync.Redis
) -> None:
    assert run("drop", "moderation", "--all").output == "2 dropped\n"
    assert client.xlen(names.dead("moderation")) == 0


@pytest.mark.parametrize("command", ["show", "replay", "drop"])
def test_an_unknown_letter_is_an_error(run: Callable[..., Result], letters: list[str], command: str) -> None:
    result = run(command, "moderation", "1-1")
    assert isinstance(result.exception, NoSuchDeadLetter)
    assert "1-1" in str(result.exception)


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize("arguments", [[], ["1-0", "--all"]])
def test_ids_or_all(run: Callable[..., Result], command: str, arguments: list[str]) -> None:
    result = run(command, "moderation", *arguments)
    assert result.exit_code == 2
    assert "--all" in result.output


def test_scheduled_work_that_was_given_up_is_listed_replayed_and_dropped(
    run: Callable[..., Result], database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO streams.schedule (kind, key, due_at, next_at, payload, attempts, failed_at, error) VALUES "
            "('moderation.unban', 'a/1', now(), now(), '{}', 5, now(), 'File x\nValueError'), "
            "('moderation.unban', 'b', now(), now(), '{}', 5, now(), NULL), "
            "('moderation.unban', 'waiting', now(), now(), '{}', 0, NULL, NULL)"
        )
        listed = run("list").output
        assert listed.count("schedule  moderation.unban/") == 2
        assert "ValueError" in listed
        assert "File x" in run("show", "schedule", "moderation.unban/a/1").output
        assert run("replay", "schedule", "moderation.unban/a/1").output == "1 replayed\n"
        assert run("drop", "schedule", "--all").output == "1 dropped\n"
        row = conn.execute(
            "SELECT count(*), count(failed_at) FROM streams.schedule WHERE kind = 'moderation.unban'"
        ).fetchone()
        assert row == (2, 0)
        result = run("show", "schedule", "moderation.unban/a/1")
        assert isinstance(result.exception, NoSuchDeadLetter)
