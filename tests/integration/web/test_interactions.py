"""POST /interactions on a real socket, with real stores."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest

from app.web.asgi import MAX_BODY
from tests.fixtures.discord_server import DiscordServer, Scripted
from tests.fixtures.load import generate
from tests.fixtures.sample_feature import option
from tests.fixtures.web import OpenWeb, Web


async def test_a_ping_is_answered_with_a_pong(web: Web) -> None:
    assert await web.caller.send({"type": 1}) == {"type": 1}


async def test_a_command_is_answered_by_its_handler(web: Web, assert_discord_valid: Any) -> None:
    reply = await web.caller.send(web.caller.command("echo", option("text", "hello")))
    assert_discord_valid("create_interaction_response", reply)
    assert (reply["type"], reply["data"]["content"], reply["data"]["flags"]) == (4, "hello", 64)


async def test_every_wrong_signature_is_401_and_nothing_runs(web: Web, effects_of: Any) -> None:
    caller = web.caller
    body = orjson.dumps(caller.command("count"))
    good = caller.headers(body)
    signature, timestamp = good["X-Signature-Ed25519"], good["X-Signature-Timestamp"]
    wrong: list[dict[str, str] | list[tuple[str, str]]] = [
        {},
        {"X-Signature-Timestamp": timestamp},
        {"X-Signature-Ed25519": signature},
        good | {"X-Signature-Ed25519": ""},
        good | {"X-Signature-Ed25519": signature[:-1]},
        good | {"X-Signature-Ed25519": signature[:-2]},
        good | {"X-Signature-Ed25519": signature + "00"},
        good | {"X-Signature-Ed25519": "zz" * 64},
        good | {"X-Signature-Ed25519": " ".join(signature[n : n + 2] for n in range(0, 128, 2))},
        good | {"X-Signature-Ed25519": "é" * 128},
        good | {"X-Signature-Timestamp": "é"},
        good | {"X-Signature-Timestamp": str(int(timestamp) + 1)},
        good | {"X-Signature-Ed25519": ("0" if signature[0] != "0" else "1") + signature[1:]},
        caller.headers(body, str(int(time.time()) - 3600)),
        caller.headers(body, str(int(time.time()) + 3600)),
        caller.headers(body + b" "),
        [*good.items(), ("X-Signature-Ed25519", signature)],
    ]
    for headers in wrong:
        pairs = headers.items() if isinstance(headers, dict) else headers
        raw = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
        response = await caller.client.post(f"{web.url}/interactions", content=body, headers=raw)
        assert response.status_code == 401, raw
        assert response.headers["content-type"] == "application/json"
    assert effects_of() == []


async def test_signed_but_malformed_is_400(web: Web) -> None:
    command = web.caller.command("echo", option("text", "x"))
    for payload in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        {"type": 99},
        {"type": "1"},
        command | {"id": "x"},
        command | {"data": None},
        command | {"member": 7},
        command | {"token": None},
    ):
        response = await web.caller.post(payload)
        assert response.status_code == 400, payload
        assert response.json()["message"]


async def test_a_body_that_is_too_large_is_413_before_anything_else(web: Web) -> None:
    response = await web.caller.client.post(f"{web.url}/interactions", content=b"x" * (MAX_BODY + 1))
    assert response.status_code == 413


async def test_the_edges_second_attempt_carries_the_body_in_a_header(web: Web, effects_of: Any) -> None:
    caller = web.caller
    body = orjson.dumps(caller.command("count"))
    headers = {name.encode(): value.encode() for name, value in caller.headers(body).items()}
    first = await caller.post(body)
    repeated = await caller.client.get(
        f"{web.url}/interactions", headers={**headers, b"X-Gatehouse-Body": body}
    )
    assert (repeated.status_code, repeated.content) == (200, first.content)
    assert len(effects_of()) == 1
    for wrong in (body + b" x", body[:-1], b""):
        forged = {**headers, b"X-Gatehouse-Body": wrong}
        assert (await caller.client.get(f"{web.url}/interactions", headers=forged)).status_code == 401


async def test_other_methods_are_405(web: Web) -> None:
    response = await web.caller.client.get(f"{web.url}/interactions")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_a_failing_handler_gives_an_incident_id_and_no_details(web: Web) -> None:
    reply = await web.caller.send(web.caller.command("boom"))
    assert reply["data"]["flags"] == 64
    assert "incident" in reply["data"]["content"]
    assert "secret" not in str(reply)


async def test_a_repeated_interaction_gets_the_same_bytes_and_no_second_effect(
    open_web: OpenWeb, effects_of: Any
) -> None:
    async with open_web() as one, open_web() as other:
        body = orjson.dumps(one.caller.command("count"))
        first = await one.caller.post(body)
        again = await one.caller.post(body)
        elsewhere = await other.caller.post(body)
        assert first.content == again.content == elsewhere.content
        assert len(effects_of()) == 1


async def test_five_hundred_replays_of_one_press_on_two_replicas_have_one_effect(
    open_web: OpenWeb, effects_of: Any
) -> None:
    async with open_web() as one, open_web() as other:
        origin = one.caller.command("panel")
        shown = await one.caller.send(origin)
        press = orjson.dumps(one.caller.press(shown["data"], origin))
        request = one.caller.requests.http("/interactions", press)
        loads = await asyncio.gather(
            *(generate(int(web.url.rpartition(":")[2]), [request] * 250, 250) for web in (one, other))
        )
        for load in loads:
            assert load.statuses == {200: 250}
        (answer,) = loads[0].bodies + loads[1].bodies
        assert orjson.loads(answer)["data"]["content"] == "pressed 7"
        assert [note for _, note in effects_of()] == ["press 7"]


async def test_the_effect_happens_once_even_when_redis_forgets(
    web: Web, open_web: OpenWeb, redis: Any, effects_of: Any, wait_until: Any
) -> None:
    payload = web.caller.command("count")
    body = orjson.dumps(payload)
    await web.caller.post(body)
    await wait_until(lambda: redis.strlen(f"claim:{payload['id']}"))
    await redis.flushdb()
    async with open_web() as other:
        answer = await other.caller.post(body)
        assert "already been done" in answer.json()["data"]["content"]
    assert len(effects_of()) == 1


# Limits


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


# Slow handlers


def fast_deferral(web: Web) -> None:
    """Tests need not wait for the real 1.5 s."""
    web.endpoint.flights.defer_seconds = 0.05


async def test_a_slow_handler_is_deferred_for_and_its_answer_edits_the_message(
    web: Web, discord: DiscordServer, wait_until: Any, assert_discord_valid: Any
) -> None:
    fast_deferral(web)
    payload = web.caller.command("slow")
    assert await web.caller.send(payload) == {"type": 5, "data": {"flags": 64}}
    assert await web.caller.send(payload) == {"type": 5, "data": {"flags": 64}}  # a repeat, meanwhile
    assert not discord.requests
    web.effects.go.set()
    await wait_until(lambda: discord.requests)
    (edit,) = discord.requests
    assert (edit.method, edit.path) == (
        "PATCH",
        f"/webhooks/{web.settings.discord_application_id}/{payload['token']}/messages/@original",
    )
    assert edit.json["content"] == "at last"
    assert_discord_valid("IncomingWebhookUpdateRequestPartial", edit.json)


async def test_a_public_deferral_stays_public(web: Web, discord: DiscordServer, wait_until: Any) -> None:
    fast_deferral(web)
    assert await web.caller.send(web.caller.command("slow-public")) == {"type": 5}
    web.effects.go.set()
    await wait_until(lambda: discord.requests)
    assert discord.requests[0].json["content"] == "at last"


async def test_an_answer_that_automod_blocks_is_replaced_by_a_hint(
    web: Web, discord: DiscordServer, wait_until: Any
) -> None:
    fast_deferral(web)
    discord.script(Scripted(400, {"code": 200000, "message": "blocked by AutoMod"}))
    await web.caller.send(web.caller.command("slow"))
    web.effects.go.set()
    await wait_until(lambda: len(discord.requests) == 2)
    assert "AutoMod" in discord.requests[1].json["content"]


async def test_a_slow_autocompletion_gets_no_choices_in_time(web: Web, discord: DiscordServer) -> None:
    typing = web.caller.command("pick", option("name", "hang", focused=True)) | {"type": 4}
    assert await web.caller.send(typing) == {"type": 8, "data": {"choices": []}}
    web.effects.go.set()
    assert not discord.requests


async def test_stopping_waits_for_late_answers(web: Web, discord: DiscordServer) -> None:
    fast_deferral(web)
    await web.caller.send(web.caller.command("slow"))
    discord.delay = 0.3
    stopping = asyncio.create_task(web.stop())
    await asyncio.sleep(0.1)
    web.effects.go.set()
    await stopping
    assert [request.json["content"] for request in discord.requests] == ["at last"]


async def test_a_handler_that_is_cut_off_says_so(web: Web, discord: DiscordServer) -> None:
    fast_deferral(web)
    await web.caller.send(web.caller.command("slow"))
    await web.stop()  # nobody lets it go on
    assert ["restarted" in request.json["content"] for request in discord.requests] == [True]


# Redis


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


# The rest


async def test_unknown_routes_and_wrong_methods_are_json(web: Web) -> None:
    for method, path, status in (
        ("GET", "/nope", 404),
        ("POST", "/health", 405),
        ("GET", "/webhook-events", 405),
    ):
        response = await web.caller.client.request(method, f"{web.url}{path}")
        assert response.status_code == status, path
        assert response.json()["message"]


async def test_metrics_hold_no_ids_and_no_tokens(web: Web) -> None:
    payload = web.caller.command("echo", option("text", "very private words"))
    await web.caller.send(payload)
    exposed = (await web.caller.client.get(f"{web.url}/metrics")).text
    assert 'interaction_ms_count{outcome="answered",type="application_command"}' in exposed
    for secret in (payload["token"], payload["id"], payload["member"]["user"]["id"], "very private words"):
        assert secret not in exposed


async def test_a_client_that_leaves_while_it_sends_breaks_nothing(web: Web) -> None:
    host, _, port = web.url.removeprefix("http://").partition(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /interactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await web.caller.send({"type": 1}) == {"type": 1}
