"""uvicorn's protocols, with one addition: an application can cut a connection without a goodbye.

The call stands in `scope["extensions"]["sandbox.abort"]`. Nothing in ASGI can drop a connection, and dropped
sockets are what clients must be tested with.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT = "sandbox.abort"


class HttpProtocol(HttpToolsProtocol):
    """HTTP connections that can be aborted."""

    def on_headers_complete(self) -> None:
        """Add the extension before the application starts (its task runs after this callback)."""
        super().on_headers_complete()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # a TypedDict without `extensions`
        scope.setdefault("extensions", {})[ABORT] = self.transport.abort


class SocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket connections that can be aborted."""

    async def run_asgi(self) -> None:
        """Add the extension, then run the application."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[ABORT] = self.transport.abort
        await super().run_asgi()
