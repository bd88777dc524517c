"""A job's reports to the person who waits: edits of the deferred answer, few and in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from app.errors import AppError
from app.locale.text import Text

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 2.0
"""Between two edits: a person reads no faster, and edits share the webhook's limit."""


class Progress:
    """Sends the latest text with `edit`, at most once per PROGRESS_SECONDS; failures are only logged."""

    def __init__(
        self, edit: Callable[[Text | str], Awaitable[Any]], *, seconds: float = PROGRESS_SECONDS
    ) -> None:
        self._edit = edit
        self._seconds = seconds
        self._latest: Text | str | None = None
        self._sender: asyncio.Task[None] | None = None
        self._editing: asyncio.Future[Any] | None = None

    async def report(self, text: Text | str) -> None:
        """Take a text and return at once."""
        self._latest = text
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def finish(self) -> None:
        """Drop what was not sent yet and wait for an edit under way: the final answer must come after it."""
        self._latest = None
        if self._editing is not None and not self._editing.done():
            await asyncio.wait({self._editing})
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender

    async def _send(self) -> None:
        while self._latest is not None:
            text, self._latest = self._latest, None
            self._editing = asyncio.ensure_future(self._edit(text))
            try:
                await asyncio.shield(self._editing)
            except AppError as error:
                log.info("progress was not shown", extra={"error": error.for_operator()})
            await asyncio.sleep(self._seconds)
