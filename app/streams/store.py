"""The tables of schema `streams`: claims, fences, and the schedule."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, run, value
from app.observability import metrics
from app.streams.fencing import StaleLease, current_fence

WAKE_CHANNEL = "streams_schedule"
"""NOTIFY channel on which workers hear of work that is due at once."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Work that is due. `attempts` counts the starts, this one included; `failures` the errors so far."""

    kind: str
    key: str
    due_at: datetime
    payload: Any
    version: int
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class FailedWork:
    """Scheduled work that was given up."""

    kind: str
    key: str
    due_at: datetime
    attempts: int
    failed_at: datetime
    error: str | None


async def claim(conn: Conn, group: str, key: str) -> bool:
    """Claim an event for `group` in the caller's transaction; False: its effect has happened already.

    Two transactions that claim the same key run one after the other. Use a `group` of the handler's own, e.g.
    "moderation.automod", and `event.key`. Raises StaleLease if another worker has taken over the partition
    under which the calling handler runs: let it pass through.
    """
    fence = current_fence.get()
    if fence is None:
        inserted = await run(
            conn,
            """
            INSERT INTO streams.claims (consumer_group, event_key) VALUES (%(group)s, %(key)s)
            ON CONFLICT DO NOTHING""",
            group=group,
            key=key,
        )
        return _counted(group, claimed=inserted == 1)
    outcome = await value(
        conn,
        """
        WITH stale AS (
            SELECT token FROM streams.fences
            WHERE consumer_group = %(fence_group)s AND partition = %(partition)s AND token > %(token)s
        ), claimed AS (
            INSERT INTO streams.claims (consumer_group, event_key)
            SELECT %(group)s, %(key)s WHERE NOT EXISTS (SELECT FROM stale)
            ON CONFLICT DO NOTHING
            RETURNING 1
        )
        SELECT CASE WHEN EXISTS (SELECT FROM stale) THEN 'stale'
                    WHEN EXISTS (SELECT FROM claimed) THEN 'claimed' ELSE 'duplicate' END""",
        group=group,
        key=key,
        fence_group=fence.group,
        partition=fence.partition,
        token=fence.token,
    )
    if outcome == "stale":
        message = f"{fence.group}: partition {fence.partition} belongs to another worker now"
        raise StaleLease(message)
    return _counted(group, claimed=outcome == "claimed")


def _counted(group: str, *, claimed: bool) -> bool:
    if not claimed:
        metrics.CLAIM_DUPLICATES.labels(group).inc()
    return claimed


@dataclass(frozen=True, slots=True)
class _FenceRow:
    partition: int
    token: int


async def raise_fences(conn: Conn, group: str, tokens: Mapping[int, int]) -> dict[int, int]:
    """Shut out every older lease of these partitions (partition -> token); return the newest tokens known.

    One that is greater than ours means that ours is the older lease.
    """
    rows = await many(
        conn,
        _FenceRow,
        """
        INSERT INTO streams.fences AS known (consumer_group, partition, token)
        SELECT %(group)s, new.partition, new.token
        FROM unnest(%(partitions)s::smallint[], %(tokens)s::bigint[]) AS new (partition, token)
        ORDER BY new.partition
        ON CONFLICT (consumer_group, partition)
        DO UPDATE SET token = greatest(known.token, excluded.token)
        RETURNING partition, token""",
        group=group,
        partitions=list(tokens),
        tokens=list(tokens.values()),
    )
    return {row.partition: row.token for row in rows}


async def prune_claims(conn: Conn, *, days: float, limit: int) -> int:
    """Delete up to `limit` claims older than `days` and return how many."""
    return await run(
        conn,
        """
        DELETE FROM streams.claims AS old USING (
            SELECT consumer_group, event_key FROM streams.claims
            WHERE claimed_at < now() - make_interval(secs => %(days)s * 86400)
            LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ) AS found
        WHERE old.consumer_group = found.consumer_group AND old.event_key = found.event_key""",
        days=days,
        limit=limit,
    )


