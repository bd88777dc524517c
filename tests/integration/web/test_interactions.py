"""POST /interactions on a real socket, with real stores."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson

from app.web.asgi import MAX_BODY
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
