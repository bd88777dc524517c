"""Takes a signed body to the application's URL and comes back with what happened, whatever that was."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer that are read; more is a broken application (our choice)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is None when nothing did; `failure` then says why."""

    status: int | None
    content_type: str
    body: bytes
    elapsed_ms: float
    failure: str | None = None

    @property
    def is_json(self) -> bool:
        """Whether the Content-Type is one that Discord takes for JSON."""
        return self.content_type.split(";")[0].strip().lower() == "application/json"

    def json(self) -> Any:
        """The decoded body. Raises ValueError when it is not JSON."""
        return orjson.loads(self.body)

    def shown(self) -> Any:
        """The body for the inspector: JSON where it is JSON, else its text."""
        try:
            return self.json()
        except ValueError:
            return self.body[:4000].decode("utf-8", "replace")


async def deliver(
    client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str], *, deadline: float
) -> Answer:
    """POST the body; `deadline` in seconds covers connecting, sending and reading. Never raises."""
    started = time.perf_counter()

    def failed(why: str) -> Answer:
        return Answer(None, "", b"", _since(started), why)

    try:
        async with asyncio.timeout(deadline):
            async with client.stream("POST", url, content=body, headers=headers) as response:
                received = bytearray()
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > LARGEST_ANSWER:
                        return failed(f"the answer is larger than {LARGEST_ANSWER} bytes")
                return Answer(
                    response.status_code,
                    response.headers.get("content-type", ""),
                    bytes(received),
                    _since(started),
                )
    except TimeoutError:
        return failed(f"no answer within {deadline:g} s")
    except httpx.InvalidURL as error:
        return failed(f"the URL is not valid: {error}")
    except httpx.HTTPError as error:
        return failed(f"could not reach the endpoint: {error or type(error).__name__}")


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
