"""One request and its answer over the shared HTTP client. Tokens stay out of errors and logs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from app.adapters.discord.caller import File
from app.adapters.discord.headers import audit_log_reason, outcome_of
from app.adapters.discord.routes import Target
from app.adapters.discord.slots import Outcome
from app.observability import metrics
from app.settings import Settings

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
WRITE_SECONDS = 30.0
CONNECTIONS = 64
"""At the global 50 calls per second this is enough for answers that take a second; HTTP/2 needs one."""
KEEP_ALIVE_SECONDS = 30.0


class NoAnswer(Exception):
    """The request got no readable answer. `maybe_sent`: Discord may have acted on it all the same."""

    def __init__(self, cause: str, *, maybe_sent: bool) -> None:
        super().__init__(cause)
        self.maybe_sent = maybe_sent


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request: where to, and what with."""

    target: Target
    json: Any = None
    query: Mapping[str, Any] | None = None
    files: Sequence[File] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: its parsed JSON body (None if empty or not JSON), and what it means for the limits."""

    status: int
    body: Any
    outcome: Outcome


@asynccontextmanager
async def open_exchange(
    settings: Settings,
) -> AsyncIterator[Callable[[Exchange, float], Awaitable[Answered]]]:
    """Yield the function that sends a request within so many seconds. Its connections close at the end."""
    _keep_tokens_out_of_logs()
    base = settings.discord_api_base
    async with httpx.AsyncClient(
        base_url=base,
        headers={"User-Agent": settings.user_agent},
        # Plain HTTP is the sandbox or a local proxy: HTTP/2 is only negotiated over TLS, and loading the trusted
        # certificates takes a third of a second.
        http2=base.startswith("https://"),
        verify=base.startswith("https://"),
        limits=httpx.Limits(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
        ),
    ) as client:

        async def deliver(exchange: Exchange, seconds: float) -> Answered:
            return await _deliver(client, _request(client, settings, exchange, seconds), exchange, seconds)

        yield deliver


def _request(
    client: httpx.AsyncClient, settings: Settings, exchange: Exchange, seconds: float
) -> httpx.Request:
    target, headers = exchange.target, dict[str, str]()
    if not target.route.has_token:
        settings.require("discord_token")
        assert settings.discord_token is not None
        headers["Authorization"] = f"Bot {settings.discord_token.get_secret_value()}"
    if exchange.reason and (encoded := audit_log_reason(exchange.reason)):
        headers["X-Audit-Log-Reason"] = encoded
    query = {name: value for name, value in (exchange.query or {}).items() if value is not None}
    body: dict[str, Any] = {}
    if exchange.files:
        body["data"] = {"payload_json": orjson.dumps(exchange.json).decode()}
        body["files"] = [
            (f"files[{number}]", (file.name, file.content, file.content_type))
            for number, file in enumerate(exchange.files)
        ]
    elif exchange.json is not None:
        body["content"] = orjson.dumps(exchange.json)
        headers["Content-Type"] = "application/json"
    seconds = max(0.001, seconds)
    timeout = httpx.Timeout(
        connect=min(CONNECT_SECONDS, seconds),
        read=min(READ_SECONDS, seconds),
        write=min(WRITE_SECONDS, seconds),
        pool=seconds,
    )
    return client.build_request(
        target.route.method, target.path, params=query or None, headers=headers, timeout=timeout, **body
    )


async def _deliver(
    client: httpx.AsyncClient, request: httpx.Request, exchange: Exchange, seconds: float
) -> Answered:
    route, began = exchange.target.route, time.perf_counter()
    try:
        async with asyncio.timeout(max(0.001, seconds)):
            response = await client.send(request, follow_redirects=False)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NoAnswer(_cause(error), maybe_sent=False) from None
    except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
        raise NoAnswer(_cause(error), maybe_sent=True) from None
    latency = (time.perf_counter() - began) * 1000
    metrics.DISCORD_API_LATENCY.labels(route.name, str(response.status_code)).observe(latency)
    body = _parsed(response)
    if body is None and response.content and response.is_success:
        raise NoAnswer("answered with something that is not JSON", maybe_sent=True)
    outcome = outcome_of(exchange.target, response.status_code, response.headers, body)
    if outcome.scope is not None:
        metrics.DISCORD_RATE_LIMITS_HIT.labels(outcome.scope.value).inc()
    return Answered(response.status_code, body, outcome)


def _parsed(response: httpx.Response) -> Any:
    try:
        return orjson.loads(response.content) if response.content else None
    except orjson.JSONDecodeError:
        return None


def _cause(error: BaseException) -> str:
    """Name an error without its text, which may quote the URL and so a token."""
    return f"no answer ({type(error).__name__})"


def _keep_tokens_out_of_logs() -> None:
    """Silence the HTTP libraries below warnings: their lines quote whole URLs and headers."""
    for name in ("httpx", "httpcore", "hpack", "h2"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
