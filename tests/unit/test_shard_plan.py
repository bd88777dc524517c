from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidShardPlan
from app.settings import Settings
from app.shard_plan import make_plan


def settings(**values: object) -> Settings:
    return Settings.from_environment({name.upper(): str(value) for name, value in values.items()})


def test_auto_takes_what_discord_recommends() -> None:
    plan = make_plan(settings(), recommended=3)
    assert (plan.total, plan.clusters, plan.pinned) == (3, ((0, 1, 2),), False)


def test_a_range_is_pinned_to_the_instance() -> None:
    plan = make_plan(settings(shard_start=3, shard_end=5, total_shards=9, shards_per_cluster=2))
    assert (plan.total, plan.pinned, plan.clusters) == (9, True, ((3, 4), (5,)))


@pytest.mark.parametrize(
    ("values", "sum_"),
    [
        ({"shard_start": 3}, "SHARD_START is set but SHARD_END is not"),
        ({"shard_end": 3}, "SHARD_END is set but SHARD_START is not"),
        ({"shard_start": 5, "shard_end": 3, "total_shards": 9}, "SHARD_START=5 is above SHARD_END=3"),
        ({"shard_start": 0, "shard_end": 9, "total_shards": 9}, "9 shards have the ids 0 to 8"),
        ({"shard_start": 0, "shard_end": 1}, "need TOTAL_SHARDS"),
        ({"shard_count": 4, "total_shards": 9}, "SHARD_COUNT=4 contradicts TOTAL_SHARDS=9"),
        ({"shard_count": 0}, "at least 1"),
        (
            {"shard_count": 64, "cluster_count": 10, "shards_per_cluster": 5},
            "CLUSTER_COUNT=10 x SHARDS_PER_CLUSTER=5 = 50 shards, but there are 64: 14 would run nowhere",
        ),
        ({"shard_count": 2, "cluster_count": 3}, "CLUSTER_COUNT=3 processes for 2 shards: 1 would have none"),
        (
            {"shard_count": 4, "shard_start": 0, "shard_end": 2, "total_shards": 9},
            "neither TOTAL_SHARDS=9 nor the 3 shards",
        ),
    ],
)
def test_an_impossible_plan_shows_the_sum(values: dict[str, object], sum_: str) -> None:
    with pytest.raises(InvalidShardPlan) as caught:
        make_plan(settings(**values), recommended=5)
    assert sum_ in caught.value.for_operator()
    assert caught.value.for_operator().startswith("E007: ")


def test_auto_without_a_recommendation_is_refused() -> None:
    with pytest.raises(InvalidShardPlan, match="did not recommend"):
        make_plan(settings())


@given(
    total=st.integers(1, 300),
    bounds=st.none() | st.tuples(st.integers(0, 299), st.integers(0, 299)),
    per_cluster=st.none() | st.integers(1, 40),
    clusters=st.none() | st.integers(1, 40),
)
def test_a_plan_covers_its_shards_once_or_is_refused(
    total: int, bounds: tuple[int, int] | None, per_cluster: int | None, clusters: int | None
) -> None:
    values: dict[str, object] = {"total_shards": total}
    if bounds is not None:
        values |= {"shard_start": bounds[0], "shard_end": bounds[1]}
    if per_cluster is not None:
        values["shards_per_cluster"] = per_cluster
    if clusters is not None:
        values["cluster_count"] = clusters
    expected = range(total) if bounds is None else range(bounds[0], bounds[1] + 1)
    possible = (
        0 < len(expected)
        and expected[-1] < total
        and (clusters is None or clusters <= len(expected))
        and (clusters is None or per_cluster is None or clusters * per_cluster >= len(expected))
    )
    if not possible:
        with pytest.raises(InvalidShardPlan):
            make_plan(settings(**values))
        return
    plan = make_plan(settings(**values))
    assert [shard for cluster in plan.clusters for shard in cluster] == list(expected)
    assert all(plan.clusters)
    if clusters is not None:
        assert len(plan.clusters) == clusters
    if per_cluster is not None:
        assert max(map(len, plan.clusters)) <= per_cluster
