"""Frames on the wire: plain JSON, one zlib or zstd stream per connection, or zlib per payload (contract 5.1)."""

from __future__ import annotations

import zlib
from typing import Protocol

import zstandard

PAYLOAD_COMPRESSION_FROM = 1024
"""Bytes from which `compress: true` payloads are compressed; Discord says only "some" (our choice)."""


class Codec(Protocol):
    """Turns a JSON payload into the frame that carries it: text (str) or binary (bytes)."""

    def encode(self, payload: bytes) -> str | bytes: ...


class Plain:
    """No transport compression; `payloads` switches on compression per payload."""

    def __init__(self) -> None:
        self.payloads = False

    def encode(self, payload: bytes) -> str | bytes:
        """Return a text frame, or a binary one for a compressed payload."""
        if self.payloads and len(payload) >= PAYLOAD_COMPRESSION_FROM:
            return zlib.compress(payload)
        return payload.decode()


class ZlibStream:
    """One zlib context; every message ends in a sync flush (00 00 ff ff)."""

    def __init__(self) -> None:
        self._context = zlib.compressobj()

    def encode(self, payload: bytes) -> bytes:
        """Return the next piece of the stream."""
        return self._context.compress(payload) + self._context.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """One zstd context; one flushed block sequence per message, the frame stays open."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdCompressor().compressobj()

    def encode(self, payload: bytes) -> bytes:
        """Return the next piece of the stream."""
        return self._context.compress(payload) + self._context.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def codec_for(compress: str | None) -> Codec:
    """Return the codec of a connection's `compress` query parameter; unknown values mean none."""
    if compress == "zlib-stream":
        return ZlibStream()
    if compress == "zstd-stream":
        return ZstdStream()
    return Plain()
