"""The web process: `create_app(settings)` is an ASGI application, `serve(settings)` runs it with uvicorn.

/interactions is answered by our own ASGI code before any framework sees it; the rest is Starlette. The lifespan
opens everything in order and closes it in reverse. On SIGTERM no new connections are taken, requests under way and
the late answers of deferred ones get SHUTDOWN_SECONDS, then the process ends with status 0.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app import catalog
from app.adapters.embedded import check_database_url
from app.adapters.redis.shared_connection import open_shared_connection
from app.admission.gate import SCRIPT, Gate
from app.admission.limits import InteractionLimits, Limit
from app.admission.proxies import ClientAddresses
from app.admission.store import UsedIds
from app.feature import Feature
from app.interactions.discovery import Declarations
from app.interactions.dispatch import Dispatcher
from app.interactions.permissions import Flags, GuildRoles
from app.interactions.signature import Verifier
from app.jobs.late_answers import LateAnswers
from app.jobs.queue import JobQueue
from app.jobs.sealing import Sealer
from app.keyring import load_keyring
from app.observability import metrics
from app.observability.health import health_routes, watch_loop
from app.runtime import Runtime, open_runtime
from app.services import Services
from app.settings import Settings
from app.web.asgi import ASGIApp, Receive, Scope, Send
from app.web.health import Draining, checks, details
from app.web.interactions import InteractionsEndpoint
from app.web.limited_routes import LimitedRoutes, limited_prefixes
from app.web.server import CLOSING_SECONDS, Server, listen, server_config
from app.web.unsigned import Unsigned
from app.web.webhook_events import WebhookEvents

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers requests while the application is open."""

    interactions: InteractionsEndpoint
    others: ASGIApp
    late: LateAnswers


class WebApp:
    """The ASGI application. `failure` is what stopped its start."""

    def __init__(self, settings: Settings, features: tuple[Feature, ...]) -> None:
        self._settings = settings
        self._features = features
        self._interactions: ASGIApp | None = None
        self._others: ASGIApp | None = None
        self.draining = Draining()
        self.failure: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan."""
        if scope["type"] == "http":
            answer = self._interactions if scope["path"] == "/interactions" else self._others
            assert answer is not None, "the lifespan has to run first"
            await answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                parts = await stack.enter_async_context(
                    open_parts(self._settings, self._features, self.draining)
                )
            except Exception as error:
                self.failure = error
                await send({"type": "lifespan.startup.failed", "message": ""})
                return
            self._interactions, self._others = parts.interactions, parts.others
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.draining.begin(self._settings.shutdown_seconds)
            if left := await parts.late.drain(self.draining.seconds_left() - CLOSING_SECONDS / 4):
                log.warning("late answers were lost", extra={"count": left})
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings, *, features: tuple[Feature, ...] = catalog.FEATURES) -> WebApp:
    """Return the application; nothing is opened before its lifespan runs."""
    return WebApp(settings, features)


@asynccontextmanager
async def open_parts(
    settings: Settings, features: tuple[Feature, ...], draining: Draining
) -> AsyncIterator[Parts]:
    """Open what answers requests.

    Raises ConfigurationError, DatabaseUnavailable (E004), MissingService, DeclarationError. A Redis that is away is no
    error: it is waited for in the background.
    """
    settings.require("discord_application_id", "discord_public_key")
    assert settings.discord_application_id is not None
    assert settings.discord_public_key is not None
    clients = ClientAddresses(settings.trusted_proxies)
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings, features=features))
        floor = runtime.floor
        shared = await stack.enter_async_context(open_shared_connection(floor.redis, scripts=[SCRIPT]))
        gate = Gate(shared)
        verifier = Verifier(settings.discord_public_key, floor.clock)
        unsigned = Unsigned(gate, clients, Limit.parse(settings.limit_unsigned))
        late = LateAnswers(floor.discord)
        interactions = InteractionsEndpoint(
            verifier,
            _dispatcher(runtime),
            gate,
            InteractionLimits.of(settings),
            unsigned,
            JobQueue(floor.redis, Sealer(floor.keyring)),
            late,
        )
        routes = [
            *health_routes(checks(floor.postgres, draining), details(shared, interactions.flights)),
            Route("/webhook-events", WebhookEvents(verifier, unsigned, floor.postgres)),
        ]
        others = Starlette(
            routes=routes, exception_handlers={HTTPException: _http_error, Exception: _server_error}
        )
        sampling = asyncio.create_task(watch_loop(), name="loop lag")
        stack.callback(sampling.cancel)
        yield Parts(interactions, LimitedRoutes(others, gate, clients, limited_prefixes(settings)), late)


def _dispatcher(runtime: Runtime) -> Dispatcher:
    floor = runtime.floor
    declarations = Declarations.collect(runtime.packages)
    services: Services = {**runtime.services, Declarations: declarations}
    return Dispatcher(
        declarations,
        services,
        custom_ids=floor.custom_ids,
        catalogue=floor.catalogue,
        claims=UsedIds(floor.postgres),
        roles=cast(GuildRoles, services[GuildRoles]),
        flags=cast(Flags, services[Flags]),
        clock=floor.clock,
    )


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code, error.headers)


async def _server_error(_request: Request, error: Exception) -> Response:
    """Name the incident; Starlette logs the error itself by raising it again to the server."""
    incident = secrets.token_hex(4)
    metrics.ERRORS.labels("web").inc()
    log.error("request failed", extra={"incident": incident}, exc_info=error)
    return JSONResponse({"message": f"Something went wrong here (incident {incident})."}, 500)


def check_settings(settings: Settings) -> None:
    """Raise what `open_parts` would for a wrong setting, but before uvicorn has three log lines of its own to add."""
    settings.require("discord_application_id", "discord_public_key")
    ClientAddresses(settings.trusted_proxies)
    check_database_url(settings)
    load_keyring(settings)


async def serve(settings: Settings, *, features: tuple[Feature, ...] = catalog.FEATURES) -> None:
    """Serve until SIGTERM or SIGINT. Raises what `open_parts` raises, and ConfigurationError for a taken PORT."""
    check_settings(settings)
    metrics.watch_gc()
    app = create_app(settings, features=features)
    with listen(settings.host, settings.port) as listener:
        server = Server(server_config(app, settings))
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if server.should_exit:
                server.force_exit = True
                return
            log.info("web stops")
            app.draining.begin(settings.shutdown_seconds)
            server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        announcing = asyncio.create_task(_announce(server, listener))
        try:
            await server.serve(sockets=[listener])
        except SystemExit:  # uvicorn's way to say that the lifespan did not start
            if app.failure is None:
                raise
        finally:
            announcing.cancel()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
    if app.failure is not None:
        raise app.failure
    log.info("web stopped")


async def _announce(server: uvicorn.Server, listener: socket.socket) -> None:
    """Say that requests are answered, and where."""
    started = time.monotonic()
    while not server.started:
        await asyncio.sleep(0.02)
    gc.collect()
    gc.freeze()  # what the start made stays for ever: no collection has to look at it again
    host, port = listener.getsockname()[:2]
    log.info(
        "web started", extra={"host": host, "port": port, "seconds": round(time.monotonic() - started, 2)}
    )


def run(settings: Settings) -> None:
    """Run a web process on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))
