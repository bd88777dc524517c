from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from app.interactions.errors import BadSignature
from app.interactions.signature import Verifier

KEY = SigningKey(bytes(range(32)))
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = b'{"type":1}'


def verifier(window: float | None = 300, *, key: SigningKey = KEY) -> Verifier:
    return Verifier(key.verify_key.encode().hex(), lambda: NOW, window=window)


def stamp(seconds: float = 0) -> bytes:
    return str(int((NOW + timedelta(seconds=seconds)).timestamp())).encode()


def signed(
    body: bytes = BODY, timestamp: bytes | None = None, *, key: SigningKey = KEY
) -> list[tuple[bytes, bytes]]:
    timestamp = stamp() if timestamp is None else timestamp
    signature = key.sign(timestamp + body).signature.hex().encode()
    return [
        (b"content-type", b"application/json"),
        (b"x-signature-ed25519", signature),
        (b"x-signature-timestamp", timestamp),
    ]


def replaced(name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value if key == name else old) for key, old in signed()]


def test_a_request_that_discord_signed_passes() -> None:
    verifier().verify(signed(), BODY)


def test_upper_case_hex_passes() -> None:
    headers = [(name, value.upper() if name == b"x-signature-ed25519" else value) for name, value in signed()]
    verifier().verify(headers, BODY)


SIGNATURE = dict(signed())[b"x-signature-ed25519"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        signed()[:2],
        [signed()[0], signed()[2]],
        [*signed(), signed()[1]],
        [*signed(), signed()[2]],
        replaced(b"x-signature-ed25519", b""),
        replaced(b"x-signature-ed25519", SIGNATURE[:-1]),
        replaced(b"x-signature-ed25519", SIGNATURE[:-2]),
        replaced(b"x-signature-ed25519", SIGNATURE + b"00"),
        replaced(b"x-signature-ed25519", b"z" * 128),
        replaced(b"x-signature-ed25519", SIGNATURE[:64] + b"  " + SIGNATURE[64:]),
        replaced(b"x-signature-ed25519", b" " + SIGNATURE),
        replaced(b"x-signature-ed25519", SIGNATURE[:126] + "é".encode()),
        replaced(b"x-signature-ed25519", SIGNATURE[:126] + b"\xff\xff"),
        replaced(b"x-signature-ed25519", b"0" * 128),
        replaced(b"x-signature-timestamp", b""),
        replaced(b"x-signature-timestamp", b" " + stamp()),
        replaced(b"x-signature-timestamp", "١٢".encode()),
        replaced(b"x-signature-timestamp", stamp(1)),
        signed(key=SigningKey(b"\1" * 32)),
        signed(BODY + b" "),
        signed(timestamp=b"9" * 40),
        signed(timestamp=b"-1"),
        signed(timestamp=b"1.5"),
        signed(timestamp=b"now"),
    ],
)
def test_anything_else_is_a_bad_signature(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadSignature):
        verifier().verify(headers, BODY)


@pytest.mark.parametrize("age", [-301, 301, 3600, -86_400])
def test_a_stale_timestamp_is_refused_on_both_sides(age: int) -> None:
    with pytest.raises(BadSignature, match="stale"):
        verifier().verify(signed(timestamp=stamp(age)), BODY)
    verifier(window=None).verify(signed(timestamp=stamp(age)), BODY)


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_the_window_includes_its_ends(age: int) -> None:
    verifier().verify(signed(timestamp=stamp(age)), BODY)


def test_the_window_is_configurable() -> None:
    with pytest.raises(BadSignature):
        verifier(window=5).verify(signed(timestamp=stamp(6)), BODY)


@pytest.mark.parametrize("key", ["", "00", "0" * 63, "0" * 66, "g" * 64])
def test_a_key_of_another_form_stops_the_start(key: str) -> None:
    with pytest.raises(ValueError):
        Verifier(key, lambda: NOW)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x-signature-ed25519", b"x-signature-timestamp", b"host"]),
            st.binary(max_size=200),
        ),
        max_size=4,
    ),
    st.binary(max_size=50),
)
def test_no_header_whatever_raises_anything_else(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    with pytest.raises(BadSignature):
        verifier().verify(headers, body)


@given(st.integers(0, 128 * 4 - 1), st.binary(min_size=1, max_size=60))
def test_every_flipped_bit_of_a_signature_is_refused(bit: int, body: bytes) -> None:
    headers = signed(body)
    raw = bytearray(bytes.fromhex(headers[1][1].decode()))
    raw[bit // 8] ^= 1 << bit % 8
    headers[1] = (headers[1][0], raw.hex().encode())
    with pytest.raises(BadSignature):
        verifier().verify(headers, body)
