"""A session: what outlives a socket. It numbers events, keeps them for RESUME, and feeds the socket it has."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.gateway.protocol import Intent
from sandbox.trouble import BrokenForm

if TYPE_CHECKING:
    from sandbox.gateway.connection import Connection

NOISE = b"\xff\xfe this is no compressed frame"


@dataclass(slots=True, eq=False)
class Session:
    """One IDENTIFY. `seq` is the number of the last event, `replay` the latest events with their numbers."""

    shard: int
    shard_count: int
    intents: Intent
    created_ms: int
    replay_events: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    seq: int = 0
    replay: deque[tuple[int, bytes]] = field(default_factory=deque)
    connection: Connection | None = None
    resumes: int = 0
    last_heartbeat_ms: int | None = None
    last_heartbeat_seq: int | None = None
    detached_ms: int | None = None
    expiry: asyncio.TimerHandle | None = None
    held: tuple[str, bytes] | None = None
    held_timer: asyncio.TimerHandle | None = None
    due: float = 0.0
    presence: dict[str, Any] | None = None

    def owns(self, guild_id: int | None) -> bool:
        """Whether events of this guild are this shard's; those without a guild are shard 0's (contract 5.4)."""
        if guild_id is None:
            return self.shard == 0
        return (guild_id >> 22) % self.shard_count == self.shard

    def dispatch(self, event: str, data: bytes) -> None:
        """Give an event the next number, remember it, and send it when a socket is there."""
        frame = self._numbered(event, data)
        self._remember(frame)
        if self.connection is not None:
            self.connection.send_frame(frame)

    def dispatch_broken(self, event: str, data: bytes, form: BrokenForm, *, lasting: bool) -> None:
        """Send a broken frame in an event's place; what is remembered for RESUME is sound unless `lasting`."""
        sound = self._numbered(event, data)
        half = sound[: sound.index(b'"d":') + 4]
        self._remember(half if lasting else sound)
        if self.connection is None:
            return
        match form:
            case BrokenForm.TEXT:
                self.connection.send_raw(half.decode())
            case BrokenForm.COMPRESSION:
                self.connection.send_raw(NOISE)
            case BrokenForm.SHAPE:
                self.connection.send_frame(half + b"[]}")
            case _:
                self.connection.send_frame(half)

    def _numbered(self, event: str, data: bytes) -> bytes:
        self.seq += 1
        return b'{"t":"%b","s":%d,"op":0,"d":%b}' % (event.encode(), self.seq, data)

    def _remember(self, frame: bytes) -> None:
        self.replay.append((self.seq, frame))
        while len(self.replay) > self.replay_events:
            self.replay.popleft()

    def can_replay(self, seq: int) -> bool:
        """Whether every event after `seq` is still here."""
        return seq == self.seq or (bool(self.replay) and self.replay[0][0] <= seq + 1)

    def after(self, seq: int) -> list[bytes]:
        """Return the frames after `seq`, in order."""
        return [frame for number, frame in self.replay if number > seq]
