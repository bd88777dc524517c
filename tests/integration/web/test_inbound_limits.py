"""The limits of the interactions endpoint and of the other routes, on real sockets with real stores."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.fixtures.sample_feature import option
from tests.fixtures.web import OpenWeb, Web


async def test_the_user_is_told_when_to_come_back(open_web: OpenWeb, assert_discord_valid: Any) -> None:
    async with open_web(LIMIT_USER="2/60", LIMIT_USER_COMMAND="off", LIMIT_GUILD="off") as web:
        texts = []
        for _ in range(3):
            reply = await web.caller.send(web.caller.command("echo", option("text", "x"), user=1))
            assert_discord_valid("create_interaction_response", reply)
            texts.append(reply["data"]["content"])
        assert texts[:2] == ["x", "x"]
        assert texts[2].startswith("You are going too fast. Please try again <t:")
        when = int(texts[2].split("<t:")[1].split(":")[0])
        assert 0 <= when - time.time() <= 61
        other = await web.caller.send(web.caller.command("echo", option("text", "x"), user=2))
        assert other["data"]["content"] == "x"


async def test_a_refusal_speaks_the_users_language_and_is_repeated(open_web: OpenWeb) -> None:
    async with open_web(LIMIT_USER="1/60") as web:
        await web.caller.send(web.caller.command("echo", option("text", "x"), user=1))
        refused = web.caller.command("echo", option("text", "x"), user=1, locale="de")
        first, again = await web.caller.send(refused), await web.caller.send(refused)
        assert first == again
        assert first["data"]["flags"] == 64
        assert first["data"]["content"].startswith("Das geht mir zu schnell")


async def test_commands_have_their_own_window_and_a_declared_cooldown_wins(open_web: OpenWeb) -> None:
    async with open_web(LIMIT_USER="off", LIMIT_GUILD="off", LIMIT_USER_COMMAND="3/60") as web:

        async def run(name: str) -> str:
            options = [option("text", "fine")] if name == "echo" else []
            reply = await web.caller.send(web.caller.command(name, *options, user=1))
            return str(reply["data"]["content"])

        assert [await run("echo") for _ in range(3)] == ["fine"] * 3
        assert "often enough" in await run("echo")
        assert await run("cool") == "cool"
        assert "often enough" in await run("cool")


async def test_a_guild_has_a_window_of_its_own(open_web: OpenWeb) -> None:
    async with open_web(LIMIT_USER="off", LIMIT_USER_COMMAND="off", LIMIT_GUILD="2/60") as web:
        replies = [
            await web.caller.send(web.caller.command("echo", option("text", "x"), guild_id="7"))
            for _ in range(3)
        ]
        assert [reply["data"]["content"] for reply in replies][:2] == ["x", "x"]
        assert "This server is using me" in replies[2]["data"]["content"]


async def test_typing_counts_apart_and_a_limited_one_gets_no_choices(open_web: OpenWeb) -> None:
    async with open_web(LIMIT_AUTOCOMPLETE="1/60", LIMIT_USER="1/60") as web:

        def typing() -> dict[str, Any]:
            payload = web.caller.command("pick", option("name", "ab", focused=True), user=1)
            return payload | {"type": 4}

        assert (await web.caller.send(typing()))["data"]["choices"] == [{"name": "ab", "value": "x"}]
        assert await web.caller.send(typing()) == {"type": 8, "data": {"choices": []}}
        reply = await web.caller.send(web.caller.command("pick", option("name", "x"), user=1))
        assert reply["data"]["content"] == "x"


async def test_signed_traffic_is_never_limited_by_address(open_web: OpenWeb) -> None:
    async with open_web(LIMIT_UNSIGNED="1/60", LIMIT_USER="off", LIMIT_USER_COMMAND="off") as web:
        statuses = [
            (await web.caller.client.post(f"{web.url}/interactions", content=b"{}")) for _ in range(3)
        ]
        assert [response.status_code for response in statuses] == [401] * 3
        assert [response.headers.get("retry-after") is not None for response in statuses] == [
            False,
            True,
            True,
        ]
        assert statuses[1].headers["connection"] == "close"
        for _ in range(5):
            assert (await web.caller.send({"type": 1})) == {"type": 1}
            assert (await web.caller.send(web.caller.command("echo", option("text", "x"))))["type"] == 4


@pytest.mark.parametrize("path", ["/api", "/api/v1/things", "/verify"])
async def test_other_routes_have_windows_with_headers_and_429_as_json(open_web: OpenWeb, path: str) -> None:
    async with open_web(LIMIT_API="2/60", LIMIT_VERIFY="2/60") as web:
        responses = [await web.caller.client.get(f"{web.url}{path}") for _ in range(3)]
    assert [response.status_code for response in responses] == [404, 404, 429]
    assert [response.headers["x-ratelimit-remaining"] for response in responses] == ["1", "0", "0"]
    last = responses[2]
    assert last.headers["x-ratelimit-limit"] == "2"
    assert 0 < float(last.headers["x-ratelimit-reset-after"]) <= 60
    assert abs(float(last.headers["x-ratelimit-reset"]) - time.time() - 60) < 30
    assert 1 <= int(last.headers["retry-after"]) <= 60
    assert last.json()["retry_after"] > 0
    assert last.json()["global"] is False


async def test_an_address_is_chosen_by_trusted_proxies_only(open_web: OpenWeb) -> None:
    async def statuses(web: Web, header: str) -> list[int]:
        return [
            (
                await web.caller.client.get(f"{web.url}/verify", headers={header: f"198.51.100.{n}"})
            ).status_code
            for n in range(4)
        ]

    async with open_web(LIMIT_VERIFY="2/60") as web:
        assert await statuses(web, "CF-Connecting-IP") == [404, 404, 429, 429]
        assert await statuses(web, "X-Forwarded-For") == [429] * 4
    async with open_web(LIMIT_VERIFY="2/60", TRUSTED_PROXIES="127.0.0.1") as web:
        assert await statuses(web, "CF-Connecting-IP") == [404] * 4
        assert await statuses(web, "X-Forwarded-For") == [404] * 4
