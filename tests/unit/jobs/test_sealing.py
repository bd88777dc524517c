import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jobs.sealing import CannotOpen, Sealer
from app.keyring import Keyring

KEYS = Keyring.new()


@given(st.binary(max_size=3000))
def test_what_is_sealed_can_be_opened_and_is_not_readable(plain: bytes) -> None:
    sealer = Sealer(KEYS)
    sealed = sealer.seal(plain)
    assert sealer.open(sealed) == plain
    assert len(plain) < 4 or plain not in sealed
    assert sealed != sealer.seal(plain)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_change_is_refused(plain: bytes, data: st.DataObject) -> None:
    sealer = Sealer(KEYS)
    sealed = bytearray(sealer.seal(plain))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CannotOpen):
        sealer.open(bytes(sealed))


def test_a_rotation_loses_nothing_and_a_retired_key_opens_nothing() -> None:
    sealed = Sealer(KEYS).seal(b"token")
    rotated = KEYS.rotated()
    assert Sealer(rotated).open(sealed) == b"token"
    with pytest.raises(CannotOpen):
        Sealer(rotated.without(KEYS.newest.kid)).open(sealed)


@pytest.mark.parametrize("garbage", [b"", b"x", b"x" * 39, b"x" * 400])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(CannotOpen):
        Sealer(KEYS).open(garbage)
