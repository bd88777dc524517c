"""The tables of cases, strikes and punishments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, run, value
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was done to a member or a message, under the guild's next number."""

    guild_id: int
    number: int
    action_key: str
    sanction: str
    origin: str
    target_id: int | None
    moderator_id: int | None
    channel_id: int | None
    message_id: int | None
    reason: str
    decision_id: int | None
    state: str
    problem: str | None
    notified: bool | None
    opened_at: datetime
    expires_at: datetime | None
    lifted_at: datetime | None
    lifted_by: int | None
    delete_seconds: int


@dataclass(frozen=True, slots=True)
class NewCase:
    """What is known when a case is opened. `action_key` names what was done: it opens a case once per guild."""

    guild_id: GuildId
    action_key: str
    sanction: str
    origin: str
    target_id: UserId | None
    moderator_id: UserId | None = None
    channel_id: int | None = None
    message_id: int | None = None
    reason: str = ""
    decision_id: int | None = None
    expires_at: datetime | None = None
    delete_seconds: int = 0


async def lock_cases(conn: Conn, guild: GuildId) -> None:
    """Lock the guild's cases until commit.

    Always in this order, or two transactions wait for each other: a member's strikes, this, rows of cases and
    their scheduled work.
    """
    await run(
        conn, "SELECT pg_advisory_xact_lock(hashtextextended('case:' || %(guild)s, 0))", guild=str(guild)
    )


async def open_case(conn: Conn, new: NewCase) -> Case | None:
    """Open a case under the guild's next number; None: this action has its case already.

    Cases of a guild queue behind one another until commit, since the counter's row is locked.
    """
    # The key is tested first, since a counter that moved for a refused row would leave a gap.
    await lock_cases(conn, new.guild_id)
    return await maybe(
        conn,
        Case,
        """
        INSERT INTO moderation.cases (guild_id, number, action_key, sanction, origin, target_id, moderator_id,
                                      channel_id, message_id, reason, decision_id, expires_at, delete_seconds)
        SELECT %(guild)s, moderation.next_case_v1(%(guild)s), %(key)s, %(sanction)s, %(origin)s, %(target)s,
               %(moderator)s, %(channel)s, %(message)s, %(reason)s, %(decision)s, %(expires_at)s, %(delete_seconds)s
        WHERE NOT EXISTS (SELECT FROM moderation.cases WHERE guild_id = %(guild)s AND action_key = %(key)s)
        RETURNING guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
                  reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds""",
        guild=new.guild_id,
        key=new.action_key,
        sanction=new.sanction,
        origin=new.origin,
        target=new.target_id,
        moderator=new.moderator_id,
        channel=new.channel_id,
        message=new.message_id,
        reason=new.reason,
        decision=new.decision_id,
        expires_at=new.expires_at,
        delete_seconds=new.delete_seconds,
    )


async def find_case(conn: Conn, guild: GuildId, number: int) -> Case | None:
    """Return the case of that number."""
    return await maybe(
        conn,
        Case,
        """
        SELECT guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
               reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds
        FROM moderation.cases WHERE guild_id = %(guild)s AND number = %(number)s""",
        guild=guild,
        number=number,
    )


async def case_of_action(conn: Conn, guild: GuildId, action_key: str) -> Case | None:
    """Return the case that the action opened."""
    return await maybe(
        conn,
        Case,
        """
        SELECT guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
               reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds
        FROM moderation.cases WHERE guild_id = %(guild)s AND action_key = %(key)s""",
        guild=guild,
        key=action_key,
    )


async def history(
    conn: Conn, guild: GuildId, target: UserId, *, limit: int, before: int | None = None
) -> list[Case]:
    """Return a member's cases, newest first."""
    return await many(
        conn,
        Case,
        """
        SELECT guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
               reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds
        FROM moderation.cases
        WHERE guild_id = %(guild)s AND target_id = %(target)s AND (%(before)s::int IS NULL OR number < %(before)s)
        ORDER BY number DESC LIMIT %(limit)s""",
        guild=guild,
        target=target,
        before=before,
        limit=limit,
    )


async def settle(conn: Conn, guild: GuildId, number: int, *, state: str, problem: str | None = None) -> None:
    """Note that the case's action was done, or why it could not be."""
    await run(
        conn,
        """
        UPDATE moderation.cases SET state = %(state)s, problem = %(problem)s
        WHERE guild_id = %(guild)s AND number = %(number)s AND state IN ('recorded', 'failed')""",
        guild=guild,
        number=number,
        state=state,
        problem=problem,
    )


async def set_notified(conn: Conn, guild: GuildId, number: int, *, notified: bool) -> None:
    """Note whether the DM to the member arrived."""
    await run(
        conn,
        "UPDATE moderation.cases SET notified = %(notified)s WHERE guild_id = %(guild)s AND number = %(number)s",
        guild=guild,
        number=number,
        notified=notified,
    )


async def edit_reason(conn: Conn, guild: GuildId, number: int, reason: str, by: UserId) -> bool:
    """Change a case's reason and keep what it was. False: there is no such case."""
    # Two statements: within one, PostgreSQL hides a row that the same statement has changed from FOR UPDATE.
    kept = await run(
        conn,
        """
        WITH old AS (
            SELECT reason FROM moderation.cases
            WHERE guild_id = %(guild)s AND number = %(number)s FOR UPDATE
        )
        INSERT INTO moderation.case_notes (guild_id, number, editor_id, previous)
        SELECT %(guild)s, %(number)s, %(by)s, reason FROM old""",
        guild=guild,
        number=number,
        by=by,
    )
    await run(
        conn,
        "UPDATE moderation.cases SET reason = %(reason)s WHERE guild_id = %(guild)s AND number = %(number)s",
        guild=guild,
        number=number,
        reason=reason,
    )
    return kept > 0


