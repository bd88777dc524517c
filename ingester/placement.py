"""Which instance should hold which shard: a pure function that every instance computes alike.

Rules, in this order: a shard belongs to the live instance whose range covers it; the others are shared evenly by
the instances without a range (by all, if every one has a range). A shard stays where it is unless that breaks
evenness, so that nothing moves without need. Everybody sees the same registry and leases in Redis, hence comes to
the same answer; where two see different moments, the lease decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A live instance as the registry shows it; `pinned` is its range, None if it takes what comes."""

    id: str
    pinned: range | None = None


def place(
    total: int, members: Sequence[Member], holders: Mapping[int, str], candidates: Iterable[int] | None = None
) -> dict[int, str]:
    """Return the instance that should hold each shard.

    `holders`: who holds a shard now (dead instances do not count). `candidates`: the shards to place, all by
    default. Without members the answer is empty.
    """
    if not members:
        return {}
    everyone = sorted(members, key=lambda member: member.id)
    alive = {member.id for member in everyone}
    free = sorted(range(total) if candidates is None else candidates)
    target: dict[int, str] = {}
    for member in everyone:
        for shard in member.pinned or ():
            target.setdefault(shard, member.id)
    target = {shard: owner for shard, owner in target.items() if shard in set(free)}
    free = [shard for shard in free if shard not in target]
    sharing = [member.id for member in everyone if member.pinned is None] or [
        member.id for member in everyone
    ]
    held = {owner: [shard for shard in free if holders.get(shard) == owner] for owner in sharing}
    # The remainder of the division goes to those who hold the most, so that it need not move.
    ranked = sorted(sharing, key=lambda owner: (-len(held[owner]), owner))
    each, more = divmod(len(free), len(ranked))
    quota = {owner: each + (index < more) for index, owner in enumerate(ranked)}
    for owner in ranked:
        for shard in held[owner][: quota[owner]]:
            target[shard] = owner
            quota[owner] -= 1
    homeless = [shard for shard in free if shard not in target]
    # Those without a living holder first: they cost no handover.
    homeless.sort(key=lambda shard: (holders.get(shard) in alive, shard))
    needy = [owner for owner in ranked for _ in range(quota[owner])]
    target.update(zip(homeless, needy, strict=True))
    return target


@dataclass(frozen=True, slots=True)
class Moves:
    """What one instance does now: acquire shards nobody holds, ask other instances for shards."""

    acquire: tuple[int, ...]
    request: tuple[tuple[int, str], ...]


def moves(me: str, target: Mapping[int, str], holders: Mapping[int, str]) -> Moves:
    """Compare the target with the present from the view of `me`."""
    wanted = sorted(shard for shard, owner in target.items() if owner == me and holders.get(shard) != me)
    return Moves(
        tuple(shard for shard in wanted if shard not in holders),
        tuple((shard, holders[shard]) for shard in wanted if shard in holders),
    )
