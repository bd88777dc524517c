"""Names of the ingester's keys in Redis, and the times that govern them.

Keys of a shard carry the total number of shards, since two sets run side by side while a bot is resharded.
"""

from __future__ import annotations

LEASE_MS = 5_000
"""A shard whose holder has not renewed for so long may be taken; leaves 5 of the 10 s allowed to resume it."""

RENEW_SECONDS = 1.0
"""Renewal of leases and registry entries, and the longest age of a stored sequence while nothing is published."""

RESUME_MS = 58_000
"""A stored session younger than this is resumed, an older one replaced (seed S4)."""

SESSION_KEY_MS = 90_000
"""Life of a stored session's key (seed S4)."""

SEEN_MS = 60_000
"""How long an event's key is remembered while two sets of shards overlap."""

INSTANCES = "gateway:instances"
INSTANCES_UNTIL = "gateway:instances:until"
PLAN = "gateway:plan"
IDENTIFY_BUDGET = "gateway:identify:budget"
TRIM_LOCK = "gateway:trim"
SEEN_PREFIX = "gateway:seen:"


def lease(total: int, shard: int) -> str:
    """HASH: owner, instance, token, until (ms), state, successor, reserved (ms)."""
    return f"gateway:lease:{total}:{shard}"


def session(total: int, shard: int) -> str:
    """HASH: sid, url, seq, at (ms)."""
    return f"gateway:session:{total}:{shard}"


def identify_slot(bucket: int) -> str:
    """STRING: the shard that holds the bucket's slot, as long as the slot is taken."""
    return f"gateway:identify:{bucket}"


def identify_waiting(bucket: int) -> str:
    """ZSET: shards that wait for the bucket's slot, scored by when their interest lapses (ms)."""
    return f"gateway:identify:waiting:{bucket}"


def guilds(total: int, shard: int) -> str:
    """HASH: guild id -> JSON [name, members, available]."""
    return f"gateway:guilds:{total}:{shard}"
