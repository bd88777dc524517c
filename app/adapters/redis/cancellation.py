"""Loops that end when they are told to, although redis-py may swallow the telling."""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raise CancelledError in a task that was cancelled while it sat in a Redis call that swallowed it.

    With a `socket_timeout` redis-py writes under `asyncio.wait_for`, which on Python 3.11 loses a cancellation that
    meets the end of the write; a loop would then go on for ever. The first line of every loop that calls Redis and
    is ended by cancelling it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
