"""REST over a real socket: lost answers, uploads and their addresses, bodies that are too large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from sandbox.instance import Sandbox
from sandbox.trouble import RestKind, RestTrouble
from sandbox.world import seed
from tests.fixtures.sandbox import AGENT, ServeSandbox, named, problem


@pytest.fixture
async def sandbox(serve_sandbox: ServeSandbox, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with serve_sandbox(data_dir=tmp_path) as served:
        yield served


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bot {sandbox.world.application.token}", "User-Agent": AGENT}
    base = f"{sandbox.settings.http_url}/api/v10"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
        yield client


def general_of(sandbox: Sandbox) -> int:
    return named(sandbox.world, next(iter(sandbox.world.guilds.values())), "general").id


async def test_an_answer_that_gets_lost(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    general = general_of(sandbox)
    sandbox.trouble.add(RestTrouble(kind=RestKind.LOST_ANSWER, count=1))
    body = {"content": "said once", "nonce": "7", "enforce_nonce": True}
    with pytest.raises(httpx.TransportError):
        await http.post(f"/channels/{general}/messages", json=body)
    again = await http.post(f"/channels/{general}/messages", json=body)
    assert again.status_code == 200
    texts = [m.content for m in sandbox.world.history(general)]
    assert texts.count("said once") == 1


async def test_uploads_can_be_fetched(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    files = {"files[0]": ("notes.txt", b"chapter one", "text/plain")}
    data = {"payload_json": '{"content": "my notes"}'}
    sent = await http.post(f"/channels/{general_of(sandbox)}/messages", data=data, files=files)
    attachment = sent.json()["attachments"][0]
    fetched = await http.get(attachment["url"])
    assert (fetched.status_code, fetched.content) == (200, b"chapter one")


async def test_bodies_and_files_that_are_too_large(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    path = f"/channels/{general_of(sandbox)}/messages"
    large = {"files[0]": ("big.bin", b"x" * (10 * 1024 * 1024 + 1))}
    assert problem(await http.post(path, files=large)) == (400, 50045)
    headers = {"Content-Type": "application/json"}
    huge = b'{"content": "' + b"x" * (25 * 1024 * 1024) + b'"}'
    assert problem(await http.post(path, content=huge, headers=headers)) == (413, 40005)
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert problem(await http.post(path, content=b"no part at all", headers=broken)) == (400, 50035)
    many = {f"files[{n}]": ("f.txt", b"x") for n in range(11)}
    assert problem(await http.post(path, files=many)) == (400, 30015)


async def test_a_latency_switch_delays_only_its_route(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.trouble.add(RestTrouble(kind=RestKind.LATENCY, milliseconds=60, count=1, route="GET /users/@me"))
    await http.get("/users/@me")
    await http.get(f"/users/{seed.SAM}")
    slow, quick = list(sandbox.rest_log.calls)[-2:]
    assert slow.seconds >= 0.06
    assert (slow.trouble, quick.trouble) == (["latency"], [])
