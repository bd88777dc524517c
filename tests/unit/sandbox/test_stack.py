"""`gatehouse sandbox up` with settings that cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox.stack.__main__ import up


@pytest.mark.parametrize(
    ("variable", "value"), [("SANDBOX_PORT", "65536"), ("WORKER_HEALTH_PORT", "65536"), ("DATA_DIR", "file")]
)
def test_a_wrong_setting_ends_it_with_2_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    ended = CliRunner().invoke(up, env={"DATA_DIR": "data", variable: value})
    assert ended.exit_code == 2
    (line,) = ended.output.splitlines()
    assert line.startswith(f"gatehouse: {variable}: ")
