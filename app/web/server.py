"""Uvicorn as we run it: our own stop, our own socket, and one write for an interaction's answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.errors import ConfigurationError
from app.settings import Settings
from app.web.asgi import ASGIApp, Send

CLOSING_SECONDS = 2.0
"""Kept of SHUTDOWN_SECONDS for late answers and for closing connections."""


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def answer_at_once(send: Send, body: bytes) -> bool:
    """Write a 200 with a JSON body as a whole; False when it has to be sent as ASGI messages.

    Uvicorn checks and writes an answer's head and body apart, and uvloop makes a system call of each: a tenth of what
    an interaction costs. Where `send` is uvicorn's own, on a connection that stays open, this does what its two
    messages do, in one write.
    """
    cycle = getattr(send, "__self__", None)
    if (
        type(cycle) is not RequestResponseCycle
        or cycle.response_started
        or cycle.disconnected
        or cycle.default_headers
        or not cycle.keep_alive
        or cycle.flow.write_paused
    ):
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(_HEAD % len(body) + body)
    cycle.message_event.set()
    cycle.on_response()
    return True


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
        http="httptools",
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
