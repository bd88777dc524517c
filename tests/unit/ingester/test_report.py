from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from app.observability import metrics
from ingester.publisher import Publisher
from ingester.report import MetricsFeeder

PUBLISHER = cast("Publisher", SimpleNamespace(events=0, bytes=0))
SHARD = 4711


class Guilds(set[int]):
    members = 30


def shard(latency_ms: float | None, messages: int) -> Any:
    return SimpleNamespace(
        status="ready",
        silent_seconds=0.0,
        guilds=Guilds({1, 2}),
        latency_ms=latency_ms,
        counts=Counter(MESSAGE_CREATE=messages),
        feed=SimpleNamespace(counts=SimpleNamespace(appended=messages, refused=0)),
    )


def sample(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, {"shard_id": str(SHARD), **labels})


def test_a_shard_that_has_left_is_in_no_sum_and_one_that_is_back_counts_from_zero() -> None:
    feeder = MetricsFeeder()
    feeder.update({SHARD: shard(12.0, 5)}, PUBLISHER)
    assert (sample("discord_guild_count"), sample("discord_user_count")) == (2, 30)
    assert sample("discord_gateway_latency_ms") == 12
    feeder.update({SHARD: shard(None, 7)}, PUBLISHER)
    assert sample("discord_gateway_latency_ms") is None, "no socket, no latency"
    assert sample("discord_messages_received_total") == 7
    feeder.update({}, PUBLISHER)
    assert (sample("discord_guild_count"), sample("discord_user_count")) == (None, None)
    feeder.update({SHARD: shard(3.0, 8)}, PUBLISHER)
    assert sample("discord_guild_count") == 2
    assert sample("discord_messages_received_total") == 15
    assert sample("gateway_events_stored_total") == 15
