from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingester.placement import Member, moves, place

NAMES = ["a", "b", "c", "d", "e"]


@st.composite
def situations(draw: st.DrawFn) -> tuple[int, list[Member], dict[int, str]]:
    total = draw(st.integers(1, 70))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    members = []
    for name in names:
        pinned = None
        if draw(st.booleans()):
            first = draw(st.integers(0, total - 1))
            pinned = range(first, draw(st.integers(first, total - 1)) + 1)
        members.append(Member(name, pinned))
    holders = draw(st.dictionaries(st.integers(0, total - 1), st.sampled_from(NAMES)))
    return total, members, holders


@given(situations())
def test_every_shard_gets_one_living_instance_and_shares_are_even(
    situation: tuple[int, list[Member], dict[int, str]],
) -> None:
    total, members, holders = situation
    target = place(total, members, holders)
    assert sorted(target) == list(range(total))
    assert set(target.values()) <= {member.id for member in members}
    covered = {shard for member in members for shard in member.pinned or ()}
    for shard in covered:
        owner = next(member for member in members if member.id == target[shard])
        assert owner.pinned is not None
        assert shard in owner.pinned
    sharing = [member.id for member in members if member.pinned is None] or [member.id for member in members]
    counts = Counter(owner for shard, owner in target.items() if shard not in covered)
    loads = [counts[owner] for owner in sharing]
    assert max(loads) - min(loads) <= 1


@given(situations())
def test_once_placed_nothing_moves(situation: tuple[int, list[Member], dict[int, str]]) -> None:
    total, members, holders = situation
    target = place(total, members, holders)
    assert place(total, members, target) == target
    assert all(not moves(name, target, target).acquire for name in NAMES)


@given(st.integers(2, 60), st.integers(2, 5))
def test_a_death_moves_only_the_shards_of_the_dead(total: int, count: int) -> None:
    members = [Member(name) for name in NAMES[:count]]
    before = place(total, members, {})
    after = place(total, members[1:], {s: o for s, o in before.items() if o != "a"})
    assert all(after[shard] == owner for shard, owner in before.items() if owner != "a")


def test_a_newcomer_asks_for_its_fair_share() -> None:
    holders = dict.fromkeys(range(4), "a")
    target = place(4, [Member("a"), Member("b")], holders)
    assert moves("b", target, holders).request == ((2, "a"), (3, "a"))
    assert moves("a", target, holders).request == ()


def test_the_shards_of_a_range_come_home() -> None:
    holders = dict.fromkeys(range(4), "a")
    members = [Member("a", range(2)), Member("b", range(2, 4))]
    assert moves("b", place(4, members, holders), holders).request == ((2, "a"), (3, "a"))
