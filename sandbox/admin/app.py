"""The FastAPI application under /sandbox: endpoints, the event stream, and documentation that works offline."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import FastAPI, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse

from sandbox.admin import actions, guilds, inspection, members, messages, trouble
from sandbox.admin.context import Context
from sandbox.admin.errors import add_error_handlers
from sandbox.admin.stream import Stream
from sandbox.interactions.people import People
from sandbox.page.routes import SECURITY_HEADERS

if TYPE_CHECKING:
    from sandbox.instance import Sandbox
    from sandbox.interactions.service import Interactions

TAGS = [
    {"name": "Application", "description": "Credentials, URLs and checks: the Developer Portal."},
    {"name": "World", "description": "Servers, channels, roles."},
    {"name": "Messages", "description": "People write, edit, delete, react."},
    {"name": "Interactions", "description": "People run commands, press buttons, choose, fill in modals."},
    {"name": "Members", "description": "People join, leave, and moderate one another."},
    {"name": "Inspection", "description": "What was sent and what happened."},
    {"name": "Trouble", "description": "What can be made to go wrong."},
    {"name": "Load", "description": "Many messages."},
]

DESCRIPTION = """\
Acts as the people in the sandbox's little Discord, and looks at everything that happens there.

Users, servers and channels can be named (`maya`, `The Reading Room`, `general`, `Night Owls/general`) or given by id.
Ids are strings. Every 4xx answer is `{"error": {"code", "message", "problems"}}`.
`GET /sandbox/stream` is a WebSocket that sends lists of events as JSON.
"""


def create_admin(sandbox: Sandbox, interactions: Interactions) -> FastAPI:
    """Make the application to be mounted at /sandbox."""
    api = FastAPI(
        title="Gatehouse sandbox",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        root_path_in_servers=False,
        servers=[{"url": "/sandbox"}],
    )
    stream = Stream(sandbox, interactions)
    api.state.context = Context(sandbox, interactions, People(interactions), stream)
    add_error_handlers(api)
    for module in (inspection, guilds, messages, actions, members, trouble):
        api.include_router(module.router)
    page = files(__package__).joinpath("docs.html").read_text(encoding="utf-8")

    @api.get("/", include_in_schema=False)
    async def index() -> RedirectResponse:
        return RedirectResponse("/sandbox/docs")

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers=SECURITY_HEADERS)

    @api.websocket("/stream")
    async def follow(socket: WebSocket) -> None:
        await stream.serve(socket)

    return api