async def schedule(conn: Conn, kind: str, key: str, due_at: datetime, payload: Any) -> None:
    """Have the work of `kind` done at `due_at`, if the caller's transaction commits.

    `key` is unique within the kind: scheduling it again replaces time and payload, and starts anew what had
    failed. `payload` is anything that JSON can hold. Work that is due within a second wakes the workers.
    """
    await run(
        conn,
        """
        INSERT INTO streams.schedule AS known (kind, key, due_at, next_at, payload)
        VALUES (%(kind)s, %(key)s, %(due_at)s, %(due_at)s, %(payload)s::jsonb)
        ON CONFLICT (kind, key) DO UPDATE
        SET due_at = excluded.due_at, next_at = excluded.next_at, payload = excluded.payload,
            version = nextval('streams.schedule_version'), attempts = 0, failures = 0,
            failed_at = NULL, error = NULL""",
        kind=kind,
        key=key,
        due_at=due_at,
        payload=orjson.dumps(payload).decode(),
    )
    await run(
        conn,
        "SELECT pg_notify(%(channel)s, '') WHERE %(due_at)s::timestamptz < now() + interval '1 second'",
        channel=WAKE_CHANNEL,
        due_at=due_at,
    )


async def ensure(conn: Conn, kind: str, key: str, due_at: datetime, payload: Any) -> None:
    """Have the work done at `due_at` unless it is scheduled already, be it that it runs at this moment.

    What had failed starts anew, as with `schedule`: it would stand in the way for ever.

    The row is locked until the caller's transaction ends. So a handler that removes it with `finish` and then looks
    for what else there is to do, in one transaction, sees what was left for it.
    """
    await run(
        conn,
        """
        INSERT INTO streams.schedule AS known (kind, key, due_at, next_at, payload)
        VALUES (%(kind)s, %(key)s, %(due_at)s, %(due_at)s, %(payload)s::jsonb)
        ON CONFLICT (kind, key) DO UPDATE SET
            payload = excluded.payload,
            due_at = CASE WHEN known.failed_at IS NULL THEN known.due_at ELSE excluded.due_at END,
            next_at = CASE WHEN known.failed_at IS NULL THEN known.next_at ELSE excluded.next_at END,
            version = CASE WHEN known.failed_at IS NULL THEN known.version
                           ELSE nextval('streams.schedule_version') END,
            attempts = CASE WHEN known.failed_at IS NULL THEN known.attempts ELSE 0 END,
            failures = CASE WHEN known.failed_at IS NULL THEN known.failures ELSE 0 END,
            error = CASE WHEN known.failed_at IS NULL THEN known.error END,
            failed_at = NULL""",
        kind=kind,
        key=key,
        due_at=due_at,
        payload=orjson.dumps(payload).decode(),
    )


@dataclass(frozen=True, slots=True)
class _Key:
    key: str


async def scheduled_keys(conn: Conn, kind: str, keys: Sequence[str]) -> set[str]:
    """Return those of `keys` under which work of `kind` is scheduled."""
    rows = await many(
        conn,
        _Key,
        "SELECT key FROM streams.schedule WHERE kind = %(kind)s AND key = ANY(%(keys)s)",
        kind=kind,
        keys=list(keys),
    )
    return {row.key for row in rows}


async def cancel(conn: Conn, kind: str, key: str) -> bool:
    """Take the work off the schedule; False: there was none. A handler that runs already is not stopped."""
    removed = await run(
        conn, "DELETE FROM streams.schedule WHERE kind = %(kind)s AND key = %(key)s", kind=kind, key=key
    )
    return removed > 0


async def finish(conn: Conn, job: Scheduled) -> bool:
    """Take the work off the schedule in the transaction of its effect: the effect then happens once.

    False: it was cancelled, scheduled anew, or another worker took it over meanwhile: do nothing.
    """
    return (
        await run(
            conn,
            """
            DELETE FROM streams.schedule
            WHERE kind = %(kind)s AND key = %(key)s AND version = %(version)s AND attempts = %(attempts)s""",
            kind=job.kind,
            key=job.key,
            version=job.version,
            attempts=job.attempts,
        )
        > 0
    )


async def take_due(conn: Conn, kinds: Sequence[str], *, limit: int, seconds: float) -> list[Scheduled]:
    """Take up to `limit` pieces of due work for `seconds`; after that another worker may take them."""
    return await many(
        conn,
        Scheduled,
        """
        UPDATE streams.schedule AS work
        SET next_at = now() + make_interval(secs => %(seconds)s), attempts = work.attempts + 1
        FROM (
            SELECT kind, key FROM streams.schedule
            WHERE failed_at IS NULL AND next_at <= now() AND kind = ANY(%(kinds)s)
            ORDER BY next_at
            LIMIT %(limit)s
            FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE work.kind = due.kind AND work.key = due.key
        RETURNING work.kind, work.key, work.due_at, work.payload, work.version, work.attempts,
                  work.failures""",
        kinds=list(kinds),
        limit=limit,
        seconds=seconds,
    )


