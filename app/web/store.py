"""Webhook events and authorisations, tables of schema `interactions`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import run


async def note_event(
    conn: Conn,
    body_sha256: bytes,
    *,
    kind: str,
    occurred_at: datetime,
    user: int | None = None,
    guild: int | None = None,
) -> bool:
    """Note an event; False when the same body came before."""
    inserted = await run(
        conn,
        """
        INSERT INTO interactions.webhook_events (body_sha256, type, occurred_at, user_id, guild_id)
        VALUES (%(hash)s, %(kind)s, %(occurred_at)s, %(user)s, %(guild)s)
        ON CONFLICT DO NOTHING""",
        hash=body_sha256,
        kind=kind,
        occurred_at=occurred_at,
        user=user,
        guild=guild,
    )
    return inserted == 1


async def authorize(
    conn: Conn, *, user: int, integration_type: int, guild: int, scopes: Sequence[str], at: datetime
) -> bool:
    """Store an authorisation (`guild` 0: for the user); False when a newer event of the user overtook it."""
    stored = await run(
        conn,
        """
        INSERT INTO interactions.authorizations AS known
            (user_id, integration_type, guild_id, scopes, authorized_at)
        SELECT %(user)s, %(integration_type)s, %(guild)s, %(scopes)s, %(at)s
        WHERE NOT EXISTS (
            SELECT FROM interactions.webhook_events
            WHERE user_id = %(user)s AND type = 'APPLICATION_DEAUTHORIZED' AND occurred_at > %(at)s)
        ON CONFLICT (user_id, integration_type, guild_id) DO UPDATE
        SET scopes = excluded.scopes, authorized_at = excluded.authorized_at
        WHERE known.authorized_at < excluded.authorized_at""",
        user=user,
        integration_type=integration_type,
        guild=guild,
        scopes=list(scopes),
        at=at,
    )
    return stored == 1


async def deauthorize(conn: Conn, *, user: int, at: datetime) -> int:
    """Delete what the user authorised until then, and the traces of it; return the number of authorisations."""
    await run(
        conn,
        """
        DELETE FROM interactions.webhook_events
        WHERE user_id = %(user)s AND type = 'APPLICATION_AUTHORIZED' AND occurred_at <= %(at)s""",
        user=user,
        at=at,
    )
    return await run(
        conn,
        "DELETE FROM interactions.authorizations WHERE user_id = %(user)s AND authorized_at <= %(at)s",
        user=user,
        at=at,
    )
