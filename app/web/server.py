"""Uvicorn as we run it: our own stop, our own socket, and one write for each answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import ConfigurationError
from app.settings import Settings
from app.web.asgi import ASGIApp

CLOSING_SECONDS = 2.0
"""Kept of SHUTDOWN_SECONDS for late answers and for closing connections."""


class JoinedWrites:
    """A transport that writes once per loop turn what it was given in pieces.

    Uvicorn writes an answer's head and its body apart, and uvloop makes a system call of each: with the packets that
    follow from it, a tenth of what a request costs.
    """

    __slots__ = ("_loop", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Take a piece."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Write what is left, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            self._transport.write(b"".join(self._pieces))
            self._pieces.clear()


class HttpProtocol(HttpToolsProtocol):
    """Uvicorn's protocol on a transport that joins writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(JoinedWrites(transport))  # type: ignore[arg-type]


class Server(uvicorn.Server):
    """Uvicorn whose stopping is ours: it would end the process by the signal instead of with status 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=HttpProtocol,
        ws="none",
        lifespan="on",
        access_log=False,  # 47 µs a request; the metrics count instead
        log_config=None,
        proxy_headers=False,  # TRUSTED_PROXIES decides, in app.admission.proxies
        server_header=False,
        date_header=False,  # the proxy in front adds it, and uvicorn checks each header anew
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds - CLOSING_SECONDS)),
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything else is opened, so that a taken port is told at once. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError("PORT", f"cannot listen on {host} port {port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener
