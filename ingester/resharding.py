"""Growing the number of shards without a gap: which set of shards publishes, and when events must be told apart.

The new set (an instance started with a larger total) connects beside the old one and holds everything back for the
last 10 s. Once all its shards are ready it announces itself (`next`): from then on the old set leaves a mark for
every event it publishes. After 12 s, more than the new set remembers, the new set is put in charge: it publishes
what it remembers, and Redis refuses what carries a mark. The old set goes on for 5 s more, for whatever reaches it
later than the new one, and ends. So every event is published by whichever set had it first, once, in order.

The plan in Redis: total, prev, next, next_at, switched_at (ms), url, max_concurrency.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

MARK_MS = 12_000
TAIL_MS = 5_000
TOLD_APART_MS = 30_000
"""The new set tells events apart for so long after the switch: longer than the old one's tail."""


class Step(Enum):
    """What to write into the plan."""

    NONE = "none"
    TAKE = "take"
    """Nobody is in charge: our total is the plan."""
    ANNOUNCE = "announce"
    SWITCH = "switch"
    FORGET = "forget"
    """The announced set is gone."""


@dataclass(frozen=True, slots=True)
class Part:
    """What an instance has to do now."""

    shadow: bool = False
    overlap: bool = False
    superseded: bool = False
    """Drain and end: another set of shards is in charge."""
    refused: bool = False
    """A smaller set cannot replace a running larger one."""
    step: Step = Step.NONE


def part_of(
    total: int, plan: Mapping[str, str], now: int, *, running: Collection[int], all_ready: bool, led: bool
) -> Part:
    """Work out the part of an instance with `total` shards.

    `running`: totals of the other live instances. `all_ready`: every shard of our set has a session. `led`: our
    set was in charge while this instance ran.
    """
    active = int(plan.get("total") or 0)
    coming = int(plan.get("next") or 0)
    if active == total:
        if coming and coming not in running:
            return Part(step=Step.FORGET)
        switched = int(plan.get("switched_at") or 0)
        return Part(overlap=bool(coming) or (switched > 0 and now - switched < TOLD_APART_MS))
    if led and int(plan.get("prev") or 0) == total and active in running:
        ended = now - int(plan.get("switched_at") or 0) > TAIL_MS
        return Part(overlap=True, superseded=ended)
    if active not in running:
        return Part(step=Step.TAKE)
    if total < active:
        return Part(refused=True)
    shadow = Part(shadow=True, overlap=True)
    if coming == total:
        if now - int(plan.get("next_at") or 0) > MARK_MS:
            return Part(shadow=True, overlap=True, step=Step.SWITCH)
        return shadow
    return Part(shadow=True, overlap=True, step=Step.ANNOUNCE) if all_ready and not coming else shadow
