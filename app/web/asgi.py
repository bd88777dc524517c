"""Reading a body and sending an answer without a framework: the hot path has no room for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

MAX_BODY = 1 << 20
"""Bytes. A modal of five 4,000-character fields on a full message, all of it escaped, has about 400 kB."""

JSON = (b"content-type", b"application/json")

REPEATED_BODY = b"x-gatehouse-body"
"""Our proxy's second attempt, after a replica died with the request, is a GET with the body in this header
(decision 0017). Whoever else sends one needs a valid signature all the same."""


class BodyTooLarge(Exception):
    """The request's body has more bytes than allowed."""


class Disconnected(Exception):
    """The client went away while it sent its body."""


async def read_body(receive: Receive, limit: int = MAX_BODY) -> bytes:
    """Return the whole body. Raises BodyTooLarge as soon as it is, Disconnected when the client leaves."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise BodyTooLarge
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        if size > limit:
            raise BodyTooLarge
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if size > limit:
        raise BodyTooLarge
    return b"".join(chunks)


def repeated_body(scope: Scope) -> bytes | None:
    """Return the body that a repeated request carries in a header, None when it is none."""
    if scope["method"] != "GET":
        return None
    return next((value for name, value in scope["headers"] if name == REPEATED_BODY), None)


async def signed_body(scope: Scope, receive: Receive, send: Send) -> bytes | None:
    """Return the body of a POST, or answer what is none (405), is too large (413) or goes away."""
    if scope["method"] != "POST":
        body = repeated_body(scope)
        if body is None:
            await refuse(send, 405, "Discord POSTs here.", [(b"allow", b"POST")])
        return body
    try:
        return await read_body(receive)
    except BodyTooLarge:
        await refuse(send, 413, "The body is too large.", [(b"connection", b"close")])
    except Disconnected:
        return None  # nobody is there to be told
    return None


async def respond(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """Send a whole JSON answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [JSON, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, message: str, headers: Headers = (), **fields: Any) -> None:
    """Send an error as JSON: `message`, and what else the client should know."""
    await respond(send, status, orjson.dumps({"message": message, **fields}), headers)
