"""How far a group is behind, from what Redis knows: the same on 6.2 and 7 (6.2 has no `lag` in XINFO GROUPS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from app.events.envelope import stream_name


@dataclass(frozen=True, slots=True)
class Lag:
    """`seconds`: age of the oldest entry that is not acknowledged; `pending`: delivered and not acknowledged."""

    seconds: float
    pending: int


async def measure(redis: Redis, group: str, partitions: Sequence[int]) -> Lag:
    """Return the group's lag over these partitions. Raises RedisError."""
    if not partitions:
        return Lag(0.0, 0)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for partition in partitions:
            pipe.xinfo_groups(stream_name(partition))
        (seconds, micros), *found = await pipe.execute(raise_on_error=False)
    facts = [_of_group(group, groups) for groups in found]
    async with redis.pipeline(transaction=False) as pipe:
        for partition, known in zip(partitions, facts, strict=True):
            if known is not None:
                pipe.xpending(stream_name(partition), group)
                after = f"({known['last-delivered-id'].decode()}"
                pipe.xrange(stream_name(partition), min=after, count=1)
        answers: list[Any] = await pipe.execute(raise_on_error=False)
    pending, oldest = 0, None
    for summary, undelivered in zip(answers[::2], answers[1::2], strict=True):
        if isinstance(summary, Exception) or isinstance(undelivered, Exception):
            continue
        pending += int(summary["pending"])
        ids = [summary["min"]] if summary["pending"] else []
        ids += [undelivered[0][0]] if undelivered else []
        for entry_id in ids:
            created = int(entry_id.partition(b"-")[0])
            oldest = created if oldest is None else min(oldest, created)
    now = seconds * 1000 + micros // 1000
    return Lag(0.0 if oldest is None else max(0.0, (now - oldest) / 1000), pending)


def _of_group(group: str, groups: Any) -> dict[str, Any] | None:
    """Pick the group; None when the stream or the group is not there."""
    if isinstance(groups, Exception):
        return None
    return next((found for found in groups if found["name"] == group.encode()), None)
