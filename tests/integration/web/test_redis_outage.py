"""The web process while Redis is gone, and when it comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from tests.fixtures.sample_feature import option
from tests.fixtures.web import OpenWeb


async def test_without_redis_everything_is_answered_and_it_heals(
    open_web: OpenWeb, own_redis: Any, effects_of: Any, wait_until: Any
) -> None:
    async with open_web(REDIS_URL=own_redis.url, LIMIT_USER="3/60", LIMIT_UNSIGNED="2/60") as web:
        own_redis.kill()
        body = orjson.dumps(web.caller.command("count"))
        answers = await asyncio.gather(*(web.caller.post(body) for _ in range(20)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
        assert len(effects_of()) == 1
        echoes = [
            (await web.caller.send(web.caller.command("echo", option("text", "x"), user=5)))["data"][
                "content"
            ]
            for _ in range(4)
        ]
        assert echoes[:3] == ["x"] * 3
        assert "too fast" in echoes[3]
        assert (await web.caller.client.post(f"{web.url}/interactions", content=b"{}")).status_code == 401
        for path in ("/health", "/ready", "/live", "/metrics", "/api/x"):
            assert (await web.caller.client.get(f"{web.url}{path}")).status_code < 500
        assert b"admission_fallback_active 1.0" in (await web.caller.client.get(f"{web.url}/metrics")).content
        later = await web.caller.send(web.caller.command("later"))
        assert "cannot take on longer work" in later["data"]["content"]

        own_redis.start()

        async def shared_again() -> bool:
            await web.caller.send(web.caller.command("echo", option("text", "x")))
            metrics = (await web.caller.client.get(f"{web.url}/metrics")).content
            return b"admission_fallback_active 0.0" in metrics

        await wait_until(shared_again)
        assert (await web.caller.post(body)).content == answers[0].content
        assert (await web.caller.send(web.caller.command("later")))["type"] == 5


async def test_redis_going_and_coming_under_load_loses_no_request(open_web: OpenWeb, own_redis: Any) -> None:
    async with open_web(REDIS_URL=own_redis.url, LIMIT_USER_COMMAND="off") as web:
        done = asyncio.Event()
        statuses: list[int] = []

        async def traffic() -> None:
            while not done.is_set():
                response = await web.caller.post(web.caller.command("echo", option("text", "x")))
                statuses.append(response.status_code if response.json()["type"] == 4 else -1)

        running = [asyncio.create_task(traffic()) for _ in range(4)]
        for _ in range(2):
            await asyncio.sleep(0.3)
            own_redis.kill()
            await asyncio.sleep(0.3)
            own_redis.start()
        await asyncio.sleep(0.3)
        done.set()
        await asyncio.gather(*running)
        assert set(statuses) == {200}
        assert len(statuses) > 50
