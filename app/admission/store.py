"""What must happen once, kept in PostgreSQL: it survives the loss of Redis."""

from __future__ import annotations

from datetime import datetime

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.adapters.postgres.query import run
from app.errors import UserError
from app.locale.text import t


class AlreadyDone(UserError):
    """The interaction's effect has happened."""

    def __init__(self) -> None:
        super().__init__(t("This has already been done."))


async def claim_interaction(conn: Conn, interaction_id: int) -> bool:
    """Claim the effect of an interaction in the caller's transaction; False if it has happened.

    Concurrent callers wait for the first one's commit: exactly one gets True, unless the first rolls back.
    """
    inserted = await run(
        conn,
        "INSERT INTO interactions.claims (interaction_id) VALUES (%(id)s) ON CONFLICT DO NOTHING",
        id=interaction_id,
    )
    return inserted == 1


async def require_first(conn: Conn, interaction_id: int) -> None:
    """Claim the effect of an interaction, or raise AlreadyDone."""
    if not await claim_interaction(conn, interaction_id):
        raise AlreadyDone


async def forget_old(conn: Conn, *, claims_before: datetime, events_before: datetime) -> int:
    """Delete claims and webhook events from before these times, and expired single-use ids; return how many."""
    return (
        await run(conn, "DELETE FROM interactions.claims WHERE claimed_at < %(before)s", before=claims_before)
        + await run(
            conn,
            "DELETE FROM interactions.webhook_events WHERE received_at < %(before)s",
            before=events_before,
        )
        + await run(conn, "DELETE FROM interactions.used_ids WHERE until < now()")
    )


class UsedIds:
    """Custom ids that work once (`app.interactions.custom_id.Claims`), in PostgreSQL: fails closed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, key: str, *, until: datetime) -> bool:
        """Return True to the first caller with this key and False to all others, at least until that time."""
        async with transaction(self._pool) as conn:
            inserted = await run(
                conn,
                "INSERT INTO interactions.used_ids (key, until) VALUES (%(key)s, %(until)s)"
                " ON CONFLICT DO NOTHING",
                key=key,
                until=until,
            )
        return inserted == 1
