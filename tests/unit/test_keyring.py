"""Where the keys come from: the variable, or a file that all processes of a folder share."""

from __future__ import annotations

import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.keyring import Keyring, key_file, load_keyring, write_keyring
from app.settings import Settings


def settings(folder: Path, keys: str | None = None) -> Settings:
    environment = {"DATA_DIR": str(folder)} | ({"CUSTOM_ID_KEYS": keys} if keys else {})
    return Settings.from_environment(environment)


def load(folder: str) -> str:
    return load_keyring(settings(Path(folder))).dump()


def test_keys_come_from_the_variable(tmp_path: Path) -> None:
    text = "b:" + "22" * 32 + ",a:" + "11" * 32
    assert load_keyring(settings(tmp_path, text)).dump() == text
    assert not list(tmp_path.iterdir())


def test_a_wrong_variable_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CUSTOM_ID_KEYS: entry 2 is not kid:hex") as caught:
        load_keyring(settings(tmp_path, "b:" + "22" * 32 + ",a:1234"))
    assert "1234" not in str(caught.value)


def test_without_the_variable_a_key_is_made_once_and_kept_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "deeper"
    made = load_keyring(settings(folder))
    assert load_keyring(settings(folder)) == made
    assert [path.name for path in folder.iterdir()] == ["custom_id_keys"]
    assert stat.S_IMODE(key_file(settings(folder)).stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        made = set(pool.map(load, [str(tmp_path / "data")] * 24))
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["custom_id_keys"]


def test_a_rewritten_file_is_read(tmp_path: Path) -> None:
    first = load_keyring(settings(tmp_path))
    write_keyring(key_file(settings(tmp_path)), first.rotated())
    assert load_keyring(settings(tmp_path)).keys[1:] == first.keys
    assert stat.S_IMODE(key_file(settings(tmp_path)).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe"])
def test_a_spoilt_file_is_named(tmp_path: Path, content: bytes) -> None:
    key_file(settings(tmp_path)).write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"DATA_DIR.*custom_id_keys"):
        load_keyring(settings(tmp_path))


def test_keys_for_other_purposes_differ_by_key_and_purpose() -> None:
    keyring = Keyring.new().rotated()
    made = [*keyring.derive("one"), *keyring.derive("other"), *(key.secret for key in keyring.keys)]
    assert len(set(made)) == 6
    assert {len(key) for key in made} == {32}
