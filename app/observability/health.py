"""The health server of a process that has no other HTTP: /health /ready /live /metrics.

/live is 200 while the event loop turns. /ready is 200 when every check passes, else 503. /health tells the
details as JSON (seed S3's shape: status, version, uptime, one object a check) with 200 or 503.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import __version__
from app.errors import ConfigurationError
from app.observability import metrics

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
LAG_INTERVAL_SECONDS = 0.5
"""Seed S4: the loop's lag is sampled every 500 ms; over 100 ms it is a warning."""
LAG_WARNING_MS = 100.0

Check = Callable[[], Awaitable[Mapping[str, Any]]]
"""Returns details for /health, among them `ok: bool`. An exception or 2 s of silence count as not ok."""

STARTED = time.monotonic()


async def run_checks(checks: Mapping[str, Check]) -> dict[str, Any]:
    """Run all checks at once and return the body of /health."""

    async def run(name: str, check: Check) -> tuple[str, dict[str, Any]]:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return name, dict(await check())
        except Exception as error:
            return name, {"ok": False, "error": type(error).__name__}

    results = dict(await asyncio.gather(*(run(name, check) for name, check in checks.items())))
    healthy = all(result.get("ok") for result in results.values())
    return {
        "status": "healthy" if healthy else "unhealthy",
        "version": __version__,
        "uptime": round(time.monotonic() - STARTED, 1),
        **results,
    }


def health_routes(
    checks: Mapping[str, Check], details: Mapping[str, Check] | None = None, *, top: Check | None = None
) -> list[Route]:
    """Return the four routes. `checks` decide about /ready; `details`, each under its name, and the fields of `top`
    only add to /health.
    """

    async def health(_request: Request) -> Response:
        body = await run_checks(checks)
        body |= {name: dict(await detail()) for name, detail in (details or {}).items()}
        if top is not None:
            body |= await top()
        return _json(body, 200 if body["status"] == "healthy" else 503)

    async def ready(_request: Request) -> Response:
        body = await run_checks(checks)
        failed = [name for name in checks if not body[name].get("ok")]
        return _json({"ready": not failed, "failed": failed}, 503 if failed else 200)

    async def live(_request: Request) -> Response:
        return _json({"live": True}, 200)

    async def expose(_request: Request) -> Response:
        body, content_type = metrics.exposition()
        return Response(body, media_type=content_type)

    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/live", live),
        Route("/metrics", expose),
    ]


def _json(body: Any, status: int) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


class _QuietServer(uvicorn.Server):
    """Uvicorn without its signal handlers: the process's main decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_health(
    host: str,
    port: int,
    variable: str,
    checks: Mapping[str, Check],
    details: Mapping[str, Check] | None = None,
    *,
    top: Check | None = None,
    move_on: bool = False,
) -> AsyncIterator[int]:
    """Serve the four routes and sample the loop's lag until the block ends; yield the port in use.

    `move_on`: when the port is taken, take the next free one of 20 (a second worker on the same machine);
    else raises ConfigurationError naming `variable`. Port 0 takes any.
    """
    listener = _listen(host, port, variable, 20 if move_on else 1)
    app = Starlette(routes=health_routes(checks, details, top=top))
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none")
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    sampling = asyncio.create_task(watch_loop())
    try:
        yield int(listener.getsockname()[1])
    finally:
        sampling.cancel()
        server.should_exit = True
        await serving
        listener.close()


def _listen(host: str, port: int, variable: str, tries: int) -> socket.socket:
    for candidate in range(port, port + tries):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            # Only a listening socket keeps the port: with SO_REUSEADDR two may be bound to it.
            listener.listen(128)
        except (OSError, OverflowError):  # taken, or beyond 65535
            listener.close()
            continue
        if candidate != port:
            log.info("health port taken, using another", extra={"wanted": port, "port": candidate})
        return listener
    raise ConfigurationError(variable, f"port {port} of {host} is taken; set another")


async def watch_loop() -> None:
    """Sample the event loop's lag for ever."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LAG_INTERVAL_SECONDS)
        lag = max(0.0, (time.perf_counter() - before - LAG_INTERVAL_SECONDS) * 1000)
        metrics.LOOP_LAG.observe(lag)
        if lag > LAG_WARNING_MS:
            log.warning("the event loop was blocked", extra={"lag_ms": round(lag)})
