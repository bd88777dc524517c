from __future__ import annotations

import zlib

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingester.frames import MalformedFrame, guild_of, inflater, read_frame, read_ready, split_dispatch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
GUILDS = st.integers(0, 2**63 - 1)


def frame(name: str, sequence: int, d: object) -> bytes:
    return orjson.dumps({"t": name, "s": sequence, "op": 0, "d": d})


@given(st.dictionaries(st.text(), JSON, max_size=6), GUILDS, st.integers(1, 2**31))
def test_the_payload_is_passed_on_byte_for_byte(fields: dict[str, object], guild: int, sequence: int) -> None:
    d = {**fields, "guild_id": str(guild)}
    split = split_dispatch(frame("MESSAGE_CREATE", sequence, d))
    assert split is not None
    event, found_sequence, found_guild, payload = split
    assert (event.name, found_sequence, found_guild, payload) == (
        "MESSAGE_CREATE",
        sequence,
        str(guild).encode(),
        orjson.dumps(d),
    )


@given(st.binary())
def test_no_bytes_crash_the_split(data: bytes) -> None:
    assert split_dispatch(data) is None or data.startswith(b'{"t":"')
    try:
        read_frame(data)
    except MalformedFrame as error:
        assert error.skippable


def test_only_the_guild_of_the_dispatch_itself_counts() -> None:
    reference = {"guild_id": "2", "message_id": "3"}
    text = 'say "guild_id":"4" please'
    split = split_dispatch(
        frame("MESSAGE_CREATE", 1, {"message_reference": reference, "content": text, "guild_id": "1"})
    )
    assert split is not None
    assert split[2] == b"1"
    direct = split_dispatch(frame("MESSAGE_CREATE", 1, {"message_reference": reference, "content": text}))
    assert direct is not None
    assert direct[2] == b"0"


@pytest.mark.parametrize(
    ("name", "d", "guild"),
    [
        ("GUILD_CREATE", {"id": "5", "guild_id": "9"}, b"5"),
        ("GUILD_DELETE", {"id": 5, "unavailable": True}, b"5"),
        ("GUILD_MEMBER_ADD", {"guild_id": 7}, b"7"),
        ("GUILD_MEMBER_ADD", {"guild_id": None}, b"0"),
        ("GUILD_MEMBER_ADD", {"guild_id": "١٢"}, b"0"),
        ("GUILD_MEMBER_ADD", {"guild_id": -7}, b"0"),
        ("GUILD_MEMBER_ADD", {"guild_id": "7 "}, b"0"),
    ],
)
def test_guilds_of_all_shapes(name: str, d: dict[str, object], guild: bytes) -> None:
    split = split_dispatch(frame(name, 1, d))
    assert split is not None
    assert split[2] == guild


@pytest.mark.parametrize(
    "data",
    [
        b'{"t":"TYPING_START","s":1,"op":0,"d":{}}',
        b'{"op":0,"t":"MESSAGE_CREATE","s":1,"d":{}}',
        b'{"t":"MESSAGE_CREATE","s":1,"op":0,"d":{},"x":1}',
        b'{"t":"MESSAGE_CREATE","s":1,"op":0,"d":{"guild_id":}}',
        b'{"t":"MESSAGE_CREATE","s":1,"op":0,"d":[]}',
        b'{"t":null,"s":null,"op":11,"d":null}',
    ],
)
def test_everything_else_goes_the_slow_way(data: bytes) -> None:
    assert split_dispatch(data) is None


def test_the_guild_of_a_tracked_dispatch() -> None:
    assert guild_of("GUILD_UPDATE", b'{"id":"5"}') == 5
    assert guild_of("GUILD_MEMBER_REMOVE", b'{"guild_id":"7","user":{"id":"5"}}') == 7
    with pytest.raises(ValueError, match="Expected"):
        guild_of("GUILD_UPDATE", b"[]")


def test_ready_needs_a_session_only() -> None:
    ready = read_ready(b'{"session_id":"abc","guilds":[{"id":"1","unavailable":true}],"v":10}')
    assert (ready.session_id, ready.resume_gateway_url, ready.guilds[0].id) == ("abc", None, "1")
    with pytest.raises(MalformedFrame):
        read_ready(b'{"guilds":[]}')


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=6), st.integers(1, 50))
def test_zlib_messages_may_come_in_pieces(messages: list[bytes], cut: int) -> None:
    stream, inflate = zlib.compressobj(), inflater("zlib-stream")
    for message in messages:
        data = stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH)
        # A piece that happens to end like a whole message cannot be told from one: Discord sends none.
        pieces = [data[:-cut], data[-cut:]] if data[:-cut][-4:] != b"\x00\x00\xff\xff" else [data]
        found = [inflate(piece) for piece in pieces if piece]
        assert found[-1] == message
        assert not any(found[:-1])


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=6))
def test_zstd_messages_are_whole(messages: list[bytes]) -> None:
    stream, inflate = zstandard.ZstdCompressor().compressobj(), inflater("zstd-stream")
    for message in messages:
        assert inflate(stream.compress(message) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)) == message


@pytest.mark.parametrize("kind", ["zstd-stream", "zlib-stream"])
def test_a_broken_stream_cannot_be_skipped(kind: str) -> None:
    with pytest.raises(MalformedFrame) as caught:
        inflater(kind)(b"no such data \x00\x00\xff\xff")
    assert not caught.value.skippable
