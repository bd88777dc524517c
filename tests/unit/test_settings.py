from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.observability.logging import configure_logging
from app.settings import Settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "foo"),
        ("DISCORD_APPLICATION_ID", str(2**63)),
        ("HEALTH_PORT", "65536"),
        ("MANAGER_HEALTH_PORT", "65536"),
        ("WORKER_HEALTH_PORT", "65536"),
    ],
)
def test_what_would_fail_later_is_refused_at_once(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({variable: value})
    assert caught.value.variable == variable


def test_an_error_knows_the_others() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"SHARD_COUNT": "many", "PORT": "x", "LOG_LEVEL": "loud"})
    assert [each.variable for each in (caught.value, *caught.value.also)] == [
        "PORT",
        "SHARD_COUNT",
        "LOG_LEVEL",
    ]


def test_a_data_dir_where_no_log_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings.from_environment({"DATA_DIR": str(tmp_path / "file"), "LOG_TO_STDOUT": "false"})
    with pytest.raises(ConfigurationError, match="DATA_DIR"):
        configure_logging(settings, "web")
