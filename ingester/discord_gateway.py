"""discord.py at the level of its socket: the only module that knows discord.py, and all of its private parts.

discord.py keeps what it is good at: the socket, heartbeats in a thread of their own, the choice of compression,
IDENTIFY and RESUME, and the handling of every opcode but dispatches. Dispatches never become objects: their frames
are split (`ingester.frames`) and handed to a `Receiver`. No cache is filled, no parser runs.

What it touches beyond the documented interface (a test compares the sources with those of 2.7.1):
  discord.http.Route.BASE                      where the REST API is
  Client.http.static_login, .token             a session, without application_info
  Client._connection.parsers                   emptied
  DiscordWebSocket: from_client, __init__, received_message, send_heartbeat, poll_event, close, _decompressor,
    _keep_alive, _max_heartbeat_timeout, _close_code, session_id, sequence, gateway, latency
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any, Protocol

import aiohttp
import discord
import discord.http
import yarl
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from app.errors import LoggedOut
from app.observability import metrics
from ingester.feed import Session
from ingester.frames import (
    WANTED_EVENTS,
    MalformedFrame,
    Ready,
    WantedEvent,
    inflater,
    read_frame,
    read_ready,
    split_dispatch,
)

log = logging.getLogger(__name__)

CONNECT_SECONDS = 20.0
CLOSE_SECONDS = 1.0
"""A server that does not answer our close frame is left alone after this."""
PATIENCE_SECONDS = 30.0
"""How long a socket is left unread before it is closed resumably: below the keep-alive's limit of 60 s."""
REST_SECONDS = 10.0
RESUMABLE = 4000
"""Our own close code: anything but 1000 and 1001 keeps the session (contract section 5.3)."""
NEW_SESSION_CODES = frozenset({4007, 4009})
SAMPLE = 64

_decompress_time = metrics.GATEWAY_STAGE.labels("decompress")
_parse_time = metrics.GATEWAY_STAGE.labels("parse")


class After(Enum):
    """What a closed socket leaves to do (contract section 5.3)."""

    RESUME = "resume"
    IDENTIFY = "identify"
    STOP = "stop"


