"""`gatehouse keys rotate`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.keys import keys
from app.errors import ConfigurationError
from app.keyring import Keyring, key_file, load_keyring
from app.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CUSTOM_ID_KEYS", raising=False)
    return tmp_path


def rotate(*arguments: str) -> Result:
    return CliRunner().invoke(keys, ["rotate", *arguments], catch_exceptions=False)


def kept() -> Keyring:
    return load_keyring(Settings.from_environment())


def test_the_new_set_alone_goes_to_standard_output(folder: Path) -> None:
    before = kept()
    result = rotate()
    printed = Keyring.parse(result.stdout)
    assert result.stdout.count("\n") == 1
    assert printed.keys[1:] == before.keys
    assert kept() == before
    assert "k2 signs, k1 still verifies" in result.stderr
    assert before.keys[0].secret.hex() not in result.stderr


def test_writing_replaces_the_kept_set_and_shows_no_key(folder: Path) -> None:
    before = kept()
    result = rotate("--write")
    after = kept()
    assert after.keys[1:] == before.keys
    assert not any(key.secret.hex() in result.output for key in after.keys)
    assert str(key_file(Settings.from_environment())) in result.stdout


def test_retiring_drops_old_keys(folder: Path) -> None:
    rotate("--write")
    rotate("--write", "--retire", "k1")
    assert [key.kid for key in kept().keys] == ["k3", "k2"]


@pytest.mark.parametrize("kid", ["k2", "zz"])
def test_only_older_keys_can_be_retired(folder: Path, kid: str) -> None:
    before = kept()
    result = rotate("--write", "--retire", kid)
    assert result.exit_code == 2
    assert f"'{kid}' is not one of the older keys (k1)" in result.stderr
    assert kept() == before


def test_writing_in_vain_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOM_ID_KEYS", "a:" + "11" * 32)
    with pytest.raises(ConfigurationError, match="wins over DATA_DIR"):
        rotate("--write")
