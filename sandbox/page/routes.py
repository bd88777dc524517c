"""Serves the page and its files, and the files that people and the bot uploaded."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from sandbox.instance import Sandbox

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob: http: https:; style-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Pictures may come from anywhere (embeds name any URL); scripts only from here, none inline."""

SHOWN_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain")
"""Uploads of other types are downloaded, never opened: they could be web pages."""


class _PageFiles(StaticFiles):
    """Static files that are revalidated, with the page's security headers."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        response.headers.update(SECURITY_HEADERS)
        return response


def page_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """The page at /, its files at /page, uploads at /attachments and /ephemeral-attachments."""
    with as_file(files(__package__).joinpath("static")) as folder:
        static = folder

    async def index(_: Request) -> Response:
        return FileResponse(static / "index.html", headers=SECURITY_HEADERS)

    async def icon(_: Request) -> Response:
        return FileResponse(static / "icon.svg", headers=SECURITY_HEADERS)

    async def upload(request: Request) -> Response:
        found = sandbox.files.get(request.path_params["attachment_id"])
        if found is None:
            return Response("This file is no longer kept.", 404)
        kind = found.content_type.split(";")[0]
        disposition = "inline" if kind in SHOWN_INLINE else "attachment"
        headers = {
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(found.filename)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        return Response(found.content, media_type=found.content_type, headers=headers)

    where = "/{channel_id:int}/{attachment_id:int}/{name}"
    return [
        Route("/", index),
        Route("/favicon.ico", icon),
        Route(f"/attachments{where}", upload),
        Route(f"/ephemeral-attachments{where}", upload),
        Mount("/page", _PageFiles(directory=static)),
    ]
