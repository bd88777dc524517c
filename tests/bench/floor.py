"""The floor: a bare ASGI function that verifies with PyNaCl, parses with orjson and answers. Nothing else."""

from __future__ import annotations

import os
from typing import Any

import orjson
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

KEY = bytes.fromhex(os.environ.get("DISCORD_PUBLIC_KEY", ""))


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer a command or a PING; 401 for a bad signature."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    signature = timestamp = b""
    for name, value in scope["headers"]:
        if name == b"x-signature-ed25519":
            signature = value
        elif name == b"x-signature-timestamp":
            timestamp = value
    status, answer = 200, b""
    try:
        crypto_sign_open(bytes.fromhex(signature.decode("ascii")) + timestamp + body, KEY)
    except (BadSignatureError, ValueError):
        status, answer = 401, b'"invalid request signature"'
    else:
        interaction = orjson.loads(body)
        if interaction["type"] == 1:
            answer = orjson.dumps({"type": 1})
        else:
            text = f"Pong, {interaction['data']['name']}!"
            answer = orjson.dumps({"type": 4, "data": {"content": text, "flags": 64}})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
