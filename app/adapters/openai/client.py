"""One client: no retries of its own (our ladders retry), bounded concurrency, a circuit breaker.

The openai package costs 23 MB and half a second: it is imported by the first call, so processes that make none (the
web replicas) do without.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from app.adapters.openai.errors import MalformedAnswer, ProviderUnavailable
from app.observability import metrics

if TYPE_CHECKING:
    import openai

log = logging.getLogger(__name__)

T = TypeVar("T")

CONCURRENCY = 16
"""Calls under way at once in a process; the next ones wait for a place within their own time."""
BREAK_AFTER = 5
"""So many failures in a row open the circuit."""
OPEN_SECONDS = 15.0
"""While it is open no call is made; then one is let through to try."""


class Circuit:
    """Closed: calls go through. Open: they fail at once. Half open: one may try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return self._opened_at is not None

    def admit(self) -> None:
        """Raise ProviderUnavailable unless a call may be made."""
        if self._opened_at is None:
            return
        if self._trying or self._clock() - self._opened_at < OPEN_SECONDS:
            raise ProviderUnavailable("circuit open")
        self._trying = True

    def succeeded(self) -> None:
        """Close the circuit."""
        self._failures, self._opened_at, self._trying = 0, None, False

    def failed(self) -> None:
        """Count a failure; open the circuit after enough of them, or again after a failed try."""
        self._failures += 1
        if self._trying or self._failures >= BREAK_AFTER:
            self._opened_at = self._clock()
        self._trying = False

    def abandoned(self) -> None:
        """The call was cancelled: it told nothing about the provider."""
        self._trying = False


class OpenAI:
    """Calls with a time limit. Raises ProviderUnavailable, or MalformedAnswer when none can be read for this text."""

    def __init__(
        self, make: Callable[[], openai.AsyncOpenAI], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = make
        self.circuits = {"moderation": Circuit(clock), "chat": Circuit(clock)}
        self._places = asyncio.Semaphore(CONCURRENCY)

    @classmethod
    @asynccontextmanager
    async def open(cls, api_key: str, base_url: str) -> AsyncIterator[OpenAI]:
        """Yield a client; nothing is sent."""
        http = httpx.AsyncClient(timeout=httpx.Timeout(30, connect=5))

        def make() -> openai.AsyncOpenAI:
            import openai

            return openai.AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=http)

        try:
            yield cls(make)
        finally:
            await http.aclose()

    @cached_property
    def client(self) -> openai.AsyncOpenAI:
        """The package's client."""
        return self._make()

    async def call(self, what: str, seconds: float, send: Callable[[], Awaitable[T]]) -> T:
        """Run `send` within `seconds`, the wait for a place included."""
        openai = await _package()
        circuit = self.circuits[what]
        circuit.admit()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(seconds), self._places:
                answer = await send()
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            # It is this text that it does not take (too long, say): the others must not wait for it.
            circuit.succeeded()
            metrics.PROVIDER_CALLS.labels(what, _name(error)).inc()
            raise MalformedAnswer(_name(error)) from None
        except (openai.APIError, httpx.HTTPError, TimeoutError) as error:
            circuit.failed()
            outcome = _name(error)
            metrics.PROVIDER_CALLS.labels(what, outcome).inc()
            # The error's own text may quote what was sent.
            log.warning("provider call failed", extra={"call": what, "outcome": outcome})
            raise ProviderUnavailable(outcome) from None
        except MalformedAnswer:
            # The provider is there; a text that talks a model into nonsense must not stop it for all others.
            circuit.succeeded()
            metrics.PROVIDER_CALLS.labels(what, "malformed").inc()
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            circuit.failed()
            metrics.PROVIDER_CALLS.labels(what, "malformed").inc()
            raise MalformedAnswer(type(error).__name__) from None
        except asyncio.CancelledError:
            circuit.abandoned()
            raise
        circuit.succeeded()
        metrics.PROVIDER_CALLS.labels(what, "ok").inc()
        metrics.PROVIDER_MS.labels(what).observe((time.perf_counter() - started) * 1000)
        return answer


async def _package() -> ModuleType:
    """Import the openai package in a thread: it would hold up everything else for almost a second."""
    global _imported  # noqa: PLW0603 - what is imported is imported for the process
    if _imported is None:
        _imported = await asyncio.to_thread(_import)
    return _imported


def _import() -> ModuleType:
    # The endpoints are imported by their first use, which takes a third of the time.
    importlib.import_module("openai.resources")
    return importlib.import_module("openai")


_imported: ModuleType | None = None


def _name(error: BaseException) -> str:
    import openai

    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if isinstance(error, TimeoutError | openai.APITimeoutError | httpx.TimeoutException):
        return "timeout"
    if isinstance(error, openai.APIResponseValidationError):
        return "malformed"
    return "unreachable"


def json_of(text: str | None) -> Any:
    """Parse the text of an answer. Raises MalformedAnswer."""
    import orjson

    try:
        return orjson.loads(text or "")
    except orjson.JSONDecodeError:
        raise MalformedAnswer("not JSON") from None
