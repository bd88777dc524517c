"""A bare WebSocket client that speaks the gateway's protocol by hand."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

import orjson
import websockets
import zstandard
from websockets.asyncio.client import ClientConnection, connect

from sandbox.gateway.protocol import Intent
from sandbox.instance import Sandbox
from tests.fixtures.sandbox import named

I = Intent  # noqa: E741 - one letter reads well in unions
CHAT = (
    I.GUILDS | I.GUILD_MEMBERS | I.GUILD_MODERATION | I.GUILD_MESSAGES | I.DIRECT_MESSAGES | I.MESSAGE_CONTENT
)
Json = dict[str, Any]


class Socket:
    """A client that decodes what it receives and keeps the last sequence number."""

    def __init__(self, connection: ClientConnection, decode: Callable[[Any], bytes | str]) -> None:
        self.connection = connection
        self._decode = decode
        self.seq: int | None = None
        self.session_id = ""

    async def receive(self) -> Json:
        payload: Json = orjson.loads(self._decode(await asyncio.wait_for(self.connection.recv(), 20)))
        self.seq = payload["s"] if payload["s"] is not None else self.seq
        return payload

    async def until(self, event: str) -> Json:
        while True:
            payload = await self.receive()
            if payload["t"] == event:
                return payload

    async def take(self, event: str, count: int) -> list[Json]:
        return [(await self.until(event))["d"] for _ in range(count)]

    async def send(self, op: int, data: Any) -> None:
        await self.connection.send(orjson.dumps({"op": op, "d": data}).decode())

    async def code(self) -> int | None:
        """The close code, None when the connection was cut."""
        try:
            while True:
                await asyncio.wait_for(self.connection.recv(), 20)
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None


def zlib_decoder() -> Callable[[Any], bytes]:
    inflate = zlib.decompressobj()

    def decode(data: Any) -> bytes:
        assert data[-4:] == b"\x00\x00\xff\xff"
        return inflate.decompress(data)

    return decode


def zstd_decoder() -> Callable[[Any], bytes]:
    inflate = zstandard.ZstdDecompressor().decompressobj()
    return inflate.decompress


def payload_decoder() -> Callable[[Any], bytes | str]:
    return lambda data: zlib.decompress(data) if isinstance(data, bytes) else data


async def open_socket(sandbox: Sandbox, query: str = "v=10&encoding=json", path: str = "") -> Socket:
    decode = payload_decoder()
    if "zlib" in query:
        decode = zlib_decoder()
    elif "zstd" in query:
        decode = zstd_decoder()
    url = f"{sandbox.settings.gateway_url}{path}?{query}"
    return Socket(await connect(url, max_size=None, ping_interval=None), decode)


async def identify(
    sandbox: Sandbox, intents: int = CHAT, query: str = "v=10&encoding=json", **fields: Any
) -> Socket:
    socket = await open_socket(sandbox, query)
    assert (await socket.receive())["op"] == 10
    await socket.send(2, identity(sandbox, intents, **fields))
    return socket


def identity(sandbox: Sandbox, intents: int = CHAT, **fields: Any) -> Json:
    token = sandbox.world.application.token
    properties = {"os": "linux", "browser": "test", "device": "test"}
    return {"token": token, "intents": int(intents), "properties": properties, **fields}


async def ready(sandbox: Sandbox, intents: int = CHAT, **fields: Any) -> Socket:
    socket = await identify(sandbox, intents, **fields)
    data = (await socket.until("READY"))["d"]
    socket.session_id = data["session_id"]
    if intents & I.GUILDS:
        await socket.take("GUILD_CREATE", len(data["guilds"]))
    return socket


async def resume(sandbox: Sandbox, old: Socket, seq: int | None = None, token: str | None = None) -> Socket:
    socket = await open_socket(sandbox, path="/resume")
    assert (await socket.receive())["op"] == 10
    data = {
        "token": token or sandbox.world.application.token,
        "session_id": old.session_id,
        "seq": old.seq if seq is None else seq,
    }
    await socket.send(6, data)
    socket.session_id = old.session_id
    return socket


def general_of(sandbox: Sandbox, index: int = 0) -> int:
    guild = list(sandbox.world.guilds.values())[index]
    return named(sandbox.world, guild, "general").id
