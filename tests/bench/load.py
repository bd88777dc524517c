"""A closed-loop HTTP load generator: so many connections, each sends its next request when it has an answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Load:
    """What came back. `latencies` are seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many answers."""
        return sum(self.statuses.values())

    def percentile(self, share: float) -> float:
        """Latency in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Connection(asyncio.Protocol):
    def __init__(
        self, requests: Sequence[bytes], position: list[int], load: Load, done: asyncio.Future[None]
    ) -> None:
        self._requests, self._position, self._load, self._done = requests, position, load, done
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        number = self._position[0]
        if number >= len(self._requests):
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._position[0] = number + 1
        self._sent = time.perf_counter()
        self._transport.write(self._requests[number])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(b"content-length:")
        if len(body) < int(head[at + 15 :].split(b"\r\n", 1)[0]):
            return
        self._load.latencies.append(time.perf_counter() - self._sent)
        self._load.statuses[int(head[9:12])] += 1
        if len(self._load.bodies) < 5:
            self._load.bodies.append(body)
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))


async def generate(port: int, requests: Sequence[bytes], connections: int = 16) -> Load:
    """Send all requests once. Raises ConnectionError when the server closes a connection."""
    loop = asyncio.get_running_loop()
    load, position = Load(), [0]
    started = time.perf_counter()
    waiting = []
    for _ in range(connections):
        done = loop.create_future()
        waiting.append(done)
        await loop.create_connection(
            lambda d=done: _Connection(requests, position, load, d), "127.0.0.1", port
        )
    await asyncio.gather(*waiting)
    load.seconds = time.perf_counter() - started
    return load
