"""How many shards there are, which of them this instance prefers, and how they spread over its processes.

A bot's guilds are spread over `total` gateway sessions: shard = (guild_id >> 22) % total (contract section 5.4).
An instance is one supervisor with its processes ("clusters"). Several instances, on several machines, share the
shards of one bot. By default each takes a fair share; SHARD_START and SHARD_END pin a range to an instance.
Nothing here talks to anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import InvalidShardPlan
from app.settings import Settings

SHARDS_PER_CLUSTER = 16
"""Shards of one process when nothing is set: 16 shards of 1,000 guilds are about one core (make bench)."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """`total` shards over all instances; `preferred` are this instance's; `clusters` spreads its share."""

    total: int
    pinned: bool
    """Whether SHARD_START and SHARD_END gave this instance a range."""
    preferred: range
    clusters: tuple[tuple[int, ...], ...]


def make_plan(settings: Settings, recommended: int | None = None) -> ShardPlan:
    """Work out the plan. `recommended` is what GET /gateway/bot says, needed for SHARD_COUNT=auto.

    Raises InvalidShardPlan (E007) with the sum that does not work out.
    """
    start, end = settings.shard_start, settings.shard_end
    if (start is None) != (end is None):
        have, lack = ("SHARD_START", "SHARD_END") if end is None else ("SHARD_END", "SHARD_START")
        raise InvalidShardPlan(f"{have} is set but {lack} is not; a range needs both")
    total = _total(settings, recommended)
    if start is None or end is None:
        preferred = range(total)
    else:
        if start > end:
            raise InvalidShardPlan(f"SHARD_START={start} is above SHARD_END={end}")
        if end >= total:
            raise InvalidShardPlan(
                f"SHARD_END={end} does not exist: {total} shards have the ids 0 to {total - 1}"
            )
        preferred = range(start, end + 1)
    sizes = _cluster_sizes(settings, len(preferred))
    ids = iter(preferred)
    clusters = tuple(tuple(next(ids) for _ in range(size)) for size in sizes)
    return ShardPlan(total, start is not None, preferred, clusters)


def _total(settings: Settings, recommended: int | None) -> int:
    total, count = settings.total_shards, settings.shard_count
    if settings.shard_start is not None and settings.shard_end is not None:
        if total is None and count == "auto":
            raise InvalidShardPlan(
                "SHARD_START and SHARD_END need TOTAL_SHARDS: instances could disagree on what `auto` is"
            )
        mine = settings.shard_end - settings.shard_start + 1
        if total is not None and count not in ("auto", total, mine):
            raise InvalidShardPlan(
                f"SHARD_COUNT={count} is neither TOTAL_SHARDS={total} nor the {mine} shards from "
                f"SHARD_START={settings.shard_start} to SHARD_END={settings.shard_end}"
            )
    elif total is not None and count not in ("auto", total):
        raise InvalidShardPlan(f"SHARD_COUNT={count} contradicts TOTAL_SHARDS={total}")
    if total is None:
        total = recommended if count == "auto" else count
    if total is None:
        raise InvalidShardPlan("SHARD_COUNT=auto and Discord did not recommend a number")
    if total < 1:
        raise InvalidShardPlan(f"SHARD_COUNT={total}; at least 1 is needed")
    return total


def _cluster_sizes(settings: Settings, shards: int) -> list[int]:
    """Return the number of shards of each process, evenly, none empty."""
    limit, clusters = settings.shards_per_cluster, settings.cluster_count
    if clusters is None:
        limit = limit or SHARDS_PER_CLUSTER
        clusters = -(-shards // limit)
    elif clusters > shards:
        raise InvalidShardPlan(
            f"CLUSTER_COUNT={clusters} processes for {shards} shards: {clusters - shards} would have none"
        )
    elif limit is not None and clusters * limit < shards:
        raise InvalidShardPlan(
            f"CLUSTER_COUNT={clusters} x SHARDS_PER_CLUSTER={limit} = {clusters * limit} shards, but there are "
            f"{shards}: {shards - clusters * limit} would run nowhere"
        )
    if settings.cluster_count is None:
        full, rest = divmod(shards, limit or shards)
        return [limit or shards] * full + ([rest] if rest else [])
    each, more = divmod(shards, clusters)
    return [each + (index < more) for index in range(clusters)]
