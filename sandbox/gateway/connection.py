"""One WebSocket: HELLO, what the client sends and what it is sent, heartbeats, limits, close codes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from sandbox.gateway.codec import Plain, codec_for
from sandbox.gateway.protocol import REASONS, SENT_BY_CLIENTS, SESSION_ENDS, Close, Op
from sandbox.trouble import GatewayKind

if TYPE_CHECKING:
    from sandbox.gateway.gateway import Gateway
    from sandbox.gateway.session import Session

MISSED_HEARTBEATS = 2.0
"""Heartbeat intervals without a heartbeat after which the socket is closed with 4009 (our choice, not
documented).
"""

MAX_PENDING = 100_000
"""Frames waiting for a client that does not read; more, and the socket is dropped."""

log = structlog.get_logger("sandbox.gateway")


@dataclass(frozen=True, slots=True)
class _Raw:
    """Goes out as it is."""

    frame: str | bytes


class Connection:
    """A connected client, before and after it has a session."""

    def __init__(self, gateway: Gateway, scope: Scope, number: int) -> None:
        query = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode()).items()}
        self.gateway = gateway
        self.number = number
        self.path: str = scope["path"]
        self.client = "{}:{}".format(*scope["client"]) if scope.get("client") else "unknown"
        self.version = query.get("v", "10")
        self.encoding = query.get("encoding", "json")
        self.compress = query.get("compress")
        self.codec = codec_for(self.compress)
        self.session: Session | None = None
        self.connected_ms = gateway.world.clock()
        self.zombie = False
        self.close_code: int | None = None
        self.heartbeats = 0
        self._abort = scope.get("extensions", {}).get("sandbox.abort")
        self._pending: deque[bytes | _Raw | tuple[int, str]] = deque()
        self._wake = asyncio.Event()
        self._received: deque[float] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._gone = False

    # -- outgoing

    def send(self, op: Op, data: Any = None) -> None:
        """Queue a payload that is no dispatch; a zombie says nothing any more."""
        self.send_frame(orjson.dumps({"t": None, "s": None, "op": int(op), "d": data}))

    def send_frame(self, frame: bytes) -> None:
        """Queue a ready JSON payload."""
        if self.zombie or self._gone or self.close_code is not None:
            return
        if len(self._pending) > MAX_PENDING:
            log.warning("the client does not read; its socket is dropped", client=self.client)
            self.drop()
            return
        self._pending.append(frame)
        self._wake.set()

    def send_raw(self, frame: str | bytes) -> None:
        """Queue a frame, text or binary, that bypasses encoding and compression: trouble only."""
        self._pending.append(_Raw(frame))
        self._wake.set()

    def close(self, code: int, reason: str | None = None) -> None:
        """Close with a code, after what is queued has gone out."""
        if self.close_code is None and not self._gone:
            self.close_code = code
            self._pending.append((code, reason if reason is not None else REASONS.get(code, "")))
            self._wake.set()

    def drop(self) -> None:
        """Cut the TCP connection: no close frame, nothing that is still queued."""
        self._pending.clear()
        if self._abort is not None:
            self._abort()
        else:
            self.close(1011)

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve the connection until it ends."""
        message = await receive()
        assert message["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.gateway.attach(self)
        writer = asyncio.create_task(self._write(send))
        code = 1006
        try:
            self._greet()
            code = await self._read(receive)
        finally:
            self._gone = True
            if self._watch is not None:
                self._watch.cancel()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self.gateway.detach(self, code)

    def _greet(self) -> None:
        if self.version not in {"9", "10"}:
            self.close(Close.INVALID_API_VERSION)
            return
        if self.encoding != "json":
            self.close(Close.UNKNOWN_ERROR, "The sandbox speaks encoding=json only.")
            return
        if self.gateway.trouble.for_gateway(GatewayKind.OP7_BEFORE_HELLO, None) is not None:
            self.send(Op.RECONNECT)
        interval = self.gateway.settings.heartbeat_interval_ms
        self.send(Op.HELLO, {"heartbeat_interval": interval, "_trace": ['["gatehouse-sandbox",{}]']})
        self._expect_heartbeat()

    async def _write(self, send: Send) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                item = self._pending.popleft()
                try:
                    if isinstance(item, tuple):
                        await send({"type": "websocket.close", "code": item[0], "reason": item[1]})
                        return
                    frame = item.frame if isinstance(item, _Raw) else self.codec.encode(item)
                    kind = "text" if isinstance(frame, str) else "bytes"
                    await send({"type": "websocket.send", kind: frame})
                except OSError:
                    return

    # -- incoming

    async def _read(self, receive: Receive) -> int:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return int(message.get("code") or 1005)
            if self.close_code is None:
                raw = message.get("bytes") or (message.get("text") or "").encode()
                self._receive(raw)

    def _receive(self, raw: bytes) -> None:
        if self._too_many():
            self.close(Close.RATE_LIMITED)
            return
        if len(raw) > self.gateway.settings.payload_bytes:
            self.close(Close.DECODE_ERROR)
            return
        try:
            payload = orjson.loads(raw)
            op, data = payload["op"], payload.get("d")
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            self.close(Close.DECODE_ERROR)
            return
        if op not in SENT_BY_CLIENTS:
            self.close(Close.UNKNOWN_OPCODE)
            return
        try:
            self._handle(op, data)
        except (KeyError, TypeError, ValueError):
            self.close(Close.DECODE_ERROR)

    def _too_many(self) -> bool:
        now = time.monotonic()
        self._received.append(now)
        while self._received[0] < now - 60:
            self._received.popleft()
        return len(self._received) > self.gateway.settings.payloads_per_minute

    def _handle(self, op: int, data: Any) -> None:
        if op == Op.HEARTBEAT:
            self._heartbeat(data)
        elif op in {Op.IDENTIFY, Op.RESUME}:
            if self.session is not None:
                self.close(Close.ALREADY_AUTHENTICATED)
            elif op == Op.IDENTIFY:
                self.gateway.identify(self, data)
            else:
                self.gateway.resume(self, data)
        elif self.session is None:
            self.close(Close.NOT_AUTHENTICATED)
        elif op == Op.PRESENCE_UPDATE:
            self.session.presence = dict(data)
        elif op == Op.REQUEST_GUILD_MEMBERS:
            self.gateway.request_members(self.session, dict(data))

    def _heartbeat(self, seq: Any) -> None:
        if seq is not None and not isinstance(seq, int):
            raise ValueError("a heartbeat carries a sequence number or null")
        self.heartbeats += 1
        self._expect_heartbeat()
        shard = self.session.shard if self.session is not None else None
        if not self.zombie and self.gateway.trouble.for_gateway(GatewayKind.NO_ACK, shard) is not None:
            self.zombie = True
            self.gateway.note("zombie", self)
        if self.session is not None:
            self.session.last_heartbeat_ms = self.gateway.world.clock()
            self.session.last_heartbeat_seq = seq
        slow = self.gateway.trouble.for_gateway(GatewayKind.SLOW_ACK, shard)
        if slow is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(slow.milliseconds / 1000, self.send, Op.HEARTBEAT_ACK)
            return
        self.send(Op.HEARTBEAT_ACK)

    def ask_heartbeat(self) -> None:
        """Ask for a heartbeat at once (op 1)."""
        self.send(Op.HEARTBEAT)

    def _expect_heartbeat(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        seconds = self.gateway.settings.heartbeat_interval_ms / 1000 * MISSED_HEARTBEATS
        self._watch = asyncio.get_running_loop().call_later(seconds, self._silent)

    def _silent(self) -> None:
        self.zombie = False
        self.close(Close.SESSION_TIMED_OUT)

    def use_payload_compression(self) -> None:
        """Compress large payloads one by one (`compress: true`); excluded by transport compression."""
        if isinstance(self.codec, Plain):
            self.codec.payloads = True

    def ends_session(self, code: int) -> bool:
        """Whether a connection that ended with this code takes its session with it."""
        return (self.close_code or code) in SESSION_ENDS
