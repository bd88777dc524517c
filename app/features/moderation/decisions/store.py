"""The table of decision records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import maybe, run, value
from app.snowflake import GuildId


@dataclass(frozen=True, slots=True)
class Record:
    """A decision as it was made. `rules` are the versions that judged, `findings` what every stage said."""

    decision_id: int
    guild_id: int
    subject_key: str
    channel_id: int | None
    user_id: int
    message_id: int | None
    decided_at: datetime
    digest: bytes
    normalised: str | None
    findings: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]]
    thresholds: Mapping[str, Any] | None
    model: str | None
    prompt_version: str | None
    strikes: int
    sanction: str
    severity: int
    review: bool
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewRecord:
    """What is stored of a decision."""

    guild_id: GuildId
    subject_key: str
    channel_id: int | None
    user_id: int
    message_id: int | None
    decided_at: datetime
    digest: bytes
    normalised: str
    text_expires_at: datetime
    findings: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]]
    thresholds: Mapping[str, Any] | None
    model: str | None
    prompt_version: str | None
    strikes: int
    sanction: str
    severity: int
    review: bool
    outcome: Mapping[str, Any]


async def record(conn: Conn, new: NewRecord) -> int | None:
    """Store the record; None: this subject has been decided already."""
    found = await value(
        conn,
        """
        INSERT INTO moderation.decisions (
            guild_id, subject_key, channel_id, user_id, message_id, decided_at, digest, normalised, text_expires_at,
            findings, rules, thresholds, model, prompt_version, strikes, sanction, severity, review, outcome)
        VALUES (
            %(guild)s, %(key)s, %(channel)s, %(user)s, %(message)s, %(at)s, %(digest)s, %(normalised)s, %(expires)s,
            %(findings)s::jsonb, %(rules)s::jsonb, %(thresholds)s::jsonb, %(model)s, %(prompt)s, %(strikes)s,
            %(sanction)s, %(severity)s, %(review)s, %(outcome)s::jsonb)
        ON CONFLICT (guild_id, subject_key) DO NOTHING
        RETURNING decision_id""",
        guild=new.guild_id,
        key=new.subject_key,
        channel=new.channel_id,
        user=new.user_id,
        message=new.message_id,
        at=new.decided_at,
        digest=new.digest,
        normalised=new.normalised,
        expires=new.text_expires_at,
        findings=_json(new.findings),
        rules=_json(new.rules),
        thresholds=None if new.thresholds is None else _json(new.thresholds),
        model=new.model,
        prompt=new.prompt_version,
        strikes=new.strikes,
        sanction=new.sanction,
        severity=new.severity,
        review=new.review,
        outcome=_json(new.outcome),
    )
    return None if found is None else int(found)


async def find(conn: Conn, decision_id: int) -> Record | None:
    """Return the record."""
    return await maybe(
        conn,
        Record,
        """
        SELECT decision_id, guild_id, subject_key, channel_id, user_id, message_id, decided_at, digest, normalised,
               findings, rules, thresholds, model, prompt_version, strikes, sanction, severity, review, outcome
        FROM moderation.decisions WHERE decision_id = %(id)s""",
        id=decision_id,
    )


async def forget_texts(conn: Conn, *, limit: int) -> int:
    """Remove the texts whose time is over; the digests stay. Return how many."""
    return await run(
        conn,
        """
        UPDATE moderation.decisions SET normalised = NULL WHERE decision_id IN (
            SELECT decision_id FROM moderation.decisions
            WHERE normalised IS NOT NULL AND text_expires_at < now()
            ORDER BY text_expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)""",
        limit=limit,
    )


def _json(data: Any) -> str:
    return orjson.dumps(data).decode()
