"""The gateway: sessions, who may identify and resume, and what an operator can do to the sockets."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from sandbox.gateway.connection import Connection
from sandbox.gateway.delivery import Delivery
from sandbox.gateway.limits import IdentifyLimits
from sandbox.gateway.members import MemberRequests
from sandbox.gateway.protocol import ALL_INTENTS, PRIVILEGED, Close, Intent, Op
from sandbox.gateway.session import Session
from sandbox.settings import SandboxSettings
from sandbox.trouble import GatewayKind, Trouble
from sandbox.world import World
from sandbox.world.payloads import own_user_payload
from sandbox.world.seed import new_token

RESUME_PATH = "/resume"
NOTES_KEPT = 500

log = structlog.get_logger("sandbox.gateway")


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened to a connection or session, for the inspector."""

    at_ms: int
    what: str
    shard: int | None
    client: str
    session_id: str | None = None
    code: int | None = None


class Gateway:
    """All connections and sessions of one sandbox; an ASGI application for its WebSocket."""

    def __init__(self, settings: SandboxSettings, world: World, trouble: Trouble) -> None:
        self.settings = settings
        self.world = world
        self.trouble = trouble
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self.limits = IdentifyLimits(settings)
        self.delivery = Delivery(world, trouble, self.sessions.values)
        self.counts: Counter[str] = Counter()
        self.notes: deque[Note] = deque(maxlen=NOTES_KEPT)
        self._members = MemberRequests(settings, world)
        self._listeners: list[Callable[[Note], None]] = []
        world.subscribe(self.delivery.on_event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket."""
        if self.trouble.for_gateway(GatewayKind.REFUSE_CONNECT, None) is not None:
            self.counts["refused"] += 1
            await receive()
            await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})
            for _ in range(2):  # the answer, then the closed socket: uvicorn complains when we leave earlier
                await receive()
            return
        self.counts["connections"] += 1
        await Connection(self, scope, self.counts["connections"]).run(receive, send)

    # -- called by connections

    def attach(self, connection: Connection) -> None:
        """A socket has opened."""
        self.connections.add(connection)
        self.note("connect", connection)

    def detach(self, connection: Connection, code: int) -> None:
        """A socket has gone; its session waits to be resumed, unless the code ended it."""
        self.connections.discard(connection)
        session = connection.session
        self.note("close", connection, code=connection.close_code or code)
        if session is None or session.connection is not connection:
            return
        session.connection = None
        if connection.ends_session(code):
            self._end(session)
            return
        session.detached_ms = self.world.clock()
        loop = asyncio.get_running_loop()
        session.expiry = loop.call_later(self.settings.session_keep_seconds, self._end, session)

    def _end(self, session: Session) -> None:
        self.sessions.pop(session.id, None)
        for timer in (session.expiry, session.held_timer):
            if timer is not None:
                timer.cancel()

    def identify(self, connection: Connection, data: dict[str, Any]) -> None:
        """Start a session. Raises KeyError, TypeError or ValueError for a malformed payload."""
        token, wanted, properties = data["token"], data["intents"], data["properties"]
        shard, count = data.get("shard") or (0, 1)
        if not isinstance(properties, dict) or not isinstance(token, str):
            raise TypeError("properties is an object, token a string")
        refusal = self._refuse_identify(token, wanted, shard, count)
        if refusal is not None:
            connection.close(refusal)
            return
        if self._refuse_session(connection, shard):
            return
        invalid = self.trouble.for_gateway(GatewayKind.INVALID_SESSION, shard)
        if invalid is not None or self.limits.too_fast(shard):
            self.counts["identify_too_fast" if invalid is None else "identify_refused"] += 1
            self.note("invalid session", connection)
            connection.send(Op.INVALID_SESSION, invalid is not None and invalid.resumable)
            return
        if self.limits.remaining == 0:
            self._reset_token(connection)
            return
        self.limits.note(shard)
        self.counts["identifies"] += 1
        session = Session(shard, count, Intent(wanted), self.world.clock(), self.settings.replay_events)
        session.connection, connection.session = connection, session
        if data.get("compress"):
            connection.use_payload_compression()
        self.sessions[session.id] = session
        self.note("identify", connection)
        self._greet(session)

    def _refuse_session(self, connection: Connection, shard: int | None) -> bool:
        refused = self.trouble.for_gateway(GatewayKind.REFUSE_SESSION, shard)
        if refused is not None:
            connection.close(refused.code)
        return refused is not None

    def _refuse_identify(self, token: str, wanted: Any, shard: Any, count: Any) -> Close | None:
        if token.removeprefix("Bot ") != self.world.application.token:
            return Close.AUTHENTICATION_FAILED
        if not isinstance(wanted, int) or wanted < 0 or wanted & ~ALL_INTENTS:
            return Close.INVALID_INTENTS
        for intent, switches in PRIVILEGED.items():
            if wanted & intent and not self.world.application.flags & switches:
                return Close.DISALLOWED_INTENTS
        if not isinstance(shard, int) or not isinstance(count, int) or not 0 <= shard < count:
            return Close.INVALID_SHARD
        mine = [guild for guild in self.world.bot_guilds() if (guild.id >> 22) % count == shard]
        return Close.SHARDING_REQUIRED if len(mine) > self.settings.guilds_per_shard else None

    def _reset_token(self, connection: Connection) -> None:
        """Too many starts in a day: every session ends and the bot gets a new token (contract section 5.3)."""
        log.warning("the daily identify limit is used up: all sessions end, the bot token is reset")
        self.world.application.token = new_token()
        self.world.save_application()
        self.counts["token_resets"] += 1
        for session in list(self.sessions.values()):
            if session.connection is not None:
                session.connection.close(Close.AUTHENTICATION_FAILED)
            self._end(session)
        connection.close(Close.AUTHENTICATION_FAILED)

    def _greet(self, session: Session) -> None:
        guilds = [guild for guild in self.world.bot_guilds() if session.owns(guild.id)]
        application = self.world.application
        ready: dict[str, Any] = {
            "v": int(session.connection.version) if session.connection is not None else 10,
            "user": own_user_payload(self.world.user(self.world.bot_id)),
            "user_settings": {},
            "session_type": "normal",
            "session_id": session.id,
            "resume_gateway_url": self.settings.gateway_url + RESUME_PATH,
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
            "shard": [session.shard, session.shard_count],
            "application": {"id": str(application.id), "flags": application.flags},
            "auth": {},
            "_trace": ['["gatehouse-sandbox",{}]'],
        }
        session.dispatch("READY", orjson.dumps(ready))
        if session.intents & Intent.GUILDS:
            for guild in guilds:
                if not guild.unavailable:
                    self.delivery.dispatch_guild(session, guild.id)

    def resume(self, connection: Connection, data: dict[str, Any]) -> None:
        """Continue a session, or answer op 9. Raises KeyError, TypeError or ValueError for a malformed
        payload.
        """
        token, session_id, seq = data["token"], data["session_id"], data["seq"]
        if not isinstance(token, str) or not isinstance(seq, int):
            raise TypeError("token is a string, seq a number")
        if token.removeprefix("Bot ") != self.world.application.token:
            connection.close(Close.AUTHENTICATION_FAILED)
            return
        session = self.sessions.get(session_id)
        shard = session.shard if session is not None else None
        if self._refuse_session(connection, shard):
            return
        invalid = self.trouble.for_gateway(GatewayKind.INVALID_SESSION, shard)
        if invalid is not None and invalid.resumable:
            connection.send(Op.INVALID_SESSION, data=True)
            return
        if session is None or invalid is not None or (seq <= session.seq and not session.can_replay(seq)):
            self.counts["resumes_refused"] += 1
            self.note("resume refused", connection)
            if session is not None:
                self._end(session)
            connection.send(Op.INVALID_SESSION, data=False)
            return
        if seq < 0 or seq > session.seq:
            self._end(session)
            connection.close(Close.INVALID_SEQ)
            return
        self._take_over(session, connection)
        for frame in session.after(seq):
            connection.send_frame(frame)
        session.dispatch("RESUMED", b'{"_trace":["gatehouse-sandbox"]}')

    def _take_over(self, session: Session, connection: Connection) -> None:
        old, session.connection = session.connection, connection
        if old is not None:
            old.session = None
            old.close(Close.UNKNOWN_ERROR)
        if session.expiry is not None:
            session.expiry.cancel()
            session.expiry = None
        session.detached_ms = None
        session.resumes += 1
        connection.session = session
        self.counts["resumes"] += 1
        self.note("resume", connection)

    def request_members(self, session: Session, request: dict[str, Any]) -> None:
        """Answer op 8."""

        def dispatch(event: str, data: dict[str, Any]) -> None:
            self.delivery.dispatch(session, event, orjson.dumps(data))

        self._members.answer(session, request, dispatch)

    # -- what can be done to clients; `shard` None means all. Each returns how many sockets it hit.

    def _open(self, shard: int | None) -> list[Connection]:
        return [
            c
            for c in self.connections
            if shard is None or (c.session is not None and c.session.shard == shard)
        ]

    def drop(self, shard: int | None = None) -> int:
        """Cut sockets without a close frame; sessions can be resumed."""
        return self._each(shard, Connection.drop)

    def send_reconnect(self, shard: int | None = None) -> int:
        """Send op 7."""
        return self._each(shard, lambda c: c.send(Op.RECONNECT))

    def send_invalid_session(self, *, resumable: bool, shard: int | None = None) -> int:
        """Send op 9; when it is not resumable the session is gone."""

        def invalidate(connection: Connection) -> None:
            connection.send(Op.INVALID_SESSION, resumable)
            if not resumable and connection.session is not None:
                self._end(connection.session)

        return self._each(shard, invalidate)

    def close(self, code: int, shard: int | None = None) -> int:
        """Close sockets with any code."""
        return self._each(shard, lambda c: c.close(code))

    def make_zombie(self, shard: int | None = None) -> int:
        """Let sockets fall silent: no acknowledgements, no events; what happens can be replayed later."""

        def silence(connection: Connection) -> None:
            connection.zombie = True
            self.note("zombie", connection)

        return self._each(shard, silence)

    def ask_heartbeats(self, shard: int | None = None) -> int:
        """Ask for a heartbeat at once (op 1)."""
        return self._each(shard, lambda c: c.send(Op.HEARTBEAT))

    def _each(self, shard: int | None, act: Callable[[Connection], None]) -> int:
        hit = self._open(shard)
        for connection in hit:
            act(connection)
        return len(hit)

    # -- what can be seen

    def subscribe(self, listener: Callable[[Note], None]) -> Callable[[], None]:
        """Call `listener` for every note from now on; returns what ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def note(self, what: str, connection: Connection, *, code: int | None = None) -> None:
        """Write down that something happened to a connection."""
        session = connection.session
        note = Note(
            self.world.clock(),
            what,
            session.shard if session is not None else None,
            connection.client,
            session.id if session is not None else None,
            code,
        )
        self.notes.append(note)
        for listener in tuple(self._listeners):
            listener(note)

    def table(self) -> list[dict[str, Any]]:
        """Return a row per session: shard, numbers, intents, whether it is connected, last heartbeat."""
        return [
            {
                "session_id": s.id,
                "shard": s.shard,
                "shard_count": s.shard_count,
                "intents": int(s.intents),
                "intent_names": [intent.name for intent in Intent if intent in s.intents],
                "seq": s.seq,
                "connected": s.connection is not None,
                "zombie": s.connection is not None and s.connection.zombie,
                "client": s.connection.client if s.connection is not None else None,
                "compress": s.connection.compress if s.connection is not None else None,
                "created_ms": s.created_ms,
                "detached_ms": s.detached_ms,
                "last_heartbeat_ms": s.last_heartbeat_ms,
                "last_heartbeat_seq": s.last_heartbeat_seq,
                "resumes": s.resumes,
                "guilds": sum(1 for guild in self.world.bot_guilds() if s.owns(guild.id)),
            }
            for s in sorted(self.sessions.values(), key=lambda s: (s.shard_count, s.shard, s.created_ms))
        ]

    def overview(self) -> dict[str, Any]:
        """Return counters, the start limit, the sessions and the latest notes."""
        return {
            "counts": dict(self.counts) | {"dispatched": self.delivery.dispatched},
            "session_start_limit": self.limits.session_start_limit(),
            "sessions": self.table(),
            "notes": [asdict(note) for note in self.notes],
        }
