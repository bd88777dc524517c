"""Two replicas behind the Caddyfile: one is killed, restarted and stopped under load, and nobody notices."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from nacl.signing import SigningKey

from tests.fixtures.replicas import Replica, caddy, send_counts

COMMANDS = 600


@pytest.mark.process
async def test_every_command_is_answered_and_has_one_effect_while_replicas_die(
    web_environment: dict[str, str],
    signing_key: SigningKey,
    tmp_path: Path,
    effects_of: Callable[[], list[tuple[int, str]]],
    wait_until: Any,
) -> None:
    unlimited = {"LIMIT_USER": "off", "LIMIT_USER_COMMAND": "off", "LIMIT_GUILD": "off"}
    replicas = [Replica(web_environment | unlimited, tmp_path) for _ in range(2)]
    first, second = replicas
    for replica in replicas:
        replica.start()
    try:
        await asyncio.gather(*(replica.answering() for replica in replicas))
        async with caddy(replicas, tmp_path) as url:

            async def kill_the_first() -> None:
                first.kill()
                await asyncio.sleep(0.3)
                first.start()
                await first.answering()

            async def restart_the_second() -> None:
                await first.answering()
                assert await asyncio.to_thread(second.stop) == 0
                second.start()
                await second.answering()

            traffic = await send_counts(
                url,
                signing_key,
                COMMANDS,
                {COMMANDS // 4: kill_the_first, COMMANDS * 2 // 3: restart_the_second},
            )
            assert traffic.statuses == {200: COMMANDS}, (traffic.odd, traffic.answers)
            # A repeat whose first attempt had its effect is told so; a slow machine may make one wait ("type 5").
            assert traffic.answers["counted"] > COMMANDS * 0.9
            assert set(traffic.answers) <= {"counted", "This has already been done.", "type 5"}

            def all_effects() -> bool:
                return len(effects_of()) >= COMMANDS

            await wait_until(all_effects)
            happened = Counter(interaction for interaction, _ in effects_of())
            assert happened == Counter(traffic.sent)

            async with httpx.AsyncClient() as client:
                for path in ("/metrics", "/health"):
                    assert (await client.get(f"{url}{path}")).status_code == 404
                answer = await client.post(f"{url}/interactions", content=b"{}")
                assert answer.status_code == 401
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "server" not in answer.headers
                assert (await client.post(f"{url}/interactions", content=b"x" * 1_100_000)).status_code == 413
    finally:
        statuses = [replica.stop() for replica in replicas]
    assert statuses == [0, 0]
