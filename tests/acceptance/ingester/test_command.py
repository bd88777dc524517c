"""What an operator sees: help, wrong settings, refusals by Discord, health, the bridge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest
from redis.asyncio import Redis

from app.adapters.redis.bridge import GatewayBridge
from tests.fixtures.gateway import ScriptedGateway
from tests.fixtures.ingester import Instance, Start, fetch

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

WaitUntil = Callable[..., Awaitable[Any]]


async def ended(instance: Instance) -> tuple[int, str]:
    status = await asyncio.wait_for(instance.process.wait(), 60)
    lines = instance.log.read_text(encoding="utf-8").splitlines()
    return status, "\n".join(line for line in lines if not line.startswith("{"))


async def test_help_is_complete(start_ingester: Start) -> None:
    status, text = await ended(await start_ingester("redis://127.0.0.1:1/0", "--help"))
    assert status == 0
    for word in (
        "--takeover",
        "DISCORD_TOKEN",
        "SHARD_COUNT",
        "SHARDS_PER_CLUSTER",
        "HEALTH_PORT",
        "Exit status",
    ):
        assert word in text


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"DISCORD_TOKEN": ""}, "ingester: DISCORD_TOKEN: is not set"),
        ({"SHARD_COUNT": "many"}, "ingester: SHARD_COUNT: "),
        (
            {"SHARD_COUNT": 4, "SHARDS_PER_CLUSTER": 1, "CLUSTER_COUNT": 3},
            "ingester: E007: CLUSTER_COUNT=3 x SHARDS_PER_CLUSTER=1 = 3 shards, but there are 4: 1 would run nowhere",
        ),
        ({"DISCORD_TOKEN": "wrong.token.here"}, "ingester: E002: Discord refuses DISCORD_TOKEN"),
    ],
)
async def test_wrong_settings_end_with_one_line_that_names_them(
    redis_url: str, start_ingester: Start, variables: dict[str, Any], line: str
) -> None:
    status, text = await ended(await start_ingester(redis_url, **variables))
    assert status == 2
    assert text.startswith(line)
    assert len(text.splitlines()) == 1


async def test_a_missing_privileged_intent_is_explained(
    gateway: ScriptedGateway, redis_url: str, start_ingester: Start
) -> None:
    gateway.disallowed = 1 << 15
    status, text = await ended(await start_ingester(redis_url))
    assert status == 2
    assert "close code 4014" in text
    assert "'Message Content Intent'" in text
    assert len(gateway.did("identify")) == 1


async def test_health_bridge_and_restart_of_a_crashed_process(
    gateway: ScriptedGateway, redis_url: str, redis: Redis, start_ingester: Start, wait_until: WaitUntil
) -> None:
    instance = await start_ingester(redis_url, SHARD_COUNT=2, SHARDS_PER_CLUSTER=1)
    await wait_until(lambda: len(gateway.connected()) == 2)
    bridge = GatewayBridge(redis)

    async def all_ready() -> bool:
        stats = await bridge.stats()
        return stats.online == 2 and stats.guilds == 8 and not stats.partial

    await wait_until(all_ready)
    stats = await bridge.stats()
    assert (stats.total_shards, stats.processes, stats.members) == (2, 2, 80)
    assert all(shard.latency_ms is not None for shard in stats.shards)
    found = (await bridge.find_guild(3 << 22)).found
    assert found is not None
    assert (found.name, found.shard) == ("Guild 3", 1)
    nobody = await bridge.find_guild(99 << 22)
    assert (nobody.found, nobody.partial) == (None, False)
    gateway.members[5 << 22, 77] = {"id": "77", "username": "eve", "global_name": "Eve"}
    user = (await bridge.find_user(77)).found
    assert user is not None
    assert (user.username, user.guild, user.shard) == ("eve", 5 << 22, 1)
    missing = await bridge.find_user(78)
    assert (missing.found, missing.partial) == (None, False)
    assert await bridge.broadcast("cache", {"guild": 1}) == (2, 0)

    family = instance.family()
    ports = [
        c.laddr.port for member in family for c in member.net_connections("inet") if c.status == "LISTEN"
    ]
    assert len(ports) == 3
    answers = [await fetch(f"http://127.0.0.1:{port}/health") for port in ports]
    assert {status for status, _ in answers} == {200}
    manager = next(body for _, body in answers if "totalShards" in body)
    assert (manager["status"], manager["totalShards"]) == ("healthy", 2)
    assert [(row["id"], row["status"], row["guilds"], row["degraded"]) for row in manager["shards"]] == [
        (0, "ready", 4, False),
        (1, "ready", 4, False),
    ]
    for port in ports:
        assert (await fetch(f"http://127.0.0.1:{port}/ready"))[0] == 200
        assert (await fetch(f"http://127.0.0.1:{port}/live"))[0] == 200

    child = next(member for member in family[1:] if "ingester.cluster" in " ".join(member.cmdline()))
    child.kill()
    await wait_until(lambda: len(gateway.did("resume", accepted=True)) == 1, seconds=60)
    await wait_until(all_ready, seconds=60)
    assert len(gateway.did("identify")) == 2
    assert await instance.stop() == 0
    assert not [
        member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    ]
    partial = await bridge.stats()
    assert partial.partial
    assert partial.missing == (0, 1)
    assert all(json.loads(line) for line in instance.log.read_text("utf-8").splitlines())
