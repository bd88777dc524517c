"""Reading a request's body: JSON, a form, or multipart with `payload_json` and `files[n]` (contract 4.1,
4.6).
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from sandbox.interactions.files import Upload
from sandbox.rest.errors import invalid_form, refused

MAX_BODY = 25 * 1024 * 1024
MAX_FILE = 10 * 1024 * 1024
MAX_FILES = 10
MOST_PARTS = 100
_PART = re.compile(r"files?\[(\d+)\]")
_ACCEPTED = "{'application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'}"


async def read_body(request: Request) -> tuple[Any, list[Upload]]:
    """Return the parsed JSON (None without a body) and the files. Raises 40005, 50035, 50045, 50109, 30015."""
    length = request.headers.get("content-length")
    if length is not None and length.isdecimal() and int(length) > MAX_BODY:
        raise refused(40005)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request)
    raw = await request.body()
    if len(raw) > MAX_BODY:
        raise refused(40005)
    if not raw:
        return None, []
    if kind == "application/x-www-form-urlencoded":
        form = await request.form()
        return {key: value for key, value in form.items() if isinstance(value, str)}, []
    if kind != "application/json":
        message = f'Expected "Content-Type" header to be one of {_ACCEPTED}.'
        raise invalid_form(code="CONTENT_TYPE_INVALID", message=message)
    return _json(raw), []


def _json(raw: bytes | str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refused(50109) from None


async def _multipart(request: Request) -> tuple[Any, list[Upload]]:
    body: Any = None
    loose: dict[str, str] = {}
    files: dict[int, Upload] = {}
    try:
        async with request.form(max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=MAX_FILE) as form:
            for name, part in form.multi_items():
                if isinstance(part, UploadFile):
                    match = _PART.fullmatch(name)
                    files[int(match.group(1)) if match else len(files)] = await _upload(part)
                elif name == "payload_json":
                    body = _json(part)
                else:
                    loose[name] = part
    except (HTTPException, MultiPartException) as error:  # the former inside a Starlette application
        raise invalid_form(code="CONTENT_TYPE_INVALID", message=str(error)) from None
    if len(files) > MAX_FILES:
        raise refused(30015)
    return (body if body is not None or not loose else loose), [files[index] for index in sorted(files)]


async def _upload(part: UploadFile) -> Upload:
    content = await part.read()
    if len(content) > MAX_FILE:
        raise refused(50045)
    return Upload(part.filename or "unknown", content, part.content_type or "")