async def keep_taken(conn: Conn, jobs: Sequence[Scheduled], *, seconds: float) -> None:
    """Hold what this worker is doing for another `seconds`; what others have taken over stays theirs."""
    await run(
        conn,
        """
        UPDATE streams.schedule AS work SET next_at = now() + make_interval(secs => %(seconds)s)
        FROM unnest(%(kinds)s::text[], %(keys)s::text[], %(versions)s::bigint[], %(attempts)s::integer[])
            AS held (kind, key, version, attempts)
        WHERE work.kind = held.kind AND work.key = held.key AND work.version = held.version
          AND work.attempts = held.attempts""",
        kinds=[job.kind for job in jobs],
        keys=[job.key for job in jobs],
        versions=[job.version for job in jobs],
        attempts=[job.attempts for job in jobs],
        seconds=seconds,
    )


async def seconds_to_next(conn: Conn, kinds: Sequence[str]) -> float | None:
    """Return in how many seconds the next work is due (0 or less: now); None when nothing waits."""
    found = await value(
        conn,
        """
        SELECT extract(epoch FROM min(next_at) - now())::float8 FROM streams.schedule
        WHERE failed_at IS NULL AND kind = ANY(%(kinds)s)""",
        kinds=list(kinds),
    )
    return None if found is None else float(found)


async def put_off(conn: Conn, job: Scheduled, *, seconds: float, failed: bool, error: str) -> None:
    """Have the work done again in `seconds`."""
    await run(
        conn,
        """
        UPDATE streams.schedule
        SET next_at = now() + make_interval(secs => %(seconds)s), failures = failures + %(failed)s,
            error = %(error)s
        WHERE kind = %(kind)s AND key = %(key)s AND version = %(version)s AND attempts = %(attempts)s""",
        kind=job.kind,
        key=job.key,
        version=job.version,
        attempts=job.attempts,
        seconds=seconds,
        failed=int(failed),
        error=error,
    )


async def give_up(conn: Conn, job: Scheduled, *, error: str) -> None:
    """Keep the work as failed, for `gatehouse dead-letters`."""
    await run(
        conn,
        """
        UPDATE streams.schedule SET failed_at = now(), failures = failures + 1, error = %(error)s
        WHERE kind = %(kind)s AND key = %(key)s AND version = %(version)s AND attempts = %(attempts)s""",
        kind=job.kind,
        key=job.key,
        version=job.version,
        attempts=job.attempts,
        error=error,
    )


async def wakes(url: str) -> AsyncIterator[None]:
    """Yield once when listening, then whenever work is scheduled that is due at once. Raises psycopg.Error.

    Uses a connection of its own: a pooled one would be bound for as long.
    """
    conn = await AsyncConnection.connect(url, autocommit=True, connect_timeout=5)
    async with conn:
        await conn.execute(SQL("LISTEN {}").format(Identifier(WAKE_CHANNEL)))
        yield
        async for _ in conn.notifies():
            yield


async def failed_work(conn: Conn, *, limit: int) -> list[FailedWork]:
    """Return what was given up, newest first."""
    return await many(
        conn,
        FailedWork,
        """
        SELECT kind, key, due_at, attempts, failed_at, error FROM streams.schedule
        WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, kind, key LIMIT %(limit)s""",
        limit=limit,
    )


async def find_failed(conn: Conn, kind: str, key: str) -> FailedWork | None:
    """Return one piece of work that was given up."""
    return await maybe(
        conn,
        FailedWork,
        """
        SELECT kind, key, due_at, attempts, failed_at, error FROM streams.schedule
        WHERE kind = %(kind)s AND key = %(key)s AND failed_at IS NOT NULL""",
        kind=kind,
        key=key,
    )


async def drop_failed(conn: Conn, kind: str, key: str) -> bool:
    """Delete work that was given up; False when there is none."""
    removed = await run(
        conn,
        """
        DELETE FROM streams.schedule
        WHERE kind = %(kind)s AND key = %(key)s AND failed_at IS NOT NULL""",
        kind=kind,
        key=key,
    )
    return removed > 0


async def revive(conn: Conn, kind: str, key: str) -> bool:
    """Have failed work done again from the start; False when there is no such failed work."""
    return (
        await run(
            conn,
            """
            UPDATE streams.schedule
            SET next_at = now(), attempts = 0, failures = 0, failed_at = NULL, error = NULL,
                version = nextval('streams.schedule_version')
            WHERE kind = %(kind)s AND key = %(key)s AND failed_at IS NOT NULL""",
            kind=kind,
            key=key,
        )
        > 0
    )
