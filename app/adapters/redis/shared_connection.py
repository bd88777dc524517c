"""One Redis connection that all requests of a process share: commands are written at once, answered in order.

A pool gives each caller a connection for the length of a round trip; at thousands of small commands a second
that costs more than what the commands do. Here the commands of one loop turn leave in one write, their replies
come back in few reads and are parsed by hiredis, and a command costs little more than its future.

Outages cost callers nothing: while the connection is down `send` raises at once, one task reconnects with
growing pauses, and one watchdog for all commands (no timer each) gives the connection up when nothing comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
"""Three such intervals without any answer, while commands wait, mean that the server is gone."""
POST_SECONDS = 0.005
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


_pack: Any = hiredis.pack_command  # its stub allows one argument only


class NotConnected(ConnectionError):
    """The command was not answered: the connection is down, or broke while it was under way."""


class SharedConnection(asyncio.Protocol):
    """Use `open_shared_connection`."""

    def __init__(self, client: Redis, scripts: Sequence[str]) -> None:
        self._client = client
        self._scripts = scripts
        self._transport: asyncio.WriteTransport | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any] | None] = deque()
        self._unsent: list[bytes] = []
        self._flushing = False
        self._posting: asyncio.TimerHandle | None = None
        self._answered = 0
        self._watch: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.connected = False

    def send(self, *command: bytes | str | int) -> asyncio.Future[Any]:
        """Write a command now. The future gets the reply, a hiredis.ReplyError, or NotConnected.

        Raises NotConnected at once while the connection is down.
        """
        if not self.connected:
            raise NotConnected
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append(future)
        self._unsent.append(_pack(command))
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush)
        return future

    def post(self, *command: bytes | str | int) -> None:
        """Write a command whose reply nobody waits for; lost silently while the connection is down.

        It travels with the next command that somebody waits for, or after POST_SECONDS.
        """
        if not self.connected:
            return
        self._waiting.append(None)
        self._unsent.append(_pack(command))
        if self._posting is None:
            self._posting = asyncio.get_running_loop().call_later(POST_SECONDS, self._flush)

    def _flush(self) -> None:
        """Write what has gathered: one system call for all commands of a loop turn."""
        self._flushing = False
        if self._posting is not None:
            self._posting.cancel()
            self._posting = None
        if self._unsent:
            if self._transport is not None:
                self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Hand the replies that came to those who wait for them."""
        reader, waiting = self._reader, self._waiting
        reader.feed(data)
        while (reply := reader.gets()) is not False:
            if type(reply) is hiredis.PushNotification:
                continue  # RESP3 servers may announce maintenance
            self._answered += 1
            future = waiting.popleft()
            if future is None:
                if isinstance(reply, hiredis.ReplyError):
                    log.warning("redis refused a command", extra={"error": str(reply)[:100]})
            elif not future.done():
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(reply)
                else:
                    future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way and let the keeper reconnect."""
        self.connected = False
        self._transport = None
        self._unsent.clear()
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            future = self._waiting.popleft()
            if future is not None and not future.done():
                future.set_exception(NotConnected())
        self._lost.set()

    # upkeep

    async def _connect(self) -> None:
        """Connect, authenticate and select by redis-py, load the scripts, then take its transport over.

        Raises RedisError or OSError, also while the server still loads its data.
        """
        pool: Any = self._client.connection_pool
        connection = pool.make_connection()
        try:
            await connection.connect()
            for script in self._scripts:
                await connection.send_command("SCRIPT", "LOAD", script)
                await connection.read_response()
            # redis-py has no public way to its transport; all replies are read, so its reader holds nothing.
            writer: asyncio.StreamWriter = connection._writer  # noqa: SLF001
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        connection._writer = connection._reader = None  # noqa: SLF001 - it must not close what we took
        self._writer = writer  # a collected StreamWriter closes its transport
        self._reader = hiredis.Reader()
        self._lost.clear()
        self._transport = writer.transport
        writer.transport.set_protocol(self)
        self.connected = not writer.transport.is_closing()
        if not self.connected:
            raise NotConnected
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(WATCH_SECONDS, self._look, self._answered, 0)

    def _look(self, answered: int, silent: int) -> None:
        """Give the connection up after three intervals of silence; one may be a pause of our own loop."""
        silent = silent + 1 if self._waiting and answered == self._answered else 0
        if silent > 2 and self._transport is not None:
            log.warning("redis does not answer", extra={"waiting": len(self._waiting)})
            self._transport.abort()
            self.connected = False
            return
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(WATCH_SECONDS, self._look, self._answered, silent)

    async def _keep(self) -> None:
        """Reconnect for ever, with pauses that grow to a second."""
        while True:
            await self._lost.wait()
            pause = FIRST_PAUSE
            while True:
                try:
                    await self._connect()
                    break
                except (RedisError, OSError) as error:
                    log.debug("redis is still away", extra={"error": type(error).__name__})
                    await asyncio.sleep(pause * random.uniform(0.5, 1))
                    pause = min(pause * 2, LONGEST_PAUSE)
            log.info("redis is back")

    async def start(self) -> None:
        """Connect if the server is there, and keep trying from now on."""
        try:
            await self._connect()
        except (RedisError, OSError) as error:
            log.warning("redis is away", extra={"error": type(error).__name__})
            self._lost.set()
        self._keeper = asyncio.create_task(self._keep(), name="redis shared connection")

    async def stop(self) -> None:
        """Send what was posted, and close."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._flush()
        self.connected = False
        if self._transport is not None:
            self._transport.close()
            await self._lost.wait()


@asynccontextmanager
async def open_shared_connection(
    client: Redis, *, scripts: Sequence[str] = ()
) -> AsyncIterator[SharedConnection]:
    """Yield a connection made with the client's settings; `scripts` are loaded on every (re)connection.

    An unreachable server is no error: the connection starts as down and comes up by itself.
    """
    shared = SharedConnection(client, scripts)
    await shared.start()
    try:
        yield shared
    finally:
        await shared.stop()
