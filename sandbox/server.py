"""Puts the parts together: REST under /api, the gateway at /gateway, the admin API under /sandbox, the page
at /.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, WebSocketRoute

from sandbox.admin.app import create_admin
from sandbox.gateway.gateway import RESUME_PATH
from sandbox.instance import Sandbox
from sandbox.interactions.attach import attach_interactions
from sandbox.interactions.routes import ROUTES as INTERACTION_ROUTES
from sandbox.page import page_routes
from sandbox.rest.api import RestApi
from sandbox.rest.routes import ROUTES
from sandbox.settings import SandboxSettings
from sandbox.transport import HttpProtocol, SocketProtocol
from sandbox.world import World, seeded_world
from sandbox.world.store import WorldStore, keep_saving

WORLD_FILE = "world.db"
LARGEST_FRAME = 1 << 20
"""Frames above Discord's 4096 bytes must reach the gateway, which closes with 4002."""

DRAIN_SECONDS = 3


def create_sandbox(settings: SandboxSettings, world: World | None = None) -> Sandbox:
    """Make the parts of a sandbox. Without a world: a new, seeded one."""
    sandbox = Sandbox(settings, world or seeded_world())
    attach_interactions(sandbox)
    return sandbox


def create_app(sandbox: Sandbox, store: WorldStore | None = None) -> Starlette:
    """Return the ASGI application of a sandbox; `app.state.sandbox` is the sandbox.

    With a store the world is saved while the application runs, and a last time when it stops.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sandbox.interactions.open()
        saving = asyncio.create_task(keep_saving(sandbox.world, store)) if store is not None else None
        try:
            yield
        finally:
            await sandbox.interactions.aclose()
            if saving is not None and store is not None:
                saving.cancel()
                await asyncio.gather(saving, return_exceptions=True)
                store.close()

    gateway = ("/gateway", "/gateway/", f"/gateway{RESUME_PATH}", f"/gateway{RESUME_PATH}/")
    routes: list[BaseRoute] = [
        Mount("/api", app=RestApi(sandbox, (*ROUTES, *INTERACTION_ROUTES))),
        *(WebSocketRoute(path, sandbox.gateway) for path in gateway),
        Mount("/sandbox", app=create_admin(sandbox, sandbox.interactions)),
        *page_routes(sandbox),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.sandbox = sandbox
    return app


def open_world(data_dir: Path, *, reset: bool = False) -> tuple[World, WorldStore]:
    """Return the folder's world, a new seeded one for an empty folder or with `reset`.

    Raises IncompatibleWorld and WorldInUse.
    """
    store = WorldStore(data_dir / WORLD_FILE, reset=reset)
    world = store.load()
    if world is None:
        world = seeded_world()
        store.save(world)
    return world, store


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Raises OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def uvicorn_server(app: Starlette) -> uvicorn.Server:
    """Return a uvicorn server that speaks as Discord does: no pings, no permessage-deflate, connections can
    be cut.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=HttpProtocol,
            ws=SocketProtocol,
            ws_max_size=LARGEST_FRAME,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
