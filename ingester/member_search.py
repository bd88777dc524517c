"""Find a user among the members of a shard's guilds by asking Discord (REQUEST_MEMBERS; contract section 5.6).

Members are not cached. A request names one guild and costs one of the 120 frames a socket may send in 60 s, so at
most 60 guilds are asked in a minute, the largest first; heartbeats and everything else keep the other half.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Sequence

import msgspec

from ingester.discord_gateway import GatewaySocket
from ingester.guild_index import GuildIndex

REQUESTS = 60
WINDOW_SECONDS = 60.0


class _User(msgspec.Struct, gc=False):
    id: str | int
    username: str = ""
    global_name: str | None = None


class _Member(msgspec.Struct, gc=False):
    user: _User


class _Chunk(msgspec.Struct, gc=False):
    guild_id: str | int
    members: list[_Member] = []
    nonce: str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class MemberSearch:
    """Searches of one shard."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[_User | None]] = {}
        self._asked: deque[float] = deque(maxlen=REQUESTS)

    def chunk(self, payload: bytes) -> None:
        """Take GUILD_MEMBERS_CHUNK. Raises msgspec.DecodeError (a ValueError)."""
        chunk = _decode(payload)
        waiting = self._waiting.get(chunk.nonce or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(chunk.members[0].user if chunk.members else None)

    async def find(
        self, socket: GatewaySocket, index: GuildIndex, user: int, guilds: Sequence[int], seconds: float
    ) -> tuple[tuple[_User, int] | None, bool]:
        """Return the user with a guild, or None, and whether every guild was asked and has answered."""
        candidates = [guild for guild in guilds if guild in index] if guilds else index.largest(REQUESTS)
        complete = bool(guilds) or len(index) <= len(candidates)
        asked: dict[asyncio.Future[_User | None], tuple[str, int]] = {}
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + seconds
        try:
            for guild in candidates:
                now = time.monotonic()
                if len(self._asked) == REQUESTS and now - self._asked[0] < WINDOW_SECONDS:
                    complete = False
                    break
                self._asked.append(now)
                nonce = secrets.token_hex(8)
                answer: asyncio.Future[_User | None] = loop.create_future()
                self._waiting[nonce] = answer
                asked[answer] = (nonce, guild)
                await socket.request_chunks(guild, limit=1, user_ids=[user], nonce=nonce)
            pending = set(asked)
            while pending:
                done, pending = await asyncio.wait(
                    pending,
                    timeout=max(0.0, deadline - time.monotonic()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    return None, False
                for answer in done:
                    if (found := answer.result()) is not None:
                        return (found, asked[answer][1]), True
            return None, complete
        finally:
            for nonce, _ in asked.values():
                self._waiting.pop(nonce, None)
