"""The table of review items."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, run, value
from app.snowflake import GuildId, UserId
from app.streams.store import schedule

POST_KIND = "moderation.review_post"
"""Scheduled work that brings an item's message up to date."""
CLAIM_TIME = timedelta(minutes=30)
"""How long a claimed item is kept for whoever claimed it."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something for people to decide.

    `case_number` is what was done before, `proposed` what policy would do, `resolution_case` what the resolution
    did. `version` grows with every change.
    """

    item_id: int
    guild_id: int
    item_key: str
    kind: str
    severity: int
    reason: str
    proposed: str | None
    user_id: int
    channel_id: int | None
    message_id: int | None
    decision_id: int | None
    case_number: int | None
    appeal_id: int | None
    reporters: list[int]
    excerpt: str | None
    state: str
    version: int
    claimed_by: int | None
    claimed_at: datetime | None
    resolution: str | None
    resolved_by: int | None
    resolved_at: datetime | None
    resolution_case: int | None
    posted_channel: int | None
    posted_message: int | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class NewItem:
    """What is known when an item is opened. `item_key` names what it is about: it opens an item once per guild."""

    guild_id: GuildId
    item_key: str
    kind: str
    user_id: UserId
    severity: int = 0
    reason: str = ""
    proposed: str | None = None
    channel_id: int | None = None
    message_id: int | None = None
    decision_id: int | None = None
    case_number: int | None = None
    appeal_id: int | None = None
    reporters: list[int] = field(default_factory=list)
    excerpt: str | None = None
    excerpt_expires_at: datetime | None = None


async def open_item(conn: Conn, new: NewItem, now: datetime) -> Item:
    """Open an item, or return the one there is; more reporters are added to an open one. Has it posted."""
    item = await maybe(
        conn,
        Item,
        """
        INSERT INTO moderation.review_items AS known
            (guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id, decision_id,
             case_number, appeal_id, reporters, excerpt, excerpt_expires_at, opened_at)
        VALUES (%(guild)s, %(key)s, %(kind)s, %(severity)s, %(reason)s, %(proposed)s, %(user)s, %(channel)s,
                %(message)s, %(decision)s, %(case)s, %(appeal)s, %(reporters)s::bigint[], %(excerpt)s,
                %(expires)s, %(now)s)
        ON CONFLICT (guild_id, item_key) DO UPDATE
        SET reporters = CASE
            WHEN known.state = 'open' AND NOT known.reporters @> excluded.reporters
            THEN known.reporters || excluded.reporters ELSE known.reporters END
        RETURNING item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
                  decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
                  resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at""",
        guild=new.guild_id,
        key=new.item_key,
        kind=new.kind,
        severity=new.severity,
        reason=new.reason,
        proposed=new.proposed,
        user=new.user_id,
        channel=new.channel_id,
        message=new.message_id,
        decision=new.decision_id,
        case=new.case_number,
        appeal=new.appeal_id,
        reporters=new.reporters,
        excerpt=new.excerpt,
        expires=new.excerpt_expires_at,
        now=now,
    )
    assert item is not None
    await have_shown(conn, GuildId(item.guild_id), item.item_id, now)
    return item


async def have_shown(conn: Conn, guild: GuildId, item_id: int, now: datetime) -> None:
    """Have the item's message brought up to date once the transaction commits."""
    await schedule(conn, POST_KIND, str(item_id), now, {"guild": str(guild), "item": item_id})


async def find_item(conn: Conn, guild: GuildId, item_id: int) -> Item | None:
    """Return the item."""
    return await maybe(
        conn,
        Item,
        """
        SELECT item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
               decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
               resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at
        FROM moderation.review_items WHERE guild_id = %(guild)s AND item_id = %(item)s""",
        guild=guild,
        item=item_id,
    )


