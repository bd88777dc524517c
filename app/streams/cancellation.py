"""Loops that end when they are told to, whatever a library did with the telling."""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raise CancelledError in a task that was cancelled, although somebody below has swallowed it.

    A cancellation that meets the end of a timed wait within a client's call is lost in Python 3.11; a loop that then
    waits again would never end. Seen once in a loaded test run: for the first line of every endless loop.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
