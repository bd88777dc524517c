"""A cluster as the supervisor sees it: a child process and the socket pair to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

from ingester.control import Control, Setup

log = logging.getLogger(__name__)

PING_SECONDS = 10.0
"""Without an answer for so long the process is started anew (seed S4)."""
DRAIN_ACKNOWLEDGE_SECONDS = 3.0
DRAIN_SECONDS = 8.5
TERMINATE_SECONDS = 1.0


class ClusterProcess:
    """One child. `on_message` gets what it says, except pongs."""

    def __init__(self, setup: Setup, on_message: Callable[[dict[str, Any]], None]) -> None:
        self.setup = setup
        self._on_message = on_message
        self._process: asyncio.subprocess.Process | None = None
        self._control: Control | None = None
        self._reading: asyncio.Task[None] | None = None
        self._pings: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count()
        self._draining = asyncio.Event()
        self.registered = asyncio.Event()
        """Set once its first shards are resumed or wait for IDENTIFY."""

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the child."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ingester.cluster",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                # Ctrl-C in a terminal is for the supervisor, which then drains in order.
                start_new_session=True,
            )
        self._control = await Control.open(ours)
        self._control.send(**self.setup.to_message())
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._control is not None
        async for message in self._control.messages():
            match message["op"]:
                case "pong":
                    answer = self._pings.pop(message["id"], None)
                    if answer is not None and not answer.done():
                        answer.set_result(message)
                case "draining":
                    self._draining.set()
                case op:
                    if op == "registered":
                        self.registered.set()
                    self._on_message(message)

    async def wait(self) -> int:
        """Wait for the child's end and return its exit status."""
        assert self._process is not None
        status = await self._process.wait()
        if self._reading is not None:
            # Everything it said before is in the pipe.
            await asyncio.wait([self._reading], timeout=1.0)
            self._reading.cancel()
        if self._control is not None:
            await self._control.close()
        return status

    def send(self, op: str, **values: Any) -> None:
        """Tell the child something."""
        if self._control is not None:
            self._control.send(op, **values)

    async def ping(self, seconds: float = PING_SECONDS) -> dict[str, Any]:
        """Return the child's report. Raises TimeoutError."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pings[number] = answer
        self.send("ping", id=number)
        try:
            return await asyncio.wait_for(answer, seconds)
        finally:
            self._pings.pop(number, None)

    async def stop(self, *, hung: bool = False) -> None:
        """Drain the child and see it ended. `hung`: it is given 3 s to acknowledge, then SIGTERM, then SIGKILL."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.send("drain")
        patience = DRAIN_SECONDS
        if hung:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), DRAIN_ACKNOWLEDGE_SECONDS)
            if not self._draining.is_set():
                patience = 0.0
        if await self._ended(patience):
            return
        log.warning("process does not end; SIGTERM", extra={"cluster": self.setup.cluster})
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if await self._ended(TERMINATE_SECONDS):
            return
        log.error("process does not end; SIGKILL", extra={"cluster": self.setup.cluster})
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _ended(self, seconds: float) -> bool:
        assert self._process is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
        return self._process.returncode is not None
