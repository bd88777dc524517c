"""One Redis connection that runs one script, in order, as fast as asyncio lets it.

redis-py's pipeline costs more per event than everything else the ingester does, so the hot path writes RESP itself
and parses replies with hiredis. What was sent and not answered is sent again, in order, on the next connection:
the script refuses what it has done already. An error reply (out of memory, loading, read-only, a flushed script
cache) is treated like a lost connection: wait, connect, send again; nothing is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import ssl
import time
from collections import deque
from typing import Any, Protocol, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 1.0
SILENCE_SECONDS = 10.0
"""A server that owes an answer for so long is taken for dead."""
CONNECT_SECONDS = 2.0
HIGH_WATER = 4 << 20
"""Bytes that asyncio may hold for the socket before the writer reports itself as not writable."""


class Call(Protocol):
    """A call of the script, kept until it is answered."""

    def encode(self) -> list[bytes]:
        """Return the RESP of `EVALSHA <sha> …`; called once per attempt."""

    def answered(self, reply: list[int]) -> None:
        """Take the script's reply; the call is forgotten afterwards."""


class RedisWriter(asyncio.Protocol):
    """Open with `run()` in a task; `submit()` never blocks."""

    def __init__(self, url: str, script: str) -> None:
        self._target = parse_url(url)
        self._script = script.encode()
        self.sha = hashlib.sha1(self._script).hexdigest().encode()  # noqa: S324 - Redis names scripts so
        self._calls: deque[Call] = deque()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._handshake: list[str] = []
        self._lost = asyncio.Event()
        self._lost.set()
        self._answered_at = time.monotonic()
        self._progress = False
        self.connected = False
        """Whether the last handshake succeeded and no fault has been seen since."""
        self.reconnects = 0
        self.faults = 0

    @property
    def waiting(self) -> int:
        """Number of calls without an answer."""
        return len(self._calls)

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        delay = FIRST_RETRY_SECONDS
        try:
            while True:
                self._lost.clear()
                self._progress = False
                try:
                    await asyncio.wait_for(self._connect(), CONNECT_SECONDS)
                except (OSError, TimeoutError) as error:
                    log.warning(
                        "Redis cannot be reached; events wait",
                        extra={"error": type(error).__name__, "batches": len(self._calls)},
                    )
                else:
                    await self._until_lost()
                self.connected = False
                self._drop()
                delay = FIRST_RETRY_SECONDS if self._progress else min(2 * delay, LAST_RETRY_SECONDS)
                await asyncio.sleep(delay)
        finally:
            self._drop()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        target: dict[str, Any] = dict(self._target)
        if path := target.get("path"):
            await loop.create_unix_connection(lambda: self, path)
            return
        tls = _tls(target) if target.get("connection_class") is SSLConnection else None
        await loop.create_connection(
            lambda: self, target.get("host", "localhost"), target.get("port", 6379), ssl=tls
        )

    async def _until_lost(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), SILENCE_SECONDS / 4)
            if self._lost.is_set():
                return
            if self._calls and time.monotonic() - self._answered_at > SILENCE_SECONDS:
                log.warning("Redis owes answers; connecting anew", extra={"batches": len(self._calls)})
                return

    def _drop(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, load the script, repeat what is unanswered."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(high=HIGH_WATER)
        target: dict[str, Any] = dict(self._target)
        self._reader = hiredis.Reader()
        self._answered_at = time.monotonic()
        commands: list[tuple[Any, ...]] = []
        self._handshake = []
        if password := target.get("password"):
            user = target.get("username")
            commands.append(("AUTH", user, password) if user else ("AUTH", password))
            self._handshake.append("AUTH")
        if database := target.get("db"):
            commands.append(("SELECT", int(database)))
            self._handshake.append("SELECT")
        commands.append(("SCRIPT", "LOAD", self._script))
        self._handshake.append("SCRIPT LOAD")
        self._handshake.reverse()
        data = [hiredis.pack_command(command) for command in commands]
        for call in self._calls:
            data.extend(call.encode())
        transport.write(b"".join(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake `run`, which connects again."""
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        """Hand out replies, oldest call first."""
        self._reader.feed(data)
        self._answered_at = time.monotonic()
        calls = self._calls
        while self._transport is not None:
            try:
                reply = self._reader.gets()
            except hiredis.ProtocolError as error:
                self._fault(f"protocol: {error}")
                return
            if reply is False:
                return
            if isinstance(reply, hiredis.ReplyError):
                self._fault(str(reply).split(":", 1)[0][:120])
                return
            if self._handshake:
                self._handshake.pop()
                if not self._handshake:
                    self.connected = True
                    self.reconnects += 1
                continue
            self._progress = True
            calls.popleft().answered(reply)

    def _fault(self, what: str) -> None:
        """Close: everything unanswered is sent again on the next connection."""
        step = self._handshake[-1] if self._handshake else "EVALSHA"
        self.faults += 1
        self.connected = False
        log.error(
            "Redis refuses; events wait",
            extra={"command": step, "error": what, "batches": len(self._calls)},
        )
        self._drop()
        self._lost.set()

    def submit(self, call: Call) -> None:
        """Send the call behind all earlier ones, now or when the connection is back."""
        if not self._calls:
            self._answered_at = time.monotonic()
        self._calls.append(call)
        if self._transport is not None:
            self._transport.writelines(call.encode())


def _tls(target: dict[str, Any]) -> ssl.SSLContext:
    """Return the TLS settings that the URL's options ask for (redis-py's names)."""
    context = ssl.create_default_context(cafile=target.get("ssl_ca_certs"))
    if target.get("ssl_cert_reqs") in ("none", "CERT_NONE"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif str(target.get("ssl_check_hostname", "true")).lower() in ("false", "0"):
        context.check_hostname = False
    if certificate := target.get("ssl_certfile"):
        context.load_cert_chain(certificate, target.get("ssl_keyfile"))
    return context
