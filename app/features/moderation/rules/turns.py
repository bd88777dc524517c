"""How judging shares the event loop: hostile messages take milliseconds per rule, and others wait meanwhile."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

SLICE_SECONDS = 0.002
"""After so long the loop has its turn; a match call, of 5 ms at most (issue 5), is not interrupted."""


class Turns:
    """One message of a process is judged at a time, so that a round of the loop holds one slice and not eight.

    async with turns:
        for …:
            …                   # a few milliseconds
            await turns.give()
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._since = 0.0

    async def __aenter__(self) -> Self:
        await self._lock.acquire()
        self._since = time.perf_counter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    async def give(self) -> None:
        """Let others run if this one has had its slice."""
        if time.perf_counter() - self._since >= SLICE_SECONDS:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
