"""Authentication, user agents, rate limits, trouble, the call log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.instance import Sandbox
from sandbox.rest.api import RestApi
from sandbox.rest.declare import Bucket
from sandbox.rest.limits import RateLimits
from sandbox.rest.routes import ROUTES
from sandbox.server import create_sandbox
from sandbox.settings import SandboxSettings
from sandbox.trouble import GatewayKind, GatewayTrouble, RestKind, RestTrouble, Trouble, matches
from sandbox.world import Channel, World, seed
from tests.fixtures.sandbox import AGENT, problem

Valid = Callable[[str, Any], None]


class Seconds:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def limited(world: World, seconds: Seconds) -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(invalid_limit=5)
    made = create_sandbox(settings, world)
    made.limits = RateLimits(settings, clock=seconds)
    yield made
    await made.interactions.aclose()


@pytest.fixture
async def client(limited: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(RestApi(limited, ROUTES))
    headers = {"User-Agent": AGENT, "Authorization": f"Bot {limited.world.application.token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://s/api/v10", headers=headers) as made:
        yield made


async def test_bucket_headers_and_429(
    client: httpx.AsyncClient, general: Channel, seconds: Seconds, assert_discord_valid: Valid
) -> None:
    path = f"/channels/{general.id}/messages"
    answers = [await client.post(path, json={"content": "x"}) for _ in range(6)]
    assert [a.headers["x-ratelimit-remaining"] for a in answers[:5]] == ["4", "3", "2", "1", "0"]
    assert len({a.headers["x-ratelimit-bucket"] for a in answers}) == 1
    refused = answers[5]
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-scope"] == "user"
    assert refused.headers["via"]
    assert refused.json()["global"] is False
    assert_discord_valid("RatelimitedResponse", refused.json())
    assert int(refused.headers["retry-after"]) >= refused.json()["retry_after"]
    seconds.now += refused.json()["retry_after"]
    assert (await client.post(path, json={"content": "x"})).status_code == 200


async def test_buckets_are_per_channel_and_shared_by_routes(client: httpx.AsyncClient, world: World) -> None:
    first, second = [c.id for c in world.guild_channels(next(iter(world.guilds))) if c.type == 0][-2:]
    for _ in range(5):
        await client.post(f"/channels/{first}/messages", json={"content": "x"})
    assert (await client.post(f"/channels/{second}/messages", json={"content": "x"})).status_code == 200
    message = world.history(first)[-1].id
    pins = [await client.put(f"/channels/{first}/messages/pins/{message}") for _ in range(3)]
    pins += [await client.delete(f"/channels/{first}/messages/pins/{message}") for _ in range(3)]
    assert [p.status_code for p in pins] == [204] * 5 + [429]


async def test_global_limit(
    client: httpx.AsyncClient, limited: Sandbox, seconds: Seconds, world: World
) -> None:
    limited.limits.scale = 0
    statuses = [(await client.get("/users/@me")).status_code for _ in range(50)]
    assert statuses == [200] * 50
    refused = await client.get(f"/users/{seed.SAM}")
    assert refused.status_code == 429
    assert refused.json()["global"] is True
    assert refused.headers["x-ratelimit-global"] == "true"
    assert refused.headers["x-ratelimit-scope"] == "global"
    assert "x-ratelimit-bucket" not in refused.headers
    seconds.now += 1
    assert (await client.get("/users/@me")).status_code == 200


async def test_too_many_bad_answers_block_the_address(client: httpx.AsyncClient, seconds: Seconds) -> None:
    for _ in range(5):
        assert (await client.get("/users/@me", headers={"Authorization": "Bot wrong"})).status_code == 401
    blocked = await client.get("/users/@me")
    assert blocked.status_code == 429
    assert blocked.headers["content-type"].startswith("text/plain")
    assert "via" not in blocked.headers
    seconds.now += 601
    assert (await client.get("/users/@me")).status_code == 200


async def test_shared_429s_are_not_counted(client: httpx.AsyncClient, limited: Sandbox) -> None:
    limited.trouble.add(RestTrouble(kind=RestKind.RATE_LIMIT, scope="shared", count=8, retry_after=2.5))
    for _ in range(8):
        answer = await client.get("/users/@me")
        assert (answer.status_code, answer.headers["x-ratelimit-scope"]) == (429, "shared")
    assert (await client.get("/users/@me")).status_code == 200


async def test_who_may_come_in(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    assert problem(await http.get("/users/@me", headers={"Authorization": ""})) == (401, 0)
    assert (await http.get("/gateway", headers={"Authorization": ""})).status_code == 200
    assert problem(await http.put("/users/@me")) == (405, 0)
    assert problem(await http.get("/nothing/here")) == (404, 0)
    for agent in ("", "DiscordBot", "DiscordBot mine", "Python-urllib/3.11"):
        assert problem(await http.get("/users/@me", headers={"User-Agent": agent})) == (403, 40333)
    assert (await http.get("/users/@me", headers={"User-Agent": "python-httpx/0.28"})).status_code == 200
    discord_py = "DiscordBot (https://github.com/Rapptz/discord.py 2.7.1) Python/3.11 aiohttp/3.14"
    assert (await http.get("/users/@me", headers={"User-Agent": discord_py})).status_code == 200


async def test_versions(http: httpx.AsyncClient) -> None:
    assert (await http.get("http://s/api/v9/users/@me")).status_code == 200
    assert problem(await http.get("http://s/api/v6/users/@me")) == (400, 50041)
    assert problem(await http.get("http://s/api/users/@me")) == (404, 0)


async def test_trouble_on_one_route(
    http: httpx.AsyncClient, sandbox: Sandbox, general: Channel, world: World
) -> None:
    sandbox.trouble.add(RestTrouble(kind=RestKind.SERVER_ERROR, status=503, count=2, route="GET /users/*"))
    answers = [(await http.get("/users/@me")).status_code for _ in range(3)]
    assert answers == [503, 503, 200]
    assert (await http.get("/gateway/bot")).status_code == 200
    sandbox.trouble.add(RestTrouble(kind=RestKind.CLOUDFLARE, count=1))
    assert (await http.get("/users/@me")).text == "error code: 1015"
    sandbox.trouble.add(RestTrouble(kind=RestKind.LOST_ANSWER, count=1, route="POST *"))
    before = len(world.history(general.id))
    with pytest.raises(Exception):
        await http.post(f"/channels/{general.id}/messages", json={"content": "said, but never answered"})
    assert len(world.history(general.id)) == before + 1


async def test_the_log_tells_no_secrets(http: httpx.AsyncClient, sandbox: Sandbox, general: Channel) -> None:
    heard: list[str] = []
    stop = sandbox.rest_log.subscribe(lambda call: heard.append(call.route))
    await http.post(
        f"/channels/{general.id}/messages", json={"content": "hi"}, headers={"X-Audit-Log-Reason": "why"}
    )
    stop()
    await http.get("/users/@me")
    call = sandbox.rest_log.calls[0]
    assert (call.method, call.route, call.status) == ("POST", "/channels/{channel_id}/messages", 200)
    assert (call.request, call.reason) == ({"content": "hi"}, "why")
    assert call.bucket["X-RateLimit-Bucket"]
    assert sandbox.world.application.token not in str(call.as_json())
    assert heard == ["/channels/{channel_id}/messages"]


def test_route_patterns() -> None:
    name = "DELETE /channels/{channel_id}/messages/{message_id}"
    assert matches("*", name)
    assert matches("DELETE *", name)
    assert matches("/channels/*", name)
    assert matches(name, name)
    assert not matches("GET *", name)


def test_switches_end_by_count_and_by_time() -> None:
    seconds = Seconds()
    trouble = Trouble(clock=seconds)
    made = trouble.add(GatewayTrouble(kind=GatewayKind.DUPLICATE, count=2, seconds=10))
    assert trouble.for_gateway(GatewayKind.DUPLICATE, 0) is not None
    assert trouble.for_gateway(GatewayKind.DUPLICATE, 1, "MESSAGE_CREATE") is not None
    assert trouble.for_gateway(GatewayKind.DUPLICATE, 0) is None
    assert not trouble.remove(made.id)
    trouble.add(GatewayTrouble(kind=GatewayKind.NO_ACK, seconds=10, shard=1))
    assert trouble.is_on(GatewayKind.NO_ACK, 1)
    assert not trouble.is_on(GatewayKind.NO_ACK, 0)
    seconds.now += 10
    assert trouble.switches == []


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 8), st.floats(0.5, 4))
def test_no_window_holds_more_than_its_limit(gaps: list[float], limit: int, window: float) -> None:
    seconds = Seconds()
    limits = RateLimits(SandboxSettings(), clock=seconds)
    bucket = Bucket("test", limit, window)
    opened, used = None, 0
    for gap in gaps:
        seconds.now += gap
        if opened is None or seconds.now >= opened + window:
            opened, used = seconds.now, 0
        verdict = limits.take("bot", bucket, "1")
        assert (verdict.retry_after is None) == (used < limit)
        used += verdict.retry_after is None
        assert verdict.remaining == limit - used
        assert 0 < verdict.reset_after <= window + 1e-9
