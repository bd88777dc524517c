"""A session: what outlives a socket. It numbers events, keeps them for RESUME, and feeds the socket it has."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.gateway.protocol import Intent

if TYPE_CHECKING:
    from sandbox.gateway.connection import Connection


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

    def dispatch(self, event: str, data: bytes, *, lost: bool = False) -> None:
        """Give an event the next number, remember it, and send it when a socket is there and it is not
        `lost`.
        """
        self.seq += 1
        frame = b'{"t":"%b","s":%d,"op":0,"d":%b}' % (event.encode(), self.seq, data)
        self.replay.append((self.seq, frame))
        while len(self.replay) > self.replay_events:
            self.replay.popleft()
        if self.connection is not None and not lost:
            self.connection.send_frame(frame)

    def can_replay(self, seq: int) -> bool:
        """Whether every event after `seq` is still here."""
        return seq == self.seq or (bool(self.replay) and self.replay[0][0] <= seq + 1)

    def after(self, seq: int) -> list[bytes]:
        """Return the frames after `seq`, in order."""
        return [frame for number, frame in self.replay if number > seq]