async def open_items(conn: Conn, guild: GuildId, *, after: int, limit: int) -> list[Item]:
    """Return open items in the order in which they came, from behind `after` on."""
    return await many(
        conn,
        Item,
        """
        SELECT item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
               decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
               resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at
        FROM moderation.review_items
        WHERE guild_id = %(guild)s AND state = 'open' AND item_id > %(after)s ORDER BY item_id LIMIT %(limit)s""",
        guild=guild,
        after=after,
        limit=limit,
    )


async def count_open(conn: Conn, guild: GuildId) -> int:
    """Return how many items wait."""
    return int(
        await value(
            conn,
            "SELECT count(*) FROM moderation.review_items WHERE guild_id = %(guild)s AND state = 'open'",
            guild=guild,
        )
    )


async def claim(
    conn: Conn, guild: GuildId, item_id: int, version: int, *, by: UserId, now: datetime
) -> Item | None:
    """Claim an open item, or give it back if it is one's own; None: it has changed, or somebody else has it."""
    return await maybe(
        conn,
        Item,
        """
        UPDATE moderation.review_items
        SET claimed_by = CASE WHEN claimed_by = %(by)s THEN NULL ELSE %(by)s END,
            claimed_at = CASE WHEN claimed_by = %(by)s THEN NULL ELSE %(now)s END,
            version = version + 1
        WHERE guild_id = %(guild)s AND item_id = %(item)s AND state = 'open' AND version = %(version)s
          AND (claimed_by IS NULL OR claimed_by = %(by)s OR claimed_at < %(stale)s)
        RETURNING item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
                  decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
                  resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at""",
        guild=guild,
        item=item_id,
        version=version,
        by=by,
        now=now,
        stale=now - CLAIM_TIME,
    )


async def resolve(
    conn: Conn, guild: GuildId, item_id: int, version: int, resolution: str, *, by: UserId, now: datetime
) -> Item | None:
    """Decide an item: the one statement in which two moderators cannot both win. None: this one did not."""
    return await maybe(
        conn,
        Item,
        """
        UPDATE moderation.review_items
        SET state = 'resolved', resolution = %(resolution)s, resolved_by = %(by)s, resolved_at = %(now)s,
            version = version + 1
        WHERE guild_id = %(guild)s AND item_id = %(item)s AND state = 'open' AND version = %(version)s
          AND (claimed_by IS NULL OR claimed_by = %(by)s OR claimed_at < %(stale)s)
        RETURNING item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
                  decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
                  resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at""",
        guild=guild,
        item=item_id,
        version=version,
        resolution=resolution,
        by=by,
        now=now,
        stale=now - CLAIM_TIME,
    )


async def note_case(conn: Conn, item_id: int, number: int) -> None:
    """Note which case the resolution opened."""
    await run(
        conn,
        "UPDATE moderation.review_items SET resolution_case = %(number)s WHERE item_id = %(item)s",
        item=item_id,
        number=number,
    )


async def undo(conn: Conn, guild: GuildId, item_id: int, version: int) -> Item | None:
    """Mark a resolved item as undone; None: it has changed meanwhile."""
    return await maybe(
        conn,
        Item,
        """
        UPDATE moderation.review_items SET state = 'undone', version = version + 1
        WHERE guild_id = %(guild)s AND item_id = %(item)s AND state = 'resolved' AND version = %(version)s
        RETURNING item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
                  decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
                  resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at""",
        guild=guild,
        item=item_id,
        version=version,
    )


async def items_of_case(conn: Conn, guild: GuildId, number: int) -> list[Item]:
    """Return the items that are about a case or led to it."""
    return await many(
        conn,
        Item,
        """
        SELECT item_id, guild_id, item_key, kind, severity, reason, proposed, user_id, channel_id, message_id,
               decision_id, case_number, appeal_id, reporters, excerpt, state, version, claimed_by, claimed_at,
               resolution, resolved_by, resolved_at, resolution_case, posted_channel, posted_message, opened_at
        FROM moderation.review_items
        WHERE guild_id = %(guild)s AND (case_number = %(number)s OR resolution_case = %(number)s)
        ORDER BY item_id""",
        guild=guild,
        number=number,
    )


