"""POST /webhook-events: what Discord tells about our application over HTTP (contract section 7).

Signed like interactions. Everything understood is answered 204 within the 3 s, with a Content-Type; what cannot be
stored now is answered 503, and Discord sends it again for up to ten minutes. Events carry no id, come in any order
and several times: the hash of the body tells repeats, timestamps tell which event is newer.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import orjson

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import DatabaseUnavailable, PoolExhausted
from app.interactions.errors import BadSignature, InvalidInteraction
from app.interactions.payloads import snowflake
from app.interactions.signature import Verifier
from app.observability import metrics
from app.snowflake import GuildId, UserId
from app.tenancy import store as tenancy
from app.web import store
from app.web.asgi import JSON, Receive, Scope, Send, refuse, signed_body
from app.web.unsigned import Unsigned

log = logging.getLogger(__name__)

PING, EVENT = 0, 1
AUTHORIZED = "APPLICATION_AUTHORIZED"
DEAUTHORIZED = "APPLICATION_DEAUTHORIZED"
GUILD_INSTALL = 0


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event's envelope."""

    kind: str
    at: datetime
    data: Mapping[str, Any]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Read `event` of a body of type 1. Raises InvalidInteraction."""
        event = body.get("event")
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise InvalidInteraction("event.type is missing")
        data = event.get("data") or {}
        if not isinstance(data, dict):
            raise InvalidInteraction("event.data is not an object")
        try:
            at = datetime.fromisoformat(event["timestamp"])
        except (KeyError, TypeError, ValueError):
            raise InvalidInteraction("event.timestamp is not an ISO 8601 time") from None
        # Samples carry no offset (contract section 0): they are UTC.
        return cls(event["type"], at if at.tzinfo else at.replace(tzinfo=UTC), data)

    def user(self) -> UserId:
        """Return the id of the user concerned. Raises InvalidInteraction."""
        user = self.data.get("user")
        if not isinstance(user, dict):
            raise InvalidInteraction("event.data.user is not an object")
        return UserId(_id(user.get("id")))


def _id(value: Any) -> int:
    """Read an id that PostgreSQL can hold: those of 64 bits are decades away."""
    number = snowflake(value)
    if number >= 1 << 63:
        raise InvalidInteraction("an id is too large")
    return number


def _text(value: Any) -> str:
    """Read a text that PostgreSQL can hold; what is none is empty."""
    return value.replace("\0", "") if isinstance(value, str) else ""


class WebhookEvents:
    """An ASGI application for one path."""

    def __init__(self, verifier: Verifier, unsigned: Unsigned, pool: Pool) -> None:
        self._verifier = verifier
        self._unsigned = unsigned
        self._pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await signed_body(scope, receive, send)
        if body is None:
            return
        try:
            self._verifier.verify(scope["headers"], body)
        except BadSignature:
            metrics.WEBHOOK_EVENTS.labels("unknown", "unsigned").inc()
            await self._unsigned(scope, send)
            return
        try:
            await self._take(body)
        except InvalidInteraction as error:
            metrics.WEBHOOK_EVENTS.labels("unknown", "invalid").inc()
            await refuse(send, 400, str(error))
        except (DatabaseUnavailable, PoolExhausted) as error:
            metrics.WEBHOOK_EVENTS.labels("unknown", "postponed").inc()
            log.warning("a webhook event was postponed", extra={"error": error.for_operator()})
            await refuse(send, 503, "Please send this again later.", [(b"retry-after", b"5")])
        else:
            await send({"type": "http.response.start", "status": 204, "headers": [JSON]})
            await send({"type": "http.response.body", "body": b""})

    async def _take(self, raw: bytes) -> None:
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise InvalidInteraction("the body is not JSON") from None
        if not isinstance(body, dict) or type(body.get("type")) is not int:
            raise InvalidInteraction("type is missing")
        if body["type"] == PING:
            metrics.WEBHOOK_EVENTS.labels("ping", "answered").inc()
            return
        event = WebhookEvent.parse(body)
        act = {AUTHORIZED: _authorized, DEAUTHORIZED: _deauthorized}.get(event.kind)
        if act is None:
            metrics.WEBHOOK_EVENTS.labels("other", "ignored").inc()
            return
        async with transaction(self._pool) as conn:
            outcome = await act(conn, event, hashlib.sha256(raw).digest())
        metrics.WEBHOOK_EVENTS.labels(event.kind.lower(), outcome).inc()


async def _authorized(conn: Conn, event: WebhookEvent, body_sha256: bytes) -> str:
    """Store the authorisation; for a server also set up its row."""
    user = event.user()
    guild = event.data.get("guild")
    kind = event.data.get("integration_type", GUILD_INSTALL)
    scopes = event.data.get("scopes") or []
    if type(kind) is not int or kind not in (0, 1) or not isinstance(scopes, list):
        raise InvalidInteraction("event.data has no integration_type 0 or 1, or no list of scopes")
    guild_id = GuildId(_id(guild.get("id"))) if isinstance(guild, dict) else None
    if not await store.note_event(
        conn, body_sha256, kind=event.kind, occurred_at=event.at, user=user, guild=guild_id
    ):
        return "repeated"
    current = await store.authorize(
        conn,
        user=user,
        integration_type=kind,
        guild=guild_id or 0,
        scopes=[_text(each) for each in scopes],
        at=event.at,
    )
    if current and kind == GUILD_INSTALL and isinstance(guild, dict) and guild_id is not None:
        owner = guild.get("owner_id")
        await tenancy.remember_guild(
            conn,
            guild_id,
            name=_text(guild.get("name")),
            owner=None if owner is None else UserId(_id(owner)),
            locale=_text(guild.get("preferred_locale")) or None,
        )
    return "stored" if current else "overtaken"


async def _deauthorized(conn: Conn, event: WebhookEvent, body_sha256: bytes) -> str:
    """Delete what we keep because the user had authorised us. A removed bot is another event (contract 5.6)."""
    user = event.user()
    if not await store.note_event(conn, body_sha256, kind=event.kind, occurred_at=event.at, user=user):
        return "repeated"
    await store.deauthorize(conn, user=user, at=event.at)
    return "stored"
