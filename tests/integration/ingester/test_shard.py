"""One shard against a gateway that misbehaves on command, and a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis.client import open_redis
from app.events.envelope import PARTITIONS, Envelope, stream_name
from app.events.wanted import wanted_intents
from ingester import discord_gateway, keys
from ingester.discord_gateway import open_gateway_client
from ingester.floor import Floor, ShardStopped
from ingester.gateway_bot import StartLimit, ask_gateway_bot
from ingester.identify import IdentifySlots
from ingester.leases import Leases
from ingester.publisher import Publisher
from ingester.shard import Shard
from tests.fixtures.gateway import TOKEN, ScriptedGateway
from tests.fixtures.redis import OwnRedis

WaitUntil = Callable[..., Awaitable[Any]]


class Running:
    """A shard that runs, and what it has published."""

    def __init__(self, shard: Shard, task: asyncio.Task[None], publisher: Publisher, redis: Redis) -> None:
        self.shard = shard
        self.task = task
        self.publisher = publisher
        self.redis = redis

    async def entries(self, name: str = "MESSAGE_CREATE") -> list[Envelope]:
        """Everything in the streams, one stream after the other."""
        found = [
            Envelope.from_fields(fields)
            for partition in range(PARTITIONS)
            for _, fields in await self.redis.xrange(stream_name(partition))
        ]
        return [envelope for envelope in found if envelope.type == name]

    async def ids(self) -> list[int]:
        return sorted(int(envelope.json()["id"]) for envelope in await self.entries())


@asynccontextmanager
async def run_shard(
    gateway: ScriptedGateway, url: str, *, instance: str = "a", number: int = 0, total: int = 1, **limits: int
) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(url))
        client = await stack.enter_async_context(
            open_gateway_client(TOKEN, gateway.api_base, intents=wanted_intents(), total=total)
        )

        async def ask() -> StartLimit:
            return (await ask_gateway_bot(gateway.api_base, TOKEN)).limit

        publisher = Publisher(url, **limits)
        publishing = asyncio.create_task(publisher.run())
        await client.login()
        floor = Floor(
            client,
            Leases(redis, instance, "0", total),
            IdentifySlots(redis, total, gateway.max_concurrency, ask),
            publisher,
            total,
            f"ws://127.0.0.1:{gateway.port}/",
        )
        shard = Shard(number, floor)
        task = asyncio.create_task(shard.run())
        try:
            yield Running(shard, task, publisher, redis)
        finally:
            shard.release()
            with suppress(ShardStopped):
                await asyncio.wait_for(task, 20)
            publishing.cancel()
            await asyncio.wait([publishing])


@pytest.fixture
async def running(gateway: ScriptedGateway, redis_url: str, wait_until: WaitUntil) -> AsyncIterator[Running]:
    async with run_shard(gateway, redis_url) as found:
        await wait_until(lambda: found.shard.status == "ready" and len(found.shard.guilds) == 8)
        yield found


async def all_arrive(running: Running, sent: list[int], wait_until: WaitUntil) -> None:
    async def arrived() -> bool:
        try:
            return await running.ids() == sorted(sent)
        except RedisError:
            return False  # the test restarts Redis

    await wait_until(arrived, what=f"{len(sent)} messages, each once")


async def test_dispatches_reach_the_streams_as_discord_sent_them(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    sent = [await gateway.message() for _ in range(20)]
    await all_arrive(running, sent, wait_until)
    entries = await running.entries()
    for guild in gateway.guilds:
        order = [e.sequence for e in entries if e.guild_id == guild]
        assert order == sorted(order)
    session = gateway.connected()[0]
    frames = dict(session.sent)
    for envelope in entries:
        assert envelope.payload in frames[envelope.sequence]
        assert (envelope.session, envelope.shard) == (session.id, 0)
        assert envelope.guild_id == int(envelope.json()["guild_id"])
    assert len(await running.entries("GUILD_CREATE")) == 8
    assert gateway.did("identify")[0]["intents"] == wanted_intents()
    assert gateway.did("connect")[0]["query"]["compress"] == "zstd-stream"


async def test_unwanted_dispatches_are_not_forwarded_but_their_sequence_is_kept(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    last = await gateway.dispatch(gateway.connected()[0], "TYPING_START", {"guild_id": "1"})

    async def kept() -> bool:
        return int(await running.redis.hget(keys.session(1, 0), "seq")) == last

    await wait_until(kept)
    assert not await running.entries("TYPING_START")


async def test_a_frame_in_another_key_order_is_understood(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    session = gateway.connected()[0]
    session.sequence += 1
    frame = (
        b'{"op":0,"d":{"id":"5","guild_id":"4194304","x":"}"},"s":%d,"t":"MESSAGE_CREATE"}' % session.sequence
    )
    assert session.socket is not None
    await session.socket.send_raw(frame)
    await all_arrive(running, [5], wait_until)
    assert (await running.entries())[0].payload == b'{"id":"5","guild_id":"4194304","x":"}"}'


@pytest.mark.parametrize("code", [None, 1000, 1001, 4000, 4001, 4002, 4003, 4005, 4008, 4999])
async def test_these_ends_of_a_connection_are_resumed(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil, code: int | None
) -> None:
    await gateway.close(code)
    sent = [await gateway.message() for _ in range(10)]
    await all_arrive(running, sent, wait_until)
    assert len(gateway.did("identify")) == 1
    assert len(gateway.did("resume", accepted=True)) == 1
    assert gateway.did("connect")[-1]["path"].startswith("/resume/")


@pytest.mark.parametrize("code", [4007, 4009])
async def test_these_close_codes_need_a_new_session(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil, code: int
) -> None:
    gateway.window = 0
    await running.redis.delete(keys.identify_slot(0))
    await gateway.close(code, kill_session=True)
    await wait_until(lambda: len(gateway.connected()) == 1 and len(gateway.did("identify")) == 2)
    sent = [await gateway.message()]
    await all_arrive(running, sent, wait_until)
    assert not gateway.did("resume")


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4012, 4013, 4014])
async def test_these_close_codes_end_the_shard(gateway: ScriptedGateway, running: Running, code: int) -> None:
    await gateway.close(code)
    with pytest.raises(ShardStopped) as stopped:
        await asyncio.wait_for(running.task, 20)
    assert stopped.value.code == code
    assert len(gateway.did("identify")) == 1


async def test_a_server_that_cannot_resume_gets_a_new_session(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    gateway.window, gateway.resume_code = 0, 1000
    gateway.refuse_connections = 2  # as when the resume address is no address at all
    await running.redis.delete(keys.identify_slot(0))
    await gateway.close(None, kill_session=True)
    await wait_until(lambda: len(gateway.did("identify")) == 2 and gateway.connected())
    assert len(gateway.did("resume")) == 2
    assert [event["path"] for event in gateway.did("connect")] == ["/"] * 4, "the front door all the time"
    await all_arrive(running, [await gateway.message()], wait_until)


async def test_reconnect_is_obeyed(gateway: ScriptedGateway, running: Running, wait_until: WaitUntil) -> None:
    await gateway.sockets[0].send(7)
    sent = [await gateway.message() for _ in range(3)]
    await wait_until(lambda: gateway.did("resume", accepted=True))
    await all_arrive(running, sent, wait_until)
    assert gateway.did("closed")[0]["code"] == 4000


async def test_an_invalid_session_that_may_be_resumed_is_resumed(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    await gateway.sockets[0].send(9, True)
    sent = [await gateway.message()]
    await all_arrive(running, sent, wait_until)
    assert len(gateway.did("identify")) == 1


async def test_an_invalid_session_is_replaced(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    gateway.window = 0
    await running.redis.delete(keys.identify_slot(0))
    gateway.connected()[0].dead = True
    await gateway.sockets[0].send(9, False)
    await wait_until(lambda: len(gateway.did("identify")) == 2 and gateway.connected())
    await all_arrive(running, [await gateway.message()], wait_until)


async def test_a_zombie_is_closed_and_resumed_however_long_it_was_silent(
    gateway: ScriptedGateway, redis_url: str, wait_until: WaitUntil
) -> None:
    gateway.heartbeat_ms = 200
    async with run_shard(gateway, redis_url) as running:
        await wait_until(lambda: len(gateway.did("heartbeat")) >= 3)
        gateway.sockets[0].mute = True
        assert running.shard.socket is not None
        running.shard.socket.received_at -= 82  # two beats of 41 s
        await wait_until(lambda: gateway.did("closed"))
        assert gateway.did("closed")[0]["code"] == 4000
        await wait_until(lambda: gateway.did("resume", accepted=True))
        await all_arrive(running, [await gateway.message()], wait_until)


async def test_a_fast_acknowledgement_is_not_measured_from_the_beat_before(
    gateway: ScriptedGateway, redis_url: str, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = DiscordWebSocket.send_heartbeat

    async def send_and_be_slow_to_say_so(socket: DiscordWebSocket, data: Any) -> None:
        await send(socket, data)
        await asyncio.sleep(0.1)

    monkeypatch.setattr(DiscordWebSocket, "send_heartbeat", send_and_be_slow_to_say_so)
    gateway.heartbeat_ms = 300
    async with run_shard(gateway, redis_url) as running:
        await wait_until(lambda: len(gateway.did("heartbeat")) >= 4)
        await wait_until(lambda: (running.shard.latency_ms or 1000) < 200, seconds=10)


async def test_a_silent_server_that_does_not_close_either_is_left(
    gateway: ScriptedGateway, redis_url: str, wait_until: WaitUntil
) -> None:
    gateway.heartbeat_ms = 200
    async with run_shard(gateway, redis_url) as running:
        await wait_until(lambda: running.shard.status == "ready")
        gateway.sockets[0].mute = True
        sent = [await gateway.message() for _ in range(5)]
        await all_arrive(running, sent, wait_until)


@pytest.mark.parametrize(
    "frame",
    [
        b"no json",
        b"[]",
        b'{"op":0}',
        b'{"op":"x"}',
        b'{"t":"MESSAGE_CREATE","s":5,"op":0,"d":{"id":}}',
        b'{"t":"MESSAGE_CREATE","s":5,"op":0,"d":[]}',
        b'{"t":"MESSAGE_CREATE","s":null,"op":0,"d":{}}',
        b'{"op":10,"d":null}',
        b'{"op":9,"d":',
        b'{"t":"READY","s":5,"op":0,"d":{}}',
        b"\xff\xfe{}",
    ],
)
async def test_a_malformed_frame_leads_to_one_resume_not_to_a_crash(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil, frame: bytes
) -> None:
    await gateway.sockets[0].send_raw(frame)
    await wait_until(lambda: gateway.did("resume", accepted=True))
    await all_arrive(running, [await gateway.message()], wait_until)
    assert len(gateway.did("identify")) == 1


async def test_a_frame_that_stays_malformed_is_skipped_and_counted(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    session = gateway.connected()[0]
    before = await gateway.message()
    session.sequence += 1
    bad = b'{"t":"MESSAGE_CREATE","s":%d,"op":0,"d":{"id":}}' % session.sequence
    session.sent.append((session.sequence, bad))
    assert session.socket is not None
    await session.socket.send_raw(bad)
    sent = [before, *[await gateway.message() for _ in range(3)]]
    await all_arrive(running, sent, wait_until)
    assert len(gateway.did("resume", accepted=True)) == 2
    # The next one is asked for again: only its first sending was malformed.
    session.sequence += 1
    sound = b'{"t":"MESSAGE_CREATE","s":%d,"op":0,"d":{"id":"5","guild_id":"4194304"}}' % session.sequence
    session.sent.append((session.sequence, sound))
    await session.socket.send_raw(bad)
    await all_arrive(running, [5, *sent], wait_until)


async def test_a_broken_compression_stream_is_resumed(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    await gateway.sockets[0].ws.send_bytes(b"\x28\xb5\x2f\xfd garbage")
    sent = [await gateway.message() for _ in range(3)]
    await all_arrive(running, sent, wait_until)
    assert len(gateway.did("identify")) == 1


async def test_a_huge_payload_passes(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    sent = [await gateway.message(content="x" * 20_000_000), await gateway.message()]
    await all_arrive(running, sent, wait_until)


async def test_the_next_process_resumes_the_stored_session(
    gateway: ScriptedGateway, redis_url: str, wait_until: WaitUntil
) -> None:
    sent = []
    for _ in range(3):
        async with run_shard(gateway, redis_url) as running:
            await wait_until(lambda r=running: r.shard.status == "ready")
            sent += [await gateway.message() for _ in range(3)]
            await all_arrive(running, sent, wait_until)
        sent += [await gateway.message() for _ in range(3)]
    async with run_shard(gateway, redis_url) as running:
        await all_arrive(running, sent, wait_until)
        assert (len(running.shard.guilds), running.shard.guilds.members) == (8, 80)
    assert len(gateway.did("identify")) == 1


async def test_a_session_older_than_58_seconds_is_not_resumed(
    gateway: ScriptedGateway, redis_url: str, redis: Redis, wait_until: WaitUntil
) -> None:
    gateway.window = 0
    async with run_shard(gateway, redis_url) as running:
        await wait_until(lambda: running.shard.status == "ready")
    await redis.hincrby(keys.session(1, 0), "at", -58_000)
    await redis.delete(keys.identify_slot(0))
    async with run_shard(gateway, redis_url) as running:
        await wait_until(lambda: running.shard.status == "ready")
    assert (len(gateway.did("identify")), len(gateway.did("resume"))) == (2, 0)


async def test_a_shard_that_has_lost_its_lease_leaves_the_session_alone(
    gateway: ScriptedGateway, redis_url: str, redis: Redis, wait_until: WaitUntil
) -> None:
    async with run_shard(gateway, redis_url, instance="zombie") as old:
        await wait_until(lambda: old.shard.status == "ready" and len(old.shard.guilds) == 8)
        sent = [await gateway.message()]
        await all_arrive(old, sent, wait_until)
        await redis.hset(keys.lease(1, 0), "until", 1)
        async with run_shard(gateway, redis_url, instance="b") as new:
            await asyncio.wait_for(old.task, 20)
            await wait_until(lambda: new.shard.status == "ready")
            sent += [await gateway.message() for _ in range(5)]
            await all_arrive(new, sent, wait_until)
    assert (len(gateway.did("identify")), len(gateway.did("resume", accepted=True))) == (1, 1)


async def test_what_redis_has_lost_is_replayed_by_discord(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    sent = [await gateway.message() for _ in range(6)]
    await all_arrive(running, sent, wait_until)
    # As after a restart of Redis that lost its last second: the last three entries and the sequence are gone.
    for envelope in sorted(await running.entries(), key=lambda e: e.sequence)[3:]:
        stream = stream_name(envelope.partition)
        last = (await running.redis.xrevrange(stream, count=1))[0][0]
        await running.redis.xdel(stream, last)
    await running.redis.hincrby(keys.session(1, 0), "seq", -3)
    sent.append(await gateway.message())
    await all_arrive(running, sent, wait_until)
    assert len(gateway.did("identify")) == 1


async def test_a_full_buffer_leaves_the_events_to_discord(
    gateway: ScriptedGateway, own_redis: OwnRedis, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discord_gateway, "PATIENCE_SECONDS", 0.5)
    async with run_shard(gateway, own_redis.url, events=10) as running:
        await wait_until(lambda: running.shard.status == "ready" and running.publisher.events == 0)
        own_redis.stop()
        sent = [await gateway.message() for _ in range(30)]
        await wait_until(lambda: not running.publisher.room.is_set())
        sent += [await gateway.message() for _ in range(30)]
        await wait_until(lambda: not gateway.connected(), what="the socket to be closed")
        assert running.publisher.events < 40
        own_redis.start()
        await all_arrive(running, sent, wait_until)
    assert len(gateway.did("identify")) == 1


async def test_the_index_of_guilds_follows(
    gateway: ScriptedGateway, running: Running, wait_until: WaitUntil
) -> None:
    session, guilds = gateway.connected()[0], running.shard.guilds
    await wait_until(lambda: guilds.members == 80)
    await gateway.dispatch(session, "GUILD_MEMBER_ADD", {"guild_id": str(1 << 22), "user": {"id": "9"}})
    await gateway.dispatch(session, "GUILD_UPDATE", {"id": str(2 << 22), "name": "New name"})
    await gateway.dispatch(session, "GUILD_MEMBER_REMOVE", {"guild_id": str(5 << 22), "user": {"id": "9"}})
    await gateway.dispatch(session, "GUILD_DELETE", {"id": str(3 << 22), "unavailable": True})
    await gateway.dispatch(session, "GUILD_DELETE", {"id": str(4 << 22)})
    await wait_until(lambda: len(guilds) == 7)
    one, two, three, five = (guilds.find(number << 22) for number in (1, 2, 3, 5))
    assert five is not None and five.members == 9
    assert one is not None and one.members == 11
    assert two is not None and (two.name, two.members) == ("New name", 10)
    assert three is not None and not three.available
