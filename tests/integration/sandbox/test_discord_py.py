"""discord.py against the sandbox, through its ordinary public start-up: only the base address is another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import discord
import httpx
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from sandbox.instance import Sandbox
from sandbox.trouble import GatewayKind, GatewayTrouble, RestKind, RestTrouble
from sandbox.world import seed
from tests.fixtures.sandbox import AGENT, ServeSandbox

WaitUntil = Callable[..., Awaitable[Any]]


class Recording(discord.AutoShardedClient):
    """Writes down what it hears."""

    def __init__(self, **options: Any) -> None:
        intents = options.pop("intents", discord.Intents.all())
        super().__init__(intents=intents, **options)
        self.heard: list[int] = []
        self.texts: list[str] = []
        self.deleted: list[int] = []
        self.joined: list[int] = []
        self.resumes = 0
        self.audit: list[discord.AuditLogEntry] = []

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message.id)
        self.texts.append(message.content)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        self.deleted.append(payload.message_id)

    async def on_member_join(self, member: discord.Member) -> None:
        self.joined.append(member.id)

    async def on_audit_log_entry_create(self, entry: discord.AuditLogEntry) -> None:
        self.audit.append(entry)

    async def on_shard_resumed(self, shard_id: int) -> None:
        self.resumes += 1


class Impatient(Recording):
    """Identifies as fast as it can."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        pass


@contextlib.asynccontextmanager
async def started(client: discord.Client, sandbox: Sandbox) -> AsyncIterator[None]:
    running = asyncio.create_task(client.start(sandbox.world.application.token))
    ready = asyncio.create_task(client.wait_until_ready())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        yield
    finally:
        ready.cancel()
        await client.close()
        await asyncio.gather(running, ready, return_exceptions=True)


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sandbox], None]:
    def point(sandbox: Sandbox) -> None:
        monkeypatch.setattr(Route, "BASE", f"{sandbox.settings.http_url}/api/v10")
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.settings.gateway_url))

    return point


def channel_id(sandbox: Sandbox, name: str = "general", guild: int = 0) -> int:
    chosen = list(sandbox.world.guilds.values())[guild]
    return next(c.id for c in sandbox.world.guild_channels(chosen.id) if c.name == name)


@pytest.mark.timeout(90)
async def test_connects_hears_and_acts(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None], wait_until: WaitUntil
) -> None:
    async with serve_sandbox() as sandbox:
        point_at(sandbox)
        client = Recording(max_messages=None)
        world = sandbox.world
        general = channel_id(sandbox)
        async with started(client, sandbox):
            assert {g.name for g in client.guilds} == {g.name for g in world.guilds.values()}
            assert client.application_id == world.application.id

            posted = world.post_message(general, seed.JONAS, "hello from Jonas")
            await wait_until(lambda: posted.id in client.heard)

            channel = client.get_channel(general)
            assert isinstance(channel, discord.TextChannel)
            sent = await channel.send("hello back", embed=discord.Embed(title="A title"), silent=True)
            assert world.message(general, sent.id).content == "hello back"
            await sent.edit(content="changed")
            await sent.add_reaction("👍")
            await (await channel.fetch_message(posted.id)).delete()
            await wait_until(lambda: posted.id in client.deleted)

            member = channel.guild.get_member(seed.SAM)
            assert member is not None
            await member.timeout(discord.utils.utcnow() + timedelta(hours=1), reason="test run")
            await wait_until(
                lambda: any(e.action is discord.AuditLogAction.member_update for e in client.audit)
            )
            assert world.member(channel.guild.id, seed.SAM).timed_out_until_ms is not None

            world.join_member(channel.guild.id, seed.ROBIN)
            await wait_until(lambda: seed.ROBIN in client.joined)
            everybody = await channel.guild.chunk()
            assert seed.ROBIN in {m.id for m in everybody}

            robin = await client.fetch_user(seed.ROBIN)
            await robin.send("welcome!")
            assert world.history(world.open_dm(world.bot_id, seed.ROBIN).id)[-1].content == "welcome!"

            tree = discord.app_commands.CommandTree(client)
            tree.command(name="ping", description="Says pong")(_ping)
            assert [c.name for c in await tree.sync()] == ["ping"]
        assert not [c for c in sandbox.rest_log.calls if c.status >= 400]


async def _ping(interaction: discord.Interaction[Any]) -> None:
    raise AssertionError("nobody calls this")


@pytest.mark.timeout(90)
async def test_resumes_after_dropped_sockets_with_no_event_lost(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None], wait_until: WaitUntil
) -> None:
    async with serve_sandbox() as sandbox:
        point_at(sandbox)
        client = Recording(max_messages=None)
        general = channel_id(sandbox)
        async with started(client, sandbox):
            posted: list[int] = []
            for round_number in range(3):
                for number in range(40):
                    text = f"{round_number}/{number}"
                    posted.append(sandbox.world.post_message(general, seed.AIKO, text).id)
                    if number == 20:
                        sandbox.gateway.drop()
                    await asyncio.sleep(0)
                await wait_until(lambda: len(client.heard) >= len(posted))
            assert client.heard == posted
            assert sandbox.gateway.counts["identifies"] == 1
            assert sandbox.gateway.counts["resumes"] == client.resumes == 3


