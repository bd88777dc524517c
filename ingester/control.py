"""What the supervisor and its processes say to each other: JSON lines over a socket pair, no open port.

Supervisor to process
    {"op": "setup", …}                                     first line, see `Setup`
    {"op": "hold", "shards": [0, 1]}                       these from now on, besides those held already
    {"op": "release", "shard": 1, "successor": "…"}        hand over to another instance
    {"op": "mode", "overlap": true, "shadow": false}       while resharding
    {"op": "ping", "id": 7}                                answered by pong
    {"op": "drain"}                                        acknowledged by draining, then the process ends
Process to supervisor
    {"op": "asking", "shards": [0, 1]}                     ask for these leases from now on
    {"op": "registered", "shards": [0, 1]}                 hold the lease, and resumed or wait for IDENTIFY
    {"op": "ended", "shard": 1, "why": "released"}         or "lost"
    {"op": "pong", "id": 7, …}                             see `ingester.report`
    {"op": "draining"}
    {"op": "fatal", "line": "E002: …", "status": 2}        nothing that a restart would cure

The end of the stream means that the other side is dead: a process then drains and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

LINE_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class Setup:
    """What a process needs beyond its environment."""

    cluster: int
    instance: str
    total: int
    gateway_url: str
    max_concurrency: int
    health_port: int
    shards: tuple[int, ...]
    overlap: bool = False
    shadow: bool = False

    def to_message(self) -> dict[str, Any]:
        """Return the first line."""
        return {"op": "setup", **asdict(self)}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Setup:
        """Read the first line."""
        values = {name: message[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "shards": tuple(values["shards"])})


class Control:
    """One end of the pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Control:
        """Take over a connected socket."""
        end.setblocking(False)
        return cls(*await asyncio.open_connection(sock=end, limit=LINE_LIMIT))

    def send(self, op: str, **values: Any) -> None:
        """Send a message; a dead other side shows at its end of the stream."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps({"op": op, **values}) + b"\n")

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield messages until the other side is gone."""
        while True:
            try:
                line = await self._reader.readline()
            except (OSError, ValueError):
                return
            if not line:
                return
            yield orjson.loads(line)

    async def close(self) -> None:
        """Close, after everything sent has left."""
        with contextlib.suppress(OSError):
            await self._writer.drain()
            self._writer.close()
            await self._writer.wait_closed()