class Closed(Exception):
    """The socket is closed. `code` is the server's close code, ours, or None for a lost connection."""

    def __init__(self, code: int | None, after: After, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.after = after


class BufferFull(Exception):
    """The buffer had no room for so long that Discord has to keep the events."""


class Receiver(Protocol):
    """What a shard does with what its socket brings."""

    room: asyncio.Event

    def skip_malformed(self) -> bool:
        """Whether the malformed frame that has come is passed over instead of raised."""

    def event(self, event: WantedEvent, sequence: int, guild: bytes, payload: bytes) -> None:
        """Take a dispatch for the app."""

    def other(self, name: str, sequence: int, payload: bytes) -> None:
        """Take note of a dispatch that nobody wants."""

    def ready(self, ready: Ready, url: str, sequence: int) -> None:
        """A new session has begun; `url` is where it can be resumed."""

    def resumed(self, sequence: int) -> None:
        """The session goes on; everything missed has been replayed."""


@dataclass(slots=True)
class _Opening:
    """Lets a failed opening find the socket it made."""

    receiver: Receiver
    socket: GatewaySocket | None = None


_opening: ContextVar[_Opening] = ContextVar("opening")


class GatewaySocket(DiscordWebSocket):
    """One shard's connection."""

    def __init__(self, socket: Any, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(socket, loop=loop)
        opening = _opening.get()
        opening.socket = self
        self.receiver = opening.receiver
        self.received_at = monotonic()
        self._inflate = inflater(self._decompressor.COMPRESSION_TYPE)
        self._unanswered = False
        self._unread = False
        self._frames = 0

    async def received_message(self, msg: Any, /) -> None:
        """Take one websocket message. Raises MalformedFrame, BufferFull and what discord.py raises."""
        self._frames += 1
        self.received_at = monotonic()
        sampled = self._frames % SAMPLE == 0
        started = time.perf_counter() if sampled else 0.0
        data = self._inflate(msg) if type(msg) is bytes else msg.encode()
        if data is None:
            return
        inflated = time.perf_counter() if sampled else 0.0
        split = split_dispatch(data)
        if split is None:
            try:
                await self._take_other(data)
            except MalformedFrame as error:
                if not (error.skippable and self.receiver.skip_malformed()):
                    raise
                metrics.GATEWAY_EVENTS_DROPPED.labels("malformed").inc()
                log.error(
                    "frame skipped: malformed again", extra={"shard": self.shard_id, "bytes": len(data)}
                )
            return
        if sampled:
            _decompress_time.observe((inflated - started) * 1000)
            _parse_time.observe((time.perf_counter() - inflated) * 1000)
        await self._take_wanted(*split)

    async def _take_wanted(self, event: WantedEvent, sequence: int, guild: bytes, payload: bytes) -> None:
        self.sequence = sequence
        receiver = self.receiver
        receiver.event(event, sequence, guild, payload)
        if not receiver.room.is_set():
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        """Leave the socket unread: TCP pushes back and Discord keeps the events."""
        # Acknowledgements are not read either, so a missing one says nothing.
        self._unread = True
        try:
            await asyncio.wait_for(self.receiver.room.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            raise BufferFull from None
        finally:
            self._unread = self._unanswered = False
            if self._keep_alive is not None:
                self._keep_alive.tick()

    async def _take_other(self, data: bytes) -> None:
        frame = read_frame(data)
        if frame.op != self.DISPATCH:
            if frame.op == self.HEARTBEAT_ACK:
                self._unanswered = False
            try:
                await super().received_message(data.decode())
            except (TypeError, KeyError, ValueError, AttributeError):
                raise MalformedFrame(f"opcode {frame.op} with other data", skippable=True) from None
            if frame.op == self.HELLO:
                # No timer per message: the keep-alive thread has its copy of the limit and watches the silence.
                self._max_heartbeat_timeout = None  # type: ignore[assignment]
            return
        name, sequence, payload = frame.t, frame.s, bytes(frame.d)
        if name is None or sequence is None:
            raise MalformedFrame("a dispatch without type or sequence", skippable=True)
        if (event := WANTED_EVENTS.get(name.encode())) is not None:
            try:
                guild = event.guild(payload)
            except ValueError:
                raise MalformedFrame(f"{name} is no object", skippable=True) from None
            await self._take_wanted(event, sequence, guild, payload)
            return
        self.sequence = sequence
        if name == "READY":
            ready = read_ready(payload)
            self.session_id = ready.session_id
            if ready.resume_gateway_url:
                self.gateway = yarl.URL(ready.resume_gateway_url)
            self.receiver.ready(ready, str(self.gateway), sequence)
        elif name == "RESUMED":
            self.receiver.resumed(sequence)
        else:
            self.receiver.other(name, sequence, payload)

    async def send_heartbeat(self, data: Any) -> None:
        """Beat, unless the last beat was not acknowledged: then the connection is a zombie (contract 5.3)."""
        if self._unanswered and not self._unread:
            log.warning("heartbeat not acknowledged; closing the socket", extra={"shard": self.shard_id})
            metrics.ERRORS.labels("gateway_zombie").inc()
            await self.close(RESUMABLE)
            return
        self._unanswered = not self._unread
        if self._keep_alive is not None:
            # Its thread notes the time only when it is told that the beat is out: the acknowledgement may be faster,
            # and would then be measured from the beat before.
            data = self._keep_alive.beat()
        await super().send_heartbeat(data)

    async def close(self, code: int = RESUMABLE) -> None:
        """Close, waiting for the server's answer only for a moment."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(super().close(code), CLOSE_SECONDS)

    async def read(self) -> None:
        """Read until the socket is closed. Raises Closed, MalformedFrame or BufferFull, never returns."""
        while True:
            try:
                await self.poll_event()
            except (ReconnectWebSocket, discord.ConnectionClosed) as error:
                raise self._closed(error) from None

    def _closed(self, error: ReconnectWebSocket | discord.ConnectionClosed) -> Closed:
        code = self.socket.close_code if self._close_code is None else self._close_code
        if isinstance(error, discord.ConnectionClosed):
            return Closed(error.code, After.STOP, f"close code {error.code}")
        if not error.resume:
            return Closed(code, After.IDENTIFY, "INVALID_SESSION")
        if code in NEW_SESSION_CODES:
            return Closed(code, After.IDENTIFY, f"close code {code}")
        return Closed(code, After.RESUME, f"close code {code}" if code else "connection lost")


class _Client(discord.Client):
    """discord.py's client without anything that would build objects from dispatches."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._connection.parsers.clear()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait: the slot was claimed before the socket was opened."""


class GatewayClient:
    """discord.py's client, reduced to its HTTP session: open with `open_gateway_client`."""

    def __init__(self, client: discord.Client, token: str) -> None:
        self._client = client
        self._token = token

    async def login(self) -> None:
        """Ask Discord who we are. Raises LoggedOut (E002); without an answer it goes on, as RESUME needs no REST.

        Sockets can be opened as soon as this has begun: the session is made before the question is sent.
        """
        try:
            async with asyncio.timeout(REST_SECONDS):
                await self._client.http.static_login(self._token)
        except discord.LoginFailure:
            raise LoggedOut("Discord refuses DISCORD_TOKEN") from None
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("Discord's REST API does not answer", extra={"error": type(error).__name__})
            self._client.http.token = self._token

    async def connect(
        self, shard: int, url: str, receiver: Receiver, resume: tuple[Session, int] | None
    ) -> GatewaySocket:
        """Open a shard's socket and send RESUME, or IDENTIFY without a session.

        Raises Closed (a failed connection is one without code).
        """
        opening = _Opening(receiver)
        _opening.set(opening)
        session, sequence = resume or (None, None)
        try:
            socket = await asyncio.wait_for(
                GatewaySocket.from_client(
                    self._client,
                    gateway=yarl.URL(url),
                    shard_id=shard,
                    session=session.id if session else None,
                    sequence=sequence,
                    resume=session is not None,
                ),
                CONNECT_SECONDS,
            )
        except BaseException as error:
            if opening.socket is not None:
                await opening.socket.close(RESUMABLE)
            if (
                isinstance(error, ReconnectWebSocket | discord.ConnectionClosed)
                and opening.socket is not None
            ):
                raise opening.socket._closed(error) from None  # noqa: SLF001 - the same module
            if isinstance(error, aiohttp.ClientError | OSError | MalformedFrame):
                raise Closed(None, After.RESUME, type(error).__name__) from None
            raise
        return socket


@asynccontextmanager
async def open_gateway_client(
    token: str, api_base: str, *, intents: int, total: int
) -> AsyncIterator[GatewayClient]:
    """Yield a client for the shards of this process. Closing it does not end sessions."""
    discord.http.Route.BASE = api_base
    discord.VoiceClient.warn_dave = False  # no voice here, hence no complaint about its missing library
    bits = discord.Intents.none()
    bits.value = intents
    client = _Client(
        intents=bits,
        shard_count=total,
        chunk_guilds_at_startup=False,
        member_cache_flags=discord.MemberCacheFlags.none(),
        max_messages=None,
    )
    async with client:
        yield GatewayClient(client, token)
