"""One child process: prefixed output, restart with backoff after a crash, orderly stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from app.adapters.embedded.unprivileged import die_with_parent
from app.errors import ProcessCrashed

STOP_SECONDS = 10.0
"""Every process of Gatehouse ends within 10 s of SIGTERM."""
CRASHES = 5
"""This many crashes within CRASH_WINDOW_SECONDS end the whole system (E005)."""
CRASH_WINDOW_SECONDS = 60.0

COLOURS = ("36", "32", "33", "35", "34", "31")


HIDDEN = frozenset({"message", "level", "logger", "timestamp", "process", "color_message"})


def readable(line: str) -> str:
    """Return a line of a JSON log as people read it; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        entry = json.loads(line)
        message, level = entry["message"], entry["level"]
    except (ValueError, KeyError):
        return line
    extras = ", ".join(f"{name}={value}" for name, value in entry.items() if name not in HIDDEN)
    mark = "" if level in {"debug", "info"} else f"{level.upper()}: "
    return f"{mark}{message}" + (f" ({extras})" if extras else "")


class Child:
    """A process that should always run."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], number: int
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = environment
        colour = COLOURS[number % len(COLOURS)]
        label = f"{name:<9}|"
        self._prefix = f"\x1b[{colour}m{label}\x1b[0m " if sys.stdout.isatty() else f"{label} "
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._crashes: list[float] = []
        self._output: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches only the supervisor."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments,
            env=dict(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
            limit=2**20,
        )
        self._output = asyncio.create_task(self._copy_output(self._process))

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line over the limit; the reader has dropped it
                continue
            if not line:
                return
            print(self._prefix + readable(line.decode(errors="replace").rstrip()), flush=True)

    async def keep_running(self) -> None:
        """Start it again whenever it ends. Raises ProcessCrashed (E005) when it crashes again and again."""
        while True:
            assert self._process is not None
            status = await self._process.wait()
            if self._stopping:
                return
            now = time.monotonic()
            self._crashes = [at for at in self._crashes if now - at < CRASH_WINDOW_SECONDS] + [now]
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            if len(self._crashes) >= CRASHES or status == 2:
                raise ProcessCrashed(
                    f"{self.name} ended with {how}, {len(self._crashes)} time(s) within a minute"
                )
            print(f"{self._prefix}ended with {how}; starting it again", flush=True)
            await asyncio.sleep(min(0.2 * 2 ** len(self._crashes), 5))
            if self._stopping:
                return
            await self.start()

    async def wait(self) -> int:
        """Wait for its end and the last of its output; return the exit status."""
        assert self._process is not None
        status = await self._process.wait()
        if self._output is not None:
            await self._output
        return status

    @property
    def running(self) -> bool:
        """Whether the process is there now."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to its whole session after the limit."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS + 2):
                await self._process.wait()
        except TimeoutError:
            print(f"{self._prefix}did not stop within {STOP_SECONDS:.0f} s; killed", flush=True)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        if self._output is not None:
            await self._output
