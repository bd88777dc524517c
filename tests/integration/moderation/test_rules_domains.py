"""Domain lists: imported from files and URLs, used by rules, and never a way into our own network."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from app.errors import UserError
from app.features.moderation.models import Severity
from app.features.moderation.rules.domains.fetching import CannotFetch, check_url, fetch, is_public
from app.features.moderation.rules.domains.lists import DomainLists
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.engine import Rules
from app.snowflake import UserId
from tests.fixtures.moderation import ADMIN, House
from tests.integration.moderation.test_rules import written

HOSTS_FILE = (
    "# remark\n0.0.0.0 evil.example\n||ads.example^\n*.below.example\nnonsense\n127.0.0.1 localhost\n"
)


@pytest.fixture
async def files() -> AsyncIterator[str]:
    """A server with lists; its URL."""

    async def plain(_request: web.Request) -> web.Response:
        return web.Response(text=HOSTS_FILE)

    async def large(_request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(_request)
        for _ in range(64):
            await response.write(b"a" * 65536)
        return response

    async def elsewhere(_request: web.Request) -> web.Response:
        raise web.HTTPFound("https://127.0.0.1/secret")

    app = web.Application()
    app.router.add_get("/list", plain)
    app.router.add_get("/large", large)
    app.router.add_get("/away", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    await runner.cleanup()


class Answers(AbstractResolver):
    """A name server that says what it is told."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [
            {"hostname": host, "host": one, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for one in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "fe80::1%eth0",
     "fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "224.0.0.1", "nonsense"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


def test_public_addresses() -> None:
    assert is_public("1.1.1.1") and is_public("2606:4700::1111")


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "ftp://example.org", "https://", "https://u:p@example.org", "https://127.0.0.1/",
     "https://[::1]/", "https://10.0.0.8", "file:///etc/passwd", "https://[bad"],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(CannotFetch):
        check_url(url)


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("169.254.169.254",)])
async def test_a_name_that_leads_inside_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(CannotFetch) as refused:
        await fetch("https://innocent.example/list", resolver=Answers(*addresses))
    assert "public" in refused.value.text.message


async def test_a_file_that_is_too_large_stops_under_way(files: str) -> None:
    with pytest.raises(CannotFetch) as refused:
        await fetch(f"{files}/large", trusted=True, max_bytes=1 << 20)
    assert "larger" in refused.value.text.message


async def test_an_unreachable_or_missing_file(files: str) -> None:
    with pytest.raises(CannotFetch):
        await fetch(f"{files}/nothing", trusted=True)
    with pytest.raises(CannotFetch):
        await fetch("http://127.0.0.1:1/", trusted=True)


async def test_importing_a_list_and_using_it(house: House, files: str) -> None:
    arguments = {"name": "ads", "url": f"{files}/list", "source": "list.txt", "trusted": True}
    reply = await house.job("moderation.import_domains", by=ADMIN, **arguments)
    assert reply.content.count == 3
    editing = house.service(RuleEditing)
    await editing.put(
        house.guild, "links", "l", {"lists": ["ads"]}, severity=Severity.DELETE, by=UserId(ADMIN)
    )
    rules = house.service(Rules)

    async def hits(text: str) -> int:
        return len(await rules.judge_message(written(house, text), house.now()))

    assert [
        await hits(f"see {host}")
        for host in ("evil.example", "x.ads.example", "below.example", "a.below.example", "fine.example")
    ] == [1, 1, 0, 1, 0]
    await house.service(DomainLists).replace(
        house.guild, "ads", ["fine.example"], source="x", by=UserId(ADMIN)
    )
    assert [await hits(f"see {host}") for host in ("evil.example", "fine.example")] == [0, 1]
    with pytest.raises(UserError):
        await house.service(DomainLists).remove(house.guild, "ads", by=UserId(ADMIN))
    await editing.remove(house.guild, "l", by=UserId(ADMIN))
    await house.service(DomainLists).remove(house.guild, "ads", by=UserId(ADMIN))
    assert await house.service(DomainLists).all(house.guild) == []


async def test_a_hundred_thousand_domains(house: House) -> None:
    lists = house.service(DomainLists)
    count = await lists.replace(
        house.guild, "big", (f"site{n}.example" for n in range(100_000)), source="x", by=UserId(ADMIN)
    )
    assert count == 100_000
    await house.service(RuleEditing).put(
        house.guild, "links", "l", {"lists": ["big"]}, severity=Severity.DELETE, by=UserId(ADMIN)
    )
    rules = house.service(Rules)
    assert await rules.judge_message(written(house, "a.site99999.example"), house.now())
    assert not await rules.judge_message(written(house, "site100000.example"), house.now())


async def test_the_command_checks_before_it_defers(house: House) -> None:
    async def run(**options: Any) -> dict[str, Any]:
        return await house.run("rule domains import", options, by=ADMIN)

    assert "either" in (await run(name="x"))["data"]["content"]
    assert "https" in (await run(name="x", url="http://example.org"))["data"]["content"]
    assert "public" in (await run(name="x", url="https://192.168.0.1/list"))["data"]["content"]
    assert (await house.run("rule domains list", by=ADMIN))["data"]["content"].startswith("There are no")