@pytest.mark.timeout(90)
async def test_obeys_reconnect_and_invalid_session(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None], wait_until: WaitUntil
) -> None:
    async with serve_sandbox(identify_window_seconds=0.1) as sandbox:
        point_at(sandbox)
        client = Impatient(max_messages=None)
        general = channel_id(sandbox)
        async with started(client, sandbox):
            counts = sandbox.gateway.counts
            sandbox.gateway.send_reconnect()
            await wait_until(lambda: counts["resumes"] == 1)
            sandbox.gateway.send_invalid_session(resumable=False)
            await wait_until(lambda: counts["identifies"] == 2)
            posted = sandbox.world.post_message(general, seed.AIKO, "still there?")
            await wait_until(lambda: posted.id in client.heard)


@pytest.mark.timeout(90)
async def test_waits_between_identifies(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None], wait_until: WaitUntil
) -> None:
    """max_concurrency 1 with Discord's own five seconds: discord.py never identifies too fast."""
    async with serve_sandbox(shards=2) as sandbox:
        point_at(sandbox)
        client = Recording(max_messages=None)
        async with started(client, sandbox):
            await wait_until(lambda: sandbox.gateway.counts["identifies"] == 2)
            assert sandbox.gateway.counts["identify_too_fast"] == 0
            shards = {row["shard"]: row["guilds"] for row in sandbox.gateway.table()}
            assert shards == {0: 2, 1: 1}
            mine = channel_id(sandbox, guild=1)
            posted = sandbox.world.post_message(mine, seed.SAM, "to the second shard")
            await wait_until(lambda: posted.id in client.heard)


@pytest.mark.timeout(90)
async def test_identifying_too_fast_is_refused_until_the_window_is_over(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None], wait_until: WaitUntil
) -> None:
    async with serve_sandbox(shards=2, identify_window_seconds=2.0) as sandbox:
        point_at(sandbox)
        client = Impatient(max_messages=None)
        async with started(client, sandbox):
            await wait_until(lambda: sandbox.gateway.counts["identifies"] == 2)
            assert sandbox.gateway.counts["identify_too_fast"] >= 1


async def test_trouble_reaches_the_client(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None], wait_until: WaitUntil
) -> None:
    async with serve_sandbox() as sandbox:
        point_at(sandbox)
        client = Recording(max_messages=None)
        general = channel_id(sandbox)
        async with started(client, sandbox):
            channel = client.get_channel(general)
            assert isinstance(channel, discord.TextChannel)
            sandbox.trouble.add(
                RestTrouble(kind=RestKind.RATE_LIMIT, count=2, retry_after=0.1, route="POST /channels/*")
            )
            sent = await channel.send("after two refusals")
            assert [c.status for c in sandbox.rest_log.calls][-3:] == [429, 429, 200]
            await wait_until(lambda: sent.id in client.heard)
            sandbox.trouble.add(GatewayTrouble(kind=GatewayKind.DUPLICATE, count=1, event="MESSAGE_CREATE"))
            twice = sandbox.world.post_message(general, seed.LENA, "twice")
            await wait_until(lambda: client.heard.count(twice.id) == 2)
            sandbox.trouble.add(
                GatewayTrouble(kind=GatewayKind.OUT_OF_ORDER, count=1, event="MESSAGE_CREATE")
            )
            late = sandbox.world.post_message(general, seed.LENA, "late")
            early = sandbox.world.post_message(general, seed.LENA, "early")
            await wait_until(lambda: client.heard[-2:] == [early.id, late.id])


async def test_disallowed_intents_close_with_4014(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None]
) -> None:
    async with serve_sandbox() as sandbox:
        point_at(sandbox)
        sandbox.world.application.flags = 0
        client = Recording(max_messages=None)
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with started(client, sandbox):
                pass


async def test_wrong_token_is_refused(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None]
) -> None:
    async with serve_sandbox() as sandbox:
        point_at(sandbox)
        client = Recording(max_messages=None)
        with pytest.raises(discord.LoginFailure):
            await client.start("not.the.token")
        await client.close()


async def test_discord_py_keeps_to_the_limits_it_is_told(
    serve_sandbox: ServeSandbox, point_at: Callable[[Sandbox], None]
) -> None:
    """Twelve deletions at five a second: its HTTP client waits by the headers and is never refused."""
    async with serve_sandbox() as sandbox:
        point_at(sandbox)
        general = channel_id(sandbox)
        ids = [sandbox.world.post_message(general, seed.SAM, str(n)).id for n in range(12)]
        client = discord.Client(intents=discord.Intents.none())
        async with client:
            await client.login(sandbox.world.application.token)
            await asyncio.gather(*(client.http.delete_message(general, message_id) for message_id in ids))
        statuses = [c.status for c in sandbox.rest_log.calls if c.method == "DELETE"]
        assert statuses == [204] * 12


async def test_a_plain_http_client_gets_along_with_429s(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        general = channel_id(sandbox)
        ids = [sandbox.world.post_message(general, seed.SAM, str(n)).id for n in range(8)]
        headers = {"Authorization": f"Bot {sandbox.world.application.token}", "User-Agent": AGENT}
        refusals = 0
        async with httpx.AsyncClient(
            base_url=f"{sandbox.settings.http_url}/api/v10", headers=headers
        ) as http:
            for message_id in ids:
                while True:
                    answer = await http.delete(f"/channels/{general}/messages/{message_id}")
                    if answer.status_code != 429:
                        break
                    refusals += 1
                    assert float(answer.headers["X-RateLimit-Reset-After"]) <= 1.0
                    await asyncio.sleep(answer.json()["retry_after"])
                assert answer.status_code == 204
        assert refusals >= 1
        assert not {m.id for m in sandbox.world.history(general)} & set(ids)