@dataclass(frozen=True, slots=True)
class Posting:
    """An attempt to post an item: from `since` on a message of it may be in `channel`. None: there was none."""

    channel: int | None
    since: datetime | None


async def begin_posting(conn: Conn, item_id: int, channel: int, *, seconds: float) -> Posting | None:
    """Be the one who posts the item, for `seconds`, and return what was tried before.

    None: somebody else is posting it, or it is posted.
    """
    earlier = await maybe(
        conn,
        Posting,
        """
        SELECT posting_channel AS channel, posting_since AS since FROM moderation.review_items
        WHERE item_id = %(item)s AND posted_message IS NULL
          AND (posting_until IS NULL OR posting_until <= clock_timestamp())
        FOR UPDATE""",
        item=item_id,
    )
    if earlier is not None:
        await run(
            conn,
            """
            UPDATE moderation.review_items
            SET posting_channel = coalesce(posting_channel, %(channel)s),
                posting_since = coalesce(posting_since, clock_timestamp()),
                posting_until = clock_timestamp() + make_interval(secs => %(seconds)s)
            WHERE item_id = %(item)s""",
            item=item_id,
            channel=channel,
            seconds=seconds,
        )
    return earlier


async def not_posted(conn: Conn, item_id: int, earlier: Posting) -> None:
    """Note that nothing came of the attempt for certain, so that it is as it was before."""
    await run(
        conn,
        """
        UPDATE moderation.review_items
        SET posting_channel = %(channel)s, posting_since = %(since)s, posting_until = NULL
        WHERE item_id = %(item)s AND posted_message IS NULL""",
        item=item_id,
        channel=earlier.channel,
        since=earlier.since,
    )


async def posted(conn: Conn, item_id: int, channel: int, message: int) -> bool:
    """Note where the item was posted. False: it was already, elsewhere; this message is one too many."""
    kept = await value(
        conn,
        """
        UPDATE moderation.review_items
        SET posted_channel = coalesce(posted_channel, %(channel)s),
            posted_message = coalesce(posted_message, %(message)s),
            posting_channel = NULL, posting_since = NULL, posting_until = NULL
        WHERE item_id = %(item)s
        RETURNING posted_message""",
        item=item_id,
        channel=channel,
        message=message,
    )
    return kept is None or int(kept) == message


@dataclass(frozen=True, slots=True)
class _Forgotten:
    item_id: int
    guild_id: int


async def add_reason(conn: Conn, guild: GuildId, item_id: int, reporter: UserId, text: str) -> bool:
    """Add what a reporter says to an open item. False: it is decided, or somebody else reported it."""
    return (
        await run(
            conn,
            """
            UPDATE moderation.review_items
            SET reason = left(concat_ws(E'\n', nullif(reason, ''), %(text)s::text), 900)
            WHERE guild_id = %(guild)s AND item_id = %(item)s AND state = 'open'
              AND reporters @> %(reporter)s::bigint[]""",
            guild=guild,
            item=item_id,
            reporter=[reporter],
            text=text,
        )
        > 0
    )


async def forget_excerpts(conn: Conn, now: datetime, *, limit: int) -> int:
    """Remove evidence whose time is over, also from the messages in review channels; return how much."""
    found = await many(
        conn,
        _Forgotten,
        """
        UPDATE moderation.review_items SET excerpt = NULL WHERE item_id IN (
            SELECT item_id FROM moderation.review_items
            WHERE excerpt IS NOT NULL AND excerpt_expires_at < %(now)s
            ORDER BY excerpt_expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING item_id, guild_id""",
        now=now,
        limit=limit,
    )
    for item in found:
        await have_shown(conn, GuildId(item.guild_id), item.item_id, now)
    return len(found)