async def lift(conn: Conn, guild: GuildId, number: int, by: UserId | None) -> bool:
    """Mark a case as lifted. False: it was lifted already, or there is none."""
    return (
        await run(
            conn,
            """
            UPDATE moderation.cases SET state = 'lifted', lifted_at = now(), lifted_by = %(by)s
            WHERE guild_id = %(guild)s AND number = %(number)s AND state <> 'lifted'""",
            guild=guild,
            number=number,
            by=by,
        )
        > 0
    )


async def unfinished(conn: Conn, guild: GuildId, action_prefix: str) -> list[Case]:
    """Return cases of an action whose sanction has not been carried out."""
    return await many(
        conn,
        Case,
        """
        SELECT guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
               reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds
        FROM moderation.cases
        WHERE guild_id = %(guild)s AND starts_with(action_key, %(prefix)s) AND state = 'recorded' ORDER BY number""",
        guild=guild,
        prefix=action_prefix,
    )


async def recorded(conn: Conn, guild: GuildId, *, after: int, limit: int) -> list[Case]:
    """Return automatic cases with numbers above `after` that have not been carried out, oldest first."""
    return await many(
        conn,
        Case,
        """
        SELECT guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
               reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds
        FROM moderation.cases
        WHERE guild_id = %(guild)s AND number > %(after)s AND state = 'recorded' AND origin = 'automatic'
        ORDER BY number LIMIT %(limit)s""",
        guild=guild,
        after=after,
        limit=limit,
    )


async def strike(
    conn: Conn,
    guild: GuildId,
    user: UserId,
    action_key: str,
    *,
    weight: int,
    at: datetime,
    expires_at: datetime,
) -> int:
    """Add a strike once per action and return the member's sum of unexpired strikes, this one included.

    The member's strikes are locked until the transaction ends: two decisions at once count one after the other.
    """
    await run(
        conn,
        "SELECT pg_advisory_xact_lock(hashtextextended('strike:' || %(key)s, 0))",
        key=f"{guild}:{user}",
    )
    await run(
        conn,
        """
        INSERT INTO moderation.strikes (guild_id, user_id, action_key, weight, struck_at, expires_at)
        VALUES (%(guild)s, %(user)s, %(key)s, %(weight)s, %(at)s, %(expires_at)s)
        ON CONFLICT DO NOTHING""",
        guild=guild,
        user=user,
        key=action_key,
        weight=weight,
        at=at,
        expires_at=expires_at,
    )
    return await strikes_of(conn, guild, user, at)


async def strikes_of(conn: Conn, guild: GuildId, user: UserId, at: datetime) -> int:
    """Return the sum of a member's strikes that count at that time."""
    return int(
        await value(
            conn,
            """
            SELECT coalesce(sum(weight), 0) FROM moderation.strikes
            WHERE guild_id = %(guild)s AND user_id = %(user)s AND revoked_at IS NULL AND expires_at > %(at)s""",
            guild=guild,
            user=user,
            at=at,
        )
    )


async def revoke_strike(conn: Conn, guild: GuildId, user: UserId, action_key: str) -> bool:
    """Take a strike back (undo, a won appeal)."""
    return (
        await run(
            conn,
            """
            UPDATE moderation.strikes SET revoked_at = now()
            WHERE guild_id = %(guild)s AND user_id = %(user)s AND action_key = %(key)s AND revoked_at IS NULL""",
            guild=guild,
            user=user,
            key=action_key,
        )
        > 0
    )


async def claim_punishment(
    conn: Conn, guild: GuildId, user: UserId, rule_key: str, window_start: datetime, action_key: str
) -> bool:
    """Claim the one punishment of (member, rule, window). False: another action has it."""
    return (
        await value(
            conn,
            """
            INSERT INTO moderation.punishments AS known (guild_id, user_id, rule_key, window_start, action_key)
            VALUES (%(guild)s, %(user)s, %(rule)s, %(start)s, %(key)s)
            ON CONFLICT (guild_id, user_id, rule_key, window_start) DO UPDATE SET action_key = known.action_key
            RETURNING action_key = %(key)s""",
            guild=guild,
            user=user,
            rule=rule_key,
            start=window_start,
            key=action_key,
        )
        is True
    )


async def running(conn: Conn, guild: GuildId, target: UserId, sanction: str) -> list[Case]:
    """Return a member's cases of a sanction that have neither ended nor been lifted."""
    return await many(
        conn,
        Case,
        """
        SELECT guild_id, number, action_key, sanction, origin, target_id, moderator_id, channel_id, message_id,
               reason, decision_id, state, problem, notified, opened_at, expires_at, lifted_at, lifted_by,
               delete_seconds
        FROM moderation.cases
        WHERE guild_id = %(guild)s AND target_id = %(target)s AND sanction = %(sanction)s
          AND state IN ('recorded', 'done') AND (expires_at IS NULL OR expires_at > now())
        ORDER BY number""",
        guild=guild,
        target=target,
        sanction=sanction,
    )


async def longest_timeout(conn: Conn, case: Case) -> datetime | None:
    """Return when the longest running timeout of the case's member ends, other than the case's own; None: none runs."""
    if case.target_id is None:
        return None
    others = await running(conn, GuildId(case.guild_id), UserId(case.target_id), "timeout")
    ends = [
        other.expires_at for other in others if other.number != case.number and other.expires_at is not None
    ]
    return max(ends, default=None)
