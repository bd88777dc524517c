"""Runs of Lua scripts, gathered into one round trip while another is under way.

Thousands of waiting calls ask for their turn again and again; a connection and a round trip for each would cost
more than the calls themselves. Here a process has one round trip under way at a time, and what is asked meanwhile
goes out together in the next. A caller that is cancelled abandons only its own answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

BATCH = 32
"""Runs in one round trip: about 2 ms of the server's time, during which others wait."""

ROUND_TRIP_SECONDS = 2.0
"""A round trip that takes longer counts as lost: on a busy machine a second can pass without meaning that."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and its SHA-1, as EVALSHA wants it."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class _Run:
    script: Script
    arguments: Sequence[str | int]
    answer: asyncio.Future[Any]
    abandoned: Callable[[Any], None] | None = None


class ScriptBatches:
    """Runs scripts that all use the same keys."""

    def __init__(self, redis: Redis, keys: Sequence[str]) -> None:
        self._redis = redis
        self._keys = keys
        self._urgent: deque[_Run] = deque()
        self._patient: deque[_Run] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def run(
        self,
        script: Script,
        arguments: Sequence[str | int],
        *,
        urgent: bool,
        abandoned: Callable[[Any], None] | None = None,
    ) -> Any:
        """Return the script's reply, or hand it to `abandoned` if the caller is cancelled before it comes.

        Urgent runs go out before others that have not left yet.

        Raises redis.RedisError or OSError.
        """
        run = _Run(script, arguments, asyncio.get_running_loop().create_future(), abandoned)
        self._enter(run, urgent=urgent)
        return await run.answer

    def post(self, script: Script, arguments: Sequence[str | int]) -> None:
        """Run a script whose reply nobody waits for."""
        nobody: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        nobody.cancel()
        self._enter(_Run(script, arguments, nobody), urgent=True)

    def _enter(self, run: _Run, *, urgent: bool) -> None:
        (self._urgent if urgent else self._patient).append(run)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="discord limiter scripts")

    async def _send(self) -> None:
        while self._urgent or self._patient:
            batch: list[_Run] = []
            for line in (self._urgent, self._patient):
                batch.extend(line.popleft() for _ in range(min(BATCH - len(batch), len(line))))
            try:
                async with asyncio.timeout(ROUND_TRIP_SECONDS):
                    replies = await self._round_trip(batch)
            except TimeoutError:
                replies = self._lose(batch, RedisTimeoutError(f"no answer in {ROUND_TRIP_SECONDS} s"))
            except (RedisError, OSError) as error:
                replies = self._lose(batch, error)
            for run, reply in zip(batch, replies, strict=True):
                if run.answer.done():
                    if run.abandoned and not isinstance(reply, BaseException):
                        run.abandoned(reply)
                elif isinstance(reply, BaseException):
                    run.answer.set_exception(reply)
                else:
                    run.answer.set_result(reply)

    def _lose(self, batch: list[_Run], error: Exception) -> list[Any]:
        """Fail what waits behind a lost round trip too: it would only wait in vain as long."""
        for line in (self._urgent, self._patient):
            batch.extend(line)
            line.clear()
        return [error] * len(batch)

    async def _round_trip(self, batch: list[_Run]) -> list[Any]:
        replies = await self._execute(batch)
        unknown = [number for number, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            # A server that was restarted has forgotten the scripts.
            for script in {batch[number].script for number in unknown}:
                await self._redis.script_load(script.text)
            again = await self._execute([batch[number] for number in unknown])
            for number, reply in zip(unknown, again, strict=True):
                replies[number] = reply
        return replies

    async def _execute(self, batch: list[_Run]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for run in batch:
            pipeline.execute_command("EVALSHA", run.script.sha, len(self._keys), *self._keys, *run.arguments)
        return await pipeline.execute(raise_on_error=False)
