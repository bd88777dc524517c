from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from app.adapters.openai.health import Health, ProviderHealth
from app.adapters.redis.bridge import GatewayBridge, GatewayStats, ShardStatus
from app.cli.shards import table
from app.features.status.commands.status import AMBER, GREEN, LINES, RED, status
from tests.fixtures.interactions import Bot, command

STATS = GatewayStats(
    2,
    (
        ShardStatus(0, "ready", 850, 9000, 20.4, "host-1/0", 3700.0),
        ShardStatus(1, "ready", 920, 9500, 40.4, "host-2/0", 60.0),
    ),
    processes=2,
    silent=0,
    memory_bytes=90 << 20,
    buffered=0,
)


class Bridge:
    """Answers as told."""

    def __init__(self, stats: GatewayStats | Exception) -> None:
        self._stats = stats

    async def stats(self) -> GatewayStats:
        if isinstance(self._stats, Exception):
            raise self._stats
        return self._stats


class Provider:
    """Is as told."""

    def __init__(self, health: Health | None) -> None:
        self._health = health

    async def read(self) -> Health | None:
        return self._health


async def ask(
    stats: GatewayStats | Exception, *, health: Health | None = None, **options: Any
) -> dict[str, Any]:
    services = {GatewayBridge: Bridge(stats), ProviderHealth: Provider(health)}
    return await Bot(status, services=services).send(command("status", **options))


async def test_a_provider_that_does_not_answer_is_shown() -> None:
    def field(answer: dict[str, Any]) -> str | None:
        fields = {field["name"]: field["value"] for field in answer["data"]["embeds"][0]["fields"]}
        return fields.get("Moderation API")

    since = datetime(2026, 11, 25, tzinfo=UTC)
    assert field(await ask(STATS)) is None
    assert field(await ask(STATS, health=Health(None, 0))) == "It answers."
    shown = field(await ask(STATS, health=Health(since, 3)))
    assert shown is not None
    assert f"not answered since <t:{int(since.timestamp())}:t>" in shown
    assert "3 messages of today were judged by rules only." in shown


async def test_a_healthy_bot_shows_totals_and_shards(assert_discord_valid: Any) -> None:
    answer = await ask(STATS)
    assert_discord_valid("create_interaction_response", answer)
    embed = answer["data"]["embeds"][0]
    assert answer["data"]["flags"] == 64
    assert embed["description"] == "Everything is fine."
    assert embed["color"] == GREEN
    fields = {field["name"]: field["value"] for field in embed["fields"]}
    assert fields["Servers"] == "1,770 servers"
    assert fields["Shards"] == "2 of 2"
    assert fields["Latency"] == "30 ms"
    assert fields["Running for"] == "1 hour and 1 minute"
    assert fields["Shard by shard"].splitlines()[1] == "**1**: connected, 40 ms, servers: 920"


async def test_what_is_missing_is_said_to_be_missing() -> None:
    down = replace(STATS.shards[1], status="resuming", latency_ms=None)
    embed = (await ask(replace(STATS, shards=(STATS.shards[0], down))))["data"]["embeds"][0]
    assert "catch up" in embed["description"]
    assert embed["color"] == AMBER
    assert "**1**: coming back" in embed["fields"][-1]["value"]
    embed = (await ask(replace(STATS, shards=STATS.shards[:1], silent=1, missing=(1,))))["data"]["embeds"][0]
    assert embed["description"].startswith("1 process has not answered in time")
    assert "**1**: not running" in embed["fields"][-1]["value"]


async def test_without_an_ingester_it_says_so() -> None:
    embed = (await ask(GatewayStats(0, (), 0, 0, 0, 0)))["data"]["embeds"][0]
    assert "not running" in embed["description"]
    assert embed["color"] == RED


async def test_without_redis_it_asks_to_try_again() -> None:
    answer = await ask(RedisConnectionError("no"))
    assert "try again" in answer["data"]["content"]
    assert answer["data"]["flags"] == 64


@pytest.mark.parametrize("locale", ["de", "fr", "es-ES", "pt-BR", "ja"])
async def test_many_shards_fit_into_an_answer_in_every_language(
    locale: str, assert_discord_valid: Any
) -> None:
    shards = tuple(replace(STATS.shards[0], id=number, guilds=2500) for number in range(500))
    answer = await ask(replace(STATS, total_shards=500, shards=shards), locale=locale)
    assert_discord_valid("create_interaction_response", answer)
    value = answer["data"]["embeds"][0]["fields"][-1]["value"]
    assert len(value.splitlines()) == LINES + 1
    assert answer["data"]["embeds"][0]["description"] != "Everything is fine."


def test_the_command_line_shows_the_same() -> None:
    lines = table(replace(STATS, missing=(2,), total_shards=3, silent=1, buffered=7))
    assert "0  ready" in lines[1]
    assert lines[1].endswith("host-1/0")
    assert lines[3] == "    2  not running"
    assert lines[4] == "2 of 3 shards connected, 1770 servers, 2 processes, 90 MB, up 1:01:40"
    assert lines[5:] == [
        "7 events wait for Redis",
        "1 processes have not answered in time: this is not the whole picture",
    ]
    assert table(GatewayStats(0, (), 0, 0, 0, 0)) == ["no ingester is running: start `python -m ingester`"]
