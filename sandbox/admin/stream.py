"""What happens, as it happens: one WebSocket that the page (or a test) listens to."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from fastapi import WebSocket, WebSocketDisconnect

from sandbox.interactions.exchanges import Exchange

if TYPE_CHECKING:
    from sandbox.gateway.gateway import Note
    from sandbox.instance import Sandbox
    from sandbox.interactions.service import Interactions
    from sandbox.rest.log import LoggedCall

Json = dict[str, Any]

MOST_WAITING = 5_000
"""Events that wait for a slow listener; beyond that they are dropped and it is told to read everything anew."""

FLUSH_SECONDS = 0.04
"""Events of this span travel together."""


class Stream:
    """Fans events out. Every event is {kind, …}: world, exchange, rest, gateway, deleting, reset, overflow."""

    def __init__(self, sandbox: Sandbox, interactions: Interactions) -> None:
        self._sandbox = sandbox
        self._listeners: set[_Listener] = set()
        self._ends = [
            sandbox.world.subscribe(self._on_world),
            interactions.exchanges.subscribe(self._on_exchange),
            sandbox.rest_log.subscribe(self._on_rest),
            sandbox.gateway.subscribe(self._on_gateway),
        ]

    def close(self) -> None:
        """Stop listening."""
        for end in self._ends:
            end()

    def publish(self, kind: str, data: Json) -> None:
        """Tell every listener."""
        if self._listeners:
            event = {"kind": kind, **data}
            for listener in self._listeners:
                listener.put(event)

    def _on_world(self, event: str, data: Json, guild_id: int | None) -> None:
        if not self._listeners or event == "INTERACTION_CREATE":
            return
        shown: Json = {"event": event, "guild_id": None if guild_id is None else str(guild_id)}
        if event in {"MESSAGE_CREATE", "MESSAGE_UPDATE"}:
            whom = self._sandbox.world.ephemeral.get(int(data["id"]))
            shown["ephemeral_for"] = None if whom is None else str(whom.ephemeral_for)
        self.publish("world", shown | {"data": data})

    def _on_exchange(self, exchange: Exchange) -> None:
        if self._listeners:
            self.publish("exchange", {"exchange": exchange.as_json()})

    def _on_rest(self, call: LoggedCall) -> None:
        if self._listeners:
            self.publish("rest", {"call": call.as_json()})

    def _on_gateway(self, note: Note) -> None:
        self.publish("gateway", {"note": asdict(note)})

    async def serve(self, socket: WebSocket) -> None:
        """Send lists of events as JSON text until the other side leaves."""
        origin = socket.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != socket.headers.get("host"):
            await socket.close(1008)
            return
        await socket.accept()
        listener = _Listener()
        self._listeners.add(listener)
        sending = asyncio.create_task(self._send(socket, listener))
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass  # the page was closed
        finally:
            self._listeners.discard(listener)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, RuntimeError, WebSocketDisconnect):
                await sending

    async def _send(self, socket: WebSocket, listener: _Listener) -> None:
        await socket.send_text('[{"kind":"hello"}]')
        while True:
            await socket.send_text(orjson.dumps(await listener.take()).decode())
            await asyncio.sleep(FLUSH_SECONDS)


class _Listener:
    """One listener's backlog."""

    def __init__(self) -> None:
        self._waiting: deque[Json] = deque()
        self._something = asyncio.Event()

    def put(self, event: Json) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self._waiting.append({"kind": "overflow"})
        self._waiting.append(event)
        self._something.set()

    async def take(self) -> list[Json]:
        await self._something.wait()
        self._something.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
