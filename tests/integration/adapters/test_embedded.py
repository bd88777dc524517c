from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import redis

from app.adapters.embedded import embedded_stores
from app.adapters.embedded.stores import EmbeddedServerError
from app.errors import ConfigurationError
from app.settings import Settings

pytestmark = pytest.mark.process

USER = """
import sys, time
from app.adapters.embedded import embedded_stores
from app.settings import Settings
with embedded_stores(Settings.from_environment({"DATA_DIR": sys.argv[1]}), durable=False) as urls:
    print("in", flush=True)
    sys.stdin.read()
"""


def settings_for(folder: Path, **more: str) -> Settings:
    return Settings.from_environment({"DATA_DIR": str(folder), **more})


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while alive(pid):
        assert time.monotonic() < deadline, "the keeper stays"
        time.sleep(0.05)


def servers_of(keeper: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]


def redis_get(url: str, key: str) -> Any:
    with redis.Redis.from_url(url) as client:
        return client.get(key)


def first_row(url: str, query: LiteralString) -> Any:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchone()


def when_it_is_back(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except (redis.ConnectionError, psycopg.OperationalError):
            assert time.monotonic() < deadline, "the server stays away"
            time.sleep(0.05)


def test_servers_are_shared_keep_their_data_and_stop_after_the_last_user(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "with space")
    with (
        embedded_stores(settings, durable=False) as first,
        embedded_stores(settings, durable=False) as second,
    ):
        assert first == second
        keeper = json.loads((tmp_path / "with space/embedded/state.json").read_text())["keeper_pid"]
        with psycopg.connect(first.database) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    wait_gone(keeper)
    with embedded_stores(settings, durable=False) as urls, psycopg.connect(urls.database) as conn:
        assert conn.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_redis_data_survives_a_restart_and_needs_a_password(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with embedded_stores(settings) as urls:
        keeper = json.loads((tmp_path / "embedded/state.json").read_text())["keeper_pid"]
        with redis.Redis.from_url(urls.redis) as client:
            client.set("kept", "yes")
            port = client.connection_pool.connection_kwargs["port"]
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    wait_gone(keeper)
    with embedded_stores(settings) as urls, redis.Redis.from_url(urls.redis) as client:
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize("victims", ["users", "keeper"])
def test_nothing_is_left_behind_by_kill_9(tmp_path: Path, victims: str) -> None:
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert user.stdout is not None
    assert user.stdout.readline() == b"in\n"
    state = json.loads((tmp_path / "embedded/state.json").read_text())
    keeper = state["keeper_pid"]
    children = servers_of(keeper)
    assert len(children) == 2
    if victims == "keeper":
        os.kill(keeper, signal.SIGKILL)
    user.kill()
    user.communicate()
    for pid in [keeper, *children]:
        wait_gone(pid)
    with embedded_stores(settings_for(tmp_path), durable=False) as urls:  # and the folder is usable again
        psycopg.connect(urls.database).close()


def test_a_killed_server_comes_back_under_its_url_with_its_data(tmp_path: Path) -> None:
    with embedded_stores(settings_for(tmp_path)) as urls:
        keeper = json.loads((tmp_path / "embedded/state.json").read_text())["keeper_pid"]
        with redis.Redis.from_url(urls.redis) as client:
            client.set("kept", "yes")
        with psycopg.connect(urls.database) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        victims = servers_of(keeper)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        for pid in victims:
            wait_gone(pid)
        assert when_it_is_back(lambda: redis_get(urls.redis, "kept")) == b"yes"
        assert when_it_is_back(lambda: first_row(urls.database, "SELECT answer FROM kept")) == (42,)
        servers = servers_of(keeper)
        log = (tmp_path / "embedded/keeper.log").read_text()
        assert "redis-server ended with exit status -9; starting it again" in log
        assert "PostgreSQL ended with exit status -9; starting it again" in log
    for pid in [keeper, *servers]:
        wait_gone(pid)


def test_configured_servers_start_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, DATABASE_URL="postgresql://x", REDIS_URL="redis://y")
    with embedded_stores(settings) as urls:
        assert (urls.database, urls.redis) == ("postgresql://x", "redis://y")
    assert not list(tmp_path.iterdir())


def test_a_database_url_that_nobody_can_read_is_named_without_its_password(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, DATABASE_URL="postgresql://u:secret%zz@h/x", REDIS_URL="redis://y")
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught, embedded_stores(settings):
        pass
    assert "secret" not in str(caught.value)
    with embedded_stores(settings, postgres=False) as urls:  # an ingester has no use for it
        assert urls.redis == "redis://y"


def test_a_data_dir_where_no_folder_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="DATA_DIR"),
        embedded_stores(settings_for(tmp_path / "file")),
    ):
        pass


def test_processes_of_a_folder_with_different_settings_are_told(tmp_path: Path) -> None:
    with embedded_stores(settings_for(tmp_path, DATABASE_URL="postgresql://x"), durable=False):
        with pytest.raises(EmbeddedServerError, match="same"):
            with embedded_stores(settings_for(tmp_path), durable=False):
                pass
