from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.settings import Settings
from ingester.cluster import Cluster
from ingester.control import Control, Setup
from ingester.floor import ShardStopped


@pytest.mark.parametrize(
    ("code", "status", "line"),
    [
        (
            4004,
            2,
            "E002: Discord refuses DISCORD_TOKEN (close code 4004): set a valid DISCORD_TOKEN and restart",
        ),
        (4010, 2, "E007: Discord refuses the shard (close code 4010): check SHARD_COUNT and TOTAL_SHARDS; "),
        (4011, 2, "E007: too many guilds for a shard (close code 4011, over 2,500): raise SHARD_COUNT or "),
        (
            4012,
            1,
            "Discord no longer accepts this version of the gateway (close code 4012): update Gatehouse",
        ),
        (4013, 1, "Discord does not know one of the intents (close code 4013): update Gatehouse"),
        (
            4014,
            2,
            "Discord refuses the privileged intents of this bot (close code 4014). Switch on 'Server Memb",
        ),
    ],
)
async def test_a_close_code_that_ends_everything_comes_with_its_remedy(
    code: int, status: int, line: str
) -> None:
    said: list[dict[str, Any]] = []
    control = SimpleNamespace(send=lambda op, **values: said.append({"op": op, **values}))
    setup = Setup(0, "me", 1, "ws://gateway", 1, 0, (0,))
    cluster = Cluster(setup, Settings(), cast("Control", control), "redis://127.0.0.1:1/0")

    async def run() -> None:
        raise ShardStopped(0, code)

    await cluster._run_shard(cast("Any", SimpleNamespace(number=0, run=run)))
    assert [message["op"] for message in said] == ["fatal", "ended"]
    assert said[0]["status"] == status
    assert said[0]["line"].startswith(line)
