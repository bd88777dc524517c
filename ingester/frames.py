"""Gateway frames: inflated, and split into what is looked at (type, sequence, guild) and what is passed on.

A frame is `{"t":…,"s":…,"op":…,"d":…}`. Discord writes the keys in this order, so a dispatch is recognised by its
first bytes and `d` is a slice; any other order is understood too, slower. Only the guild's id is decoded from `d`
(which validates the JSON on the way).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import zstandard

from app.events.wanted import WANTED
from ingester.feed import event_heads

NO_GUILD = b"0"


class MalformedFrame(Exception):
    """A frame that is not what the gateway's protocol says. `skippable`: the connection itself is still sound."""

    def __init__(self, problem: str, *, skippable: bool) -> None:
        super().__init__(problem)
        self.skippable = skippable


class Frame(msgspec.Struct, gc=False):
    """Any frame; `d` stays as it came."""

    op: int
    t: str | None = None
    s: int | None = None
    d: msgspec.Raw = msgspec.Raw(b"null")


class _InGuild(msgspec.Struct, gc=False):
    guild: str | int | None = msgspec.field(default=None, name="guild_id")


class _IsGuild(msgspec.Struct, gc=False):
    guild: str | int | None = msgspec.field(default=None, name="id")


class ReadyGuild(msgspec.Struct, gc=False):
    """A guild of READY: all are unavailable until their GUILD_CREATE."""

    id: str | int


class Ready(msgspec.Struct, gc=False):
    """What READY is read for."""

    session_id: str
    resume_gateway_url: str | None = None
    guilds: list[ReadyGuild] = []


@dataclass(frozen=True, slots=True)
class WantedEvent:
    """A kind of dispatch that goes to the app."""

    name: str
    heads: tuple[bytes, ...]
    decode: Callable[[bytes], Any]
    tracked: bool
    """Whether it changes the index of guilds."""

    def guild(self, payload: bytes) -> bytes:
        """Return the guild's id in decimal, b"0" without one. Raises msgspec.DecodeError for other JSON."""
        guild = self.decode(payload).guild
        if type(guild) is str and guild.isdecimal() and guild.isascii():
            return guild.encode()
        return b"%d" % guild if type(guild) is int and guild >= 0 else NO_GUILD


_in_guild = msgspec.json.Decoder(_InGuild).decode
_is_guild = msgspec.json.Decoder(_IsGuild).decode
_ready = msgspec.json.Decoder(Ready).decode
_frame = msgspec.json.Decoder(Frame).decode

TRACKED = frozenset(
    {"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE"}
)
"""Dispatches that change the index of guilds, whether they go to the app or not."""

WANTED_EVENTS: dict[bytes, WantedEvent] = {
    name.encode(): WantedEvent(
        name,
        event_heads(name),
        _is_guild if name in ("GUILD_CREATE", "GUILD_DELETE") else _in_guild,
        name in TRACKED,
    )
    for name in WANTED
}


def guild_of(name: str, payload: bytes) -> int:
    """Return the guild of a dispatch that is tracked, 0 without one. Raises msgspec.DecodeError (a ValueError)."""
    decode = _is_guild if name in ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE") else _in_guild
    return int(WantedEvent(name, (), decode, tracked=True).guild(payload))


match_dispatch = re.compile(rb'\{"t":"([A-Z_]+)","s":(\d+),"op":0,"d":').match
"""Recognise a dispatch by its first bytes: type, sequence."""


def split_dispatch(data: bytes) -> tuple[WantedEvent, int, bytes, bytes] | None:
    """Return event, sequence, guild and payload of a wanted dispatch in Discord's own key order, else None."""
    found = match_dispatch(data)
    if found is None:
        return None
    name, sequence = found.groups()
    event = WANTED_EVENTS.get(name)
    if event is None:
        return None
    payload = data[found.end() : -1]
    try:
        return event, int(sequence), event.guild(payload), payload
    except msgspec.DecodeError:
        return None  # other keys follow `d`, or it is no JSON at all: the slow way tells


def read_frame(data: bytes) -> Frame:
    """Decode any frame. Raises MalformedFrame."""
    try:
        return _frame(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedFrame("no JSON object with op, t, s, d", skippable=True) from None


def read_ready(payload: bytes) -> Ready:
    """Decode READY. Raises MalformedFrame."""
    try:
        return _ready(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedFrame("READY without a session id", skippable=False) from None


def inflater(kind: str) -> Callable[[bytes], bytes | None]:
    """Return the function that inflates one connection's messages; None from it: the frame is not complete yet.

    `kind` as in the URL: zstd-stream (one frame per message) or zlib-stream (a frame ends in 00 00 ff ff; contract
    section 5.1). It raises MalformedFrame.
    """
    return _zstd() if kind == "zstd-stream" else _zlib()


def _zstd() -> Callable[[bytes], bytes | None]:
    decompress = zstandard.ZstdDecompressor().decompressobj().decompress

    def inflate(data: bytes) -> bytes | None:
        try:
            return decompress(data)
        except zstandard.ZstdError:
            raise MalformedFrame("broken zstd stream", skippable=False) from None

    return inflate


def _zlib() -> Callable[[bytes], bytes | None]:
    stream = zlib.decompressobj()
    waiting = bytearray()

    def inflate(data: bytes) -> bytes | None:
        # The mark itself may be cut in two.
        waiting.extend(data)
        if not waiting.endswith(b"\x00\x00\xff\xff"):
            return None
        try:
            return stream.decompress(waiting)
        except zlib.error:
            raise MalformedFrame("broken zlib stream", skippable=False) from None
        finally:
            waiting.clear()

    return inflate
