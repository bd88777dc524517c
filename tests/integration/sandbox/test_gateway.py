"""The gateway's protocol, spoken by a bare WebSocket client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import websockets

from sandbox.gateway.load import emit_burst
from sandbox.trouble import BrokenForm, GatewayKind, GatewayTrouble
from sandbox.world import Overwrite, Permission, seed
from tests.fixtures.sandbox import ServeSandbox
from tests.integration.sandbox.gateway_socket import (
    CHAT,
    I,
    Json,
    general_of,
    identify,
    identity,
    open_socket,
    ready,
    resume,
)


async def test_ready_and_backfill(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        socket = await identify(sandbox)
        payload = await socket.until("READY")
        data = payload["d"]
        assert payload["s"] == 1
        assert data["v"] == 10
        assert data["shard"] == [0, 1]
        assert data["user"]["id"] == str(sandbox.world.bot_id)
        assert data["application"]["id"] == str(sandbox.world.application.id)
        assert data["resume_gateway_url"].startswith("ws://127.0.0.1:")
        assert [g["unavailable"] for g in data["guilds"]] == [True] * 3
        guilds = await socket.take("GUILD_CREATE", 3)
        assert {g["id"] for g in guilds} == {g["id"] for g in data["guilds"]}
        assert [m["user"]["id"] for m in guilds[0]["members"]] == [str(sandbox.world.bot_id)]
        assert guilds[0]["member_count"] == 9
        assert {c["name"] for c in guilds[0]["channels"]} >= {"general", "mod-log", "Voice"}


@pytest.mark.parametrize(
    "query", ["v=10&encoding=json&compress=zlib-stream", "v=10&compress=zstd-stream", "v=9"]
)
async def test_compression(serve_sandbox: ServeSandbox, query: str) -> None:
    async with serve_sandbox() as sandbox:
        socket = await identify(sandbox, query=query, compress="stream" not in query)
        await socket.until("READY")
        await socket.take("GUILD_CREATE", 3)
        for number in range(20):
            sandbox.world.post_message(general_of(sandbox), seed.SAM, f"message {number} " * 20)
        texts = [d["content"] for d in await socket.take("MESSAGE_CREATE", 20)]
        assert texts == [(f"message {number} " * 20) for number in range(20)]


async def test_heartbeats(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(heartbeat_interval_ms=300) as sandbox:
        socket = await open_socket(sandbox)
        hello = await socket.receive()
        assert hello["d"]["heartbeat_interval"] == 300
        await socket.send(1, None)
        assert (await socket.receive())["op"] == 11
        assert await socket.code() == 4009


@pytest.mark.parametrize(
    ("op", "data", "code"),
    [
        (99, None, 4001),
        (0, {}, 4001),
        (2, None, 4002),
        (2, {"token": "x"}, 4002),
        (1, "soon", 4002),
        (8, {"guild_id": "1"}, 4003),
        (3, {}, 4003),
    ],
)
async def test_refused_before_identifying(serve_sandbox: ServeSandbox, op: int, data: Any, code: int) -> None:
    async with serve_sandbox() as sandbox:
        socket = await open_socket(sandbox)
        await socket.send(op, data)
        assert await socket.code() == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": 1 << 40}, 4013),
        ({"intents": "all"}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"shard": [-1, 2]}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_refused_identify(serve_sandbox: ServeSandbox, fields: Json, code: int) -> None:
    async with serve_sandbox() as sandbox:
        socket = await open_socket(sandbox)
        await socket.send(2, identity(sandbox) | fields)
        assert await socket.code() == code
        assert sandbox.gateway.limits.remaining == 1000


async def test_other_close_codes(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(guilds_per_shard=2, payloads_per_minute=10) as sandbox:
        bad = await open_socket(sandbox)
        await bad.connection.send("{not json")
        assert await bad.code() == 4002
        large = await open_socket(sandbox)
        await large.send(1, "x" * 5000)
        assert await large.code() == 4002
        assert await (await open_socket(sandbox, "v=6")).code() == 4012
        assert await (await identify(sandbox)).code() == 4011
        twice = await identify(sandbox, shard=[0, 2])
        await twice.until("READY")
        await twice.send(2, identity(sandbox, shard=[0, 2]))
        assert await twice.code() == 4005
        eager = await open_socket(sandbox)
        for _ in range(11):
            await eager.send(1, None)
        assert await eager.code() == 4008
        sandbox.world.application.flags = 0
        assert await (await identify(sandbox, shard=[1, 2])).code() == 4014


async def test_resume_replays_in_order(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        socket = await ready(sandbox)
        seen = sandbox.world.post_message(general_of(sandbox), seed.SAM, "seen")
        await socket.until("MESSAGE_CREATE")
        sandbox.gateway.drop()
        assert await socket.code() is None
        missed = [sandbox.world.post_message(general_of(sandbox), seed.SAM, str(n)).id for n in range(5)]
        again = await resume(sandbox, socket)
        replayed = [await again.receive() for _ in range(5)]
        assert [int(p["d"]["id"]) for p in replayed] == missed
        assert [p["s"] for p in replayed] == list(range(replayed[0]["s"], replayed[0]["s"] + 5))
        assert (await again.receive())["t"] == "RESUMED"
        assert seen.id not in missed
        await again.connection.close(4000)
        third = await resume(sandbox, again)
        assert (await third.receive())["t"] == "RESUMED"
        assert sandbox.gateway.limits.remaining == 999


async def test_resume_that_fails(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(identify_window_seconds=0.0) as sandbox:
        first = await ready(sandbox)
        await first.connection.close(1000)
        lost = await resume(sandbox, first)
        answer = await lost.receive()
        assert (answer["op"], answer["d"]) == (9, False)
        second = await ready(sandbox)
        await second.connection.close(4000)
        ahead = await resume(sandbox, second, seq=999)
        assert await ahead.code() == 4007
        third = await ready(sandbox)
        await third.connection.close(4000)
        assert await (await resume(sandbox, third, token="wrong")).code() == 4004


async def test_session_is_kept_for_a_while_only(
    serve_sandbox: ServeSandbox, wait_until: Callable[..., Any]
) -> None:
    async with serve_sandbox(session_keep_seconds=0.05) as sandbox:
        socket = await ready(sandbox)
        await socket.connection.close(4000)
        await wait_until(lambda: not sandbox.gateway.sessions)
        assert (await (await resume(sandbox, socket)).receive())["op"] == 9


async def test_replay_buffer_has_an_end(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(replay_events=3) as sandbox:
        socket = await ready(sandbox)
        sandbox.gateway.drop()
        await socket.code()
        for number in range(4):
            sandbox.world.post_message(general_of(sandbox), seed.SAM, str(number))
        assert (await (await resume(sandbox, socket)).receive())["op"] == 9


async def test_start_limits(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(max_concurrency=2, identify_limit=3) as sandbox:
        await ready(sandbox, shard=[0, 4])
        await ready(sandbox, shard=[1, 4])
        fast = await identify(sandbox, shard=[2, 4])  # 2 % 2 is used up for five seconds
        answer = await fast.receive()
        assert (answer["op"], answer["d"]) == (9, False)
        assert sandbox.gateway.limits.session_start_limit()["remaining"] == 1
        sandbox.gateway.limits._last.clear()
        await ready(sandbox, shard=[2, 4])
        sandbox.gateway.limits._last.clear()
        token = sandbox.world.application.token
        over = await identify(sandbox, shard=[3, 4])
        assert await over.code() == 4004
        assert sandbox.gateway.sessions == {}
        assert sandbox.world.application.token != token


async def test_intents_shards_and_visibility(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(identify_window_seconds=0.0) as sandbox:
        world = sandbox.world
        zero = await ready(sandbox, shard=[0, 2])
        one = await ready(sandbox, shard=[1, 2])
        few = await ready(sandbox, intents=I.GUILDS, shard=[0, 2])
        world.post_message(general_of(sandbox, 1), seed.SAM, "for shard one")
        hidden = general_of(sandbox)
        guild = next(iter(world.guilds))
        world.set_overwrite(hidden, Overwrite(world.bot_id, 1, deny=int(Permission.VIEW_CHANNEL)))
        world.post_message(hidden, seed.SAM, "the bot cannot see this")
        dm = world.open_dm(seed.SAM, world.bot_id)
        world.post_message(dm.id, seed.SAM, "direct messages go to shard zero")
        world.kick_member(guild, seed.LENA, actor=seed.MAYA)
        assert (await one.until("MESSAGE_CREATE"))["d"]["content"] == "for shard one"
        heard = await zero.until("MESSAGE_CREATE")
        assert heard["d"]["content"] == "direct messages go to shard zero"
        assert "guild_id" not in heard["d"]
        assert (await zero.until("GUILD_MEMBER_REMOVE"))["d"]["user"]["id"] == str(seed.LENA)
        entry = (await zero.until("GUILD_AUDIT_LOG_ENTRY_CREATE"))["d"]
        assert (entry["action_type"], entry["guild_id"]) == (20, str(guild))
        world.create_channel(guild, "news")
        assert (await few.receive())["t"] in {"CHANNEL_UPDATE", "CHANNEL_CREATE"}


async def test_content_needs_its_intent(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        world, general = sandbox.world, general_of(sandbox)
        socket = await ready(sandbox, intents=CHAT & ~I.MESSAGE_CONTENT)
        secret = world.post_message(general, seed.SAM, "secret", embeds=[{"type": "rich", "title": "x"}])
        world.post_message(
            general, seed.SAM, f"hello <@{world.bot_id}>", reference=world.reference_to(secret)
        )
        world.post_message(general, world.bot_id, "mine")
        hidden, mentioned, own = await socket.take("MESSAGE_CREATE", 3)
        assert (hidden["content"], hidden["embeds"]) == ("", [])
        assert mentioned["content"].startswith("hello")
        assert mentioned["referenced_message"]["content"] == ""
        assert own["content"] == "mine"


async def test_removal_and_outage(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        socket = await ready(sandbox)
        guild = next(iter(sandbox.world.guilds))
        sandbox.world.set_guild_available(guild, available=False)
        assert (await socket.until("GUILD_DELETE"))["d"] == {"id": str(guild), "unavailable": True}
        sandbox.world.post_message(general_of(sandbox), seed.SAM, "nobody hears this")
        sandbox.world.set_guild_available(guild, available=True)
        back = await socket.receive()
        assert (back["t"], back["d"]["id"]) == ("GUILD_CREATE", str(guild))
        sandbox.world.leave_member(guild, sandbox.world.bot_id)
        assert (await socket.until("GUILD_DELETE"))["d"] == {"id": str(guild)}
        sandbox.world.join_member(guild, sandbox.world.bot_id)
        assert (await socket.until("GUILD_CREATE"))["d"]["id"] == str(guild)


async def test_request_members(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        guild = next(iter(sandbox.world.guilds))
        for number in range(1500):
            user = sandbox.world.create_user(f"extra{number}")
            sandbox.world.join_member(guild, user.id, quietly=True)
        socket = await ready(sandbox)
        everybody = {"guild_id": str(guild), "query": "", "limit": 0, "nonce": "all"}
        await socket.send(8, everybody)
        chunks = await socket.take("GUILD_MEMBERS_CHUNK", 2)
        assert [(c["chunk_index"], c["chunk_count"], c["nonce"]) for c in chunks] == [
            (0, 2, "all"),
            (1, 2, "all"),
        ]
        assert [len(c["members"]) for c in chunks] == [1000, 509]
        await socket.send(8, everybody)
        limited = (await socket.until("RATE_LIMITED"))["d"]
        assert (limited["opcode"], limited["meta"]) == (8, {"guild_id": str(guild), "nonce": "all"})
        assert 0 < limited["retry_after"] <= 30
        await socket.send(8, {"guild_id": str(guild), "user_ids": [str(seed.SAM), "1"]})
        some = (await socket.until("GUILD_MEMBERS_CHUNK"))["d"]
        assert [m["user"]["id"] for m in some["members"]] == [str(seed.SAM)]
        assert some["not_found"] == ["1"]
        await socket.send(8, {"guild_id": str(guild), "query": "le", "limit": 5})
        named_le = (await socket.until("GUILD_MEMBERS_CHUNK"))["d"]
        assert [m["user"]["username"] for m in named_le["members"]] == ["lena"]


async def test_trouble(serve_sandbox: ServeSandbox, wait_until: Callable[..., Any]) -> None:
    async with serve_sandbox(identify_window_seconds=0.0) as sandbox:
        general = general_of(sandbox)

        def switch(kind: GatewayKind, **fields: Any) -> None:
            sandbox.trouble.add(GatewayTrouble(kind=kind, **{"count": 1, **fields}))

        switch(GatewayKind.REFUSE_CONNECT)
        with pytest.raises(websockets.InvalidStatus):
            await open_socket(sandbox)
        switch(GatewayKind.OP7_BEFORE_HELLO)
        early = await open_socket(sandbox)
        assert [(await early.receive())["op"] for _ in range(2)] == [7, 10]
        switch(GatewayKind.INVALID_SESSION)
        assert (await (await identify(sandbox)).receive())["op"] == 9

        socket = await ready(sandbox)
        switch(GatewayKind.HUGE, event="MESSAGE_CREATE", kilobytes=64)
        sandbox.world.post_message(general, seed.SAM, "large")
        assert len((await socket.until("MESSAGE_CREATE"))["d"]["padding"]) == 64 * 1024
        switch(GatewayKind.DELAY, event="MESSAGE_CREATE", milliseconds=50)
        for number in range(3):
            sandbox.world.post_message(general, seed.SAM, str(number))
        assert [d["content"] for d in await socket.take("MESSAGE_CREATE", 3)] == ["0", "1", "2"]
        switch(GatewayKind.MALFORMED, event="MESSAGE_CREATE")
        sandbox.world.post_message(general, seed.SAM, "broken on the wire")
        with pytest.raises(orjson.JSONDecodeError):
            await socket.receive()
        await socket.connection.close(4002)
        again = await resume(sandbox, socket)
        assert (await again.receive())["d"]["content"] == "broken on the wire"
        await again.until("RESUMED")

        switch(GatewayKind.NO_ACK)
        await again.send(1, again.seq)
        await wait_until(lambda: sandbox.gateway.table()[0]["zombie"])
        sandbox.world.post_message(general, seed.SAM, "said while the socket was dead")
        with pytest.raises(TimeoutError):  # not even the acknowledgement
            await asyncio.wait_for(again.receive(), 0.2)
        alive = await resume(sandbox, again)
        assert (await alive.receive())["d"]["content"] == "said while the socket was dead"
        assert sandbox.gateway.close(4000) >= 1
        assert await alive.code() == 4000


@pytest.mark.parametrize("form", list(BrokenForm))
async def test_broken_frames(serve_sandbox: ServeSandbox, form: BrokenForm) -> None:
    async with serve_sandbox() as sandbox:
        socket = await ready(sandbox, query="v=10&encoding=json&compress=zlib-stream")
        sandbox.trouble.add(GatewayTrouble(kind=GatewayKind.MALFORMED, form=form, lasting=True, count=1))
        sandbox.world.post_message(general_of(sandbox), seed.SAM, "broken on the wire")
        if form is BrokenForm.SHAPE:
            assert (await socket.receive())["d"] == []
            assert socket.seq is not None
            socket.seq -= 1
        else:
            raw = await socket.connection.recv()
            assert isinstance(raw, str) == (form is BrokenForm.TEXT)
            assert (raw[-4:] == b"\x00\x00\xff\xff") == (form is BrokenForm.JSON)
        await socket.connection.close(4002)
        again = await resume(sandbox, socket)
        with pytest.raises(orjson.JSONDecodeError):
            await again.receive()
        await again.until("RESUMED")


async def test_slow_acknowledgements_and_refused_sessions(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox(identify_window_seconds=0.0) as sandbox:
        sandbox.trouble.add(GatewayTrouble(kind=GatewayKind.REFUSE_SESSION, code=4013, count=1))
        assert await (await identify(sandbox)).code() == 4013
        socket = await ready(sandbox)
        sandbox.trouble.add(GatewayTrouble(kind=GatewayKind.SLOW_ACK, milliseconds=50, count=1))
        await socket.send(1, socket.seq)
        sandbox.world.post_message(general_of(sandbox), seed.SAM, "faster than the acknowledgement")
        assert (await socket.receive())["t"] == "MESSAGE_CREATE"
        assert (await socket.receive())["op"] == 11
        await socket.connection.close(4000)
        sandbox.trouble.add(GatewayTrouble(kind=GatewayKind.REFUSE_SESSION, code=4008, count=1))
        assert await (await resume(sandbox, socket)).code() == 4008
        assert (await (await resume(sandbox, socket)).receive())["t"] == "RESUMED"


async def test_inspection(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        socket = await ready(sandbox)
        await socket.send(1, socket.seq)
        while (await socket.receive())["op"] != 11:
            pass
        overview = sandbox.gateway.overview()
        row = overview["sessions"][0]
        assert (row["shard"], row["connected"], row["seq"], row["last_heartbeat_seq"]) == (0, True, 4, 4)
        assert "GUILD_MESSAGES" in row["intent_names"]
        assert [n["what"] for n in overview["notes"]] == ["connect", "identify"]
        assert overview["counts"]["identifies"] == 1


async def test_load_arrives_complete_and_in_order(serve_sandbox: ServeSandbox) -> None:
    async with serve_sandbox() as sandbox:
        socket = await ready(sandbox)
        emitting = asyncio.create_task(emit_burst(sandbox.world, 600, 0))
        ids = [int(d["id"]) for d in await socket.take("MESSAGE_CREATE", 600)]
        burst = await emitting
        assert ids == sorted(set(ids))
        assert (burst.posted, burst.first_id, burst.last_id) == (600, ids[0], ids[-1])
