"""What `gatehouse doctor` finds in the settings alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from app.adapters.discord.errors import DiscordUnreachable
from app.adapters.discord.rest import DiscordRest
from app.cli import doctor as module
from app.cli.doctor import DISCORD_SECONDS, Finding, Verdict, doctor, examine
from app.errors import ConfigurationError
from app.settings import Settings


async def found(folder: Path, **environment: str) -> dict[str, Finding]:
    """Examine settings whose last finding is that there is no database."""
    settings = Settings.from_environment(
        {"DATA_DIR": str(folder), "DATABASE_URL": "postgresql://h/x?nonsense=1", "REDIS_URL": "redis://x"}
        | environment
    )
    return {finding.subject: finding async for finding in examine(settings)}


@pytest.mark.parametrize(
    ("subject", "variable", "value"),
    [
        ("shards", "SHARD_START", "5"),
        ("CUSTOM_ID_KEYS", "CUSTOM_ID_KEYS", "foo"),
        ("TRUSTED_PROXIES", "TRUSTED_PROXIES", "garbage"),
    ],
)
async def test_what_a_process_refuses_to_start_with_is_wrong(
    tmp_path: Path, subject: str, variable: str, value: str
) -> None:
    assert (await found(tmp_path, **{variable: value}))[subject].verdict is Verdict.WRONG
    assert (await found(tmp_path))[subject].verdict is Verdict.OK
    assert not list(tmp_path.iterdir())  # looking makes no key


async def test_a_plan_that_hangs_on_what_discord_recommends_is_not_wrong(tmp_path: Path) -> None:
    assert (await found(tmp_path, CLUSTER_COUNT="3"))["shards"].verdict is Verdict.OK


async def test_a_finding_names_its_variable_once(tmp_path: Path) -> None:
    finding = (await found(tmp_path))["DATABASE_URL"]
    assert finding.verdict is Verdict.WRONG
    assert "DATABASE_URL" not in finding.text


async def test_a_file_is_no_data_dir(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (await found(tmp_path / "file"))["DATA_DIR"].verdict is Verdict.WRONG


def test_all_that_cannot_be_read_is_listed_a_line_each() -> None:
    ended = CliRunner().invoke(doctor, env={"PORT": "x", "LOG_LEVEL": "loud"})
    assert isinstance(ended.exception, ConfigurationError)  # `main` prints the last
    assert ended.exception.variable == "LOG_LEVEL"
    (line,) = ended.output.splitlines()
    assert line.startswith("gatehouse: PORT: ")


async def test_an_unreachable_discord_is_not_waited_for_long() -> None:
    class Away:
        async def get_current_application(self, **options: Any) -> Any:
            assert options == {"deadline": DISCORD_SECONDS}
            raise DiscordUnreachable("GET /applications/@me", "no answer")

    finding = await module._discord(Settings(), cast(DiscordRest, Away()))
    assert "E001" in finding.text
