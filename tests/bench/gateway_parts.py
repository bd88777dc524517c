"""The parts that the gateway benchmark measures against each other: a gateway that sends prebuilt bursts, an
ordinary discord.py bot, and a bare aiohttp client."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import time
from typing import Any

import orjson
import redis as redis_sync
from aiohttp import web

from app.events.envelope import PARTITIONS, stream_name
from tests.fixtures.gateway import TOKEN, ScriptedGateway, serve_gateway

SHARDS = 4


class LoadGateway(ScriptedGateway):
    """Sends prebuilt bursts; guilds have a channel, so that discord.py finds it."""

    def guild_payload(self, guild: int) -> dict[str, Any]:
        channels = [
            {"id": str(guild + n), "type": 0, "name": f"c{n}", "position": n, "permission_overwrites": []}
            for n in range(1, 20)
        ]
        roles = [
            {
                "id": str(guild + n),
                "name": f"role {n}",
                "permissions": "0",
                "position": n,
                "color": 0,
                "colors": {},
            }
            for n in range(20)
        ]
        return {
            **super().guild_payload(guild),
            "owner_id": "7",
            "channels": channels,
            "roles": roles,
            "emojis": [{"id": str(guild + 100 + n), "name": f"e{n}", "animated": False} for n in range(25)],
            "members": [],
            "features": [],
            "preferred_locale": "en-US",
        }

    def payload(self, number: int) -> tuple[int, dict[str, Any]]:
        """Return guild and message of about 1.3 kB."""
        chance = random.Random(number)
        guild = chance.choice(self.guilds)
        user = {
            "id": str(10**17 + chance.randrange(10**6)),
            "username": f"user{number % 997}",
            "global_name": "Some One",
            "discriminator": "0",
            "avatar": f"{chance.getrandbits(128):032x}",
            "public_flags": 64,
            "avatar_decoration_data": None,
        }
        member = {
            "roles": [str(guild + n) for n in range(1, 5)],
            "nick": None,
            "joined_at": "2024-01-01T00:00:00.000000+00:00",
            "deaf": False,
            "mute": False,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": None,
            "premium_since": None,
        }
        words = " ".join(
            chance.choices(
                ["kari", "tomo", "nesa", "live", "duraž", "poshi", "loma"], k=chance.randrange(2, 25)
            )
        )
        return guild, {
            "type": 0,
            "tts": False,
            "timestamp": "2026-01-01T00:00:00.000000+00:00",
            "pinned": False,
            "nonce": str(number),
            "mentions": [{**user, "member": member}] if number % 8 == 0 else [],
            "mention_roles": [],
            "mention_everyone": False,
            "member": member,
            "id": str(10**18 + number),
            "flags": 0,
            "embeds": [],
            "edited_timestamp": None,
            "content": words,
            "components": [],
            "channel_type": 0,
            "channel_id": str(guild + 1 + number % 19),
            "author": user,
            "attachments": [],
            "guild_id": str(guild),
        }

    def build(self, first: int, count: int) -> dict[int, list[bytes]]:
        """Return what goes over each shard's wire, in chunks of 64 messages."""
        wire: dict[int, list[bytes]] = {}
        by_shard = {session.shard: session for session in self.connected()}
        waiting: dict[int, list[bytes]] = {}
        for number in range(first, first + count):
            guild, message = self.payload(number)
            session = by_shard[(guild >> 22) % SHARDS]
            assert session.socket is not None
            session.sequence += 1
            data = orjson.dumps({"t": "MESSAGE_CREATE", "s": session.sequence, "op": 0, "d": message})
            compress = session.socket.compress
            data = compress(data) if compress else data
            header = (
                struct.pack("!BB", 0x82, len(data))
                if len(data) < 126
                else struct.pack("!BBH", 0x82, 126, len(data))
            )
            pieces = waiting.setdefault(session.shard, [])
            pieces.append(header + data)
            if len(pieces) == 64:
                wire.setdefault(session.shard, []).append(b"".join(pieces))
                pieces.clear()
        for shard, pieces in waiting.items():
            wire.setdefault(shard, []).append(b"".join(pieces))
        return wire

    async def pump(self, shard: int, chunks: list[bytes]) -> None:
        """Write chunks as fast as the other side reads."""
        session = next(session for session in self.connected() if session.shard == shard)
        assert session.socket is not None
        transport = session.socket.request.transport
        assert isinstance(transport, asyncio.Transport)
        for chunk in chunks:
            transport.write(chunk)
            while transport.get_write_buffer_size() > 1 << 20:
                await asyncio.sleep(0.001)

    async def control(self, request: web.Request) -> web.Response:
        """POST /bench {first, count, rate}: send; GET: how many sessions there are."""
        if request.method == "GET":
            return web.json_response({"sessions": len(self.connected()), "ready": len(self.did("identify"))})
        order = await request.json()
        if order.get("rate"):
            start = time.time()
            for number in range(order["count"]):
                await asyncio.sleep(max(0.0, start + number / order["rate"] - time.time()))
                guild, message = self.payload(order["first"] + number)
                message["nonce"] = str(int(time.time() * 1e6))
                session = next(s for s in self.connected() if (guild >> 22) % SHARDS == s.shard)
                await self.dispatch(session, "MESSAGE_CREATE", message)
            return web.json_response({})
        wire = self.build(order["first"], order["count"])
        start = time.monotonic()
        await asyncio.gather(*(self.pump(shard, chunks) for shard, chunks in wire.items()))
        return web.json_response({"start": start})


async def run_gateway(port: int, guilds: int) -> None:
    """Serve until killed; the control route is on `port`."""
    gateway = LoadGateway(shards=SHARDS, guilds=guilds, window=0)
    async with serve_gateway(gateway):
        app = web.Application()
        app.router.add_route("*", "/bench", gateway.control)

        async def base(_request: web.Request) -> web.Response:
            return web.json_response({"api": gateway.api_base})

        app.router.add_get("/", base)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


# The clients to compare with
async def discord_py() -> None:
    """An ordinary bot."""
    import discord
    import discord.http
    import yarl
    from discord.gateway import DiscordWebSocket
    from redis.asyncio import BlockingConnectionPool, Redis

    discord.http.Route.BASE = os.environ["DISCORD_API_BASE"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["GATEWAY_URL"])
    pool = BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=20, timeout=None)
    redis = Redis(connection_pool=pool)

    class Bot(discord.AutoShardedClient):
        async def before_identify_hook(self, _shard: int | None, *, initial: bool = False) -> None:
            pass

        async def on_message(self, message: discord.Message) -> None:
            guild = message.guild.id if message.guild else 0
            body = orjson.dumps(
                {
                    "id": message.id,
                    "guild": guild,
                    "channel": message.channel.id,
                    "author": message.author.id,
                    "content": message.content,
                    "roles": [role.id for role in getattr(message.author, "roles", ())],
                    "nonce": message.nonce,
                }
            )
            await redis.xadd(stream_name((guild >> 22) % PARTITIONS), {"t": "MESSAGE_CREATE", "d": body})

    intents = discord.Intents(guilds=True, members=True, guild_messages=True, message_content=True)
    bot = Bot(
        intents=intents,
        shard_count=SHARDS,
        chunk_guilds_at_startup=False,
        member_cache_flags=discord.MemberCacheFlags.none(),
        max_messages=None,
    )
    await bot.start(TOKEN)


async def bare_aiohttp() -> None:
    """Nothing but the work itself."""
    import aiohttp
    import hiredis
    import zstandard

    target = redis_sync.Redis.from_url(os.environ["REDIS_URL"]).connection_pool.connection_kwargs
    reader, writer = await asyncio.open_connection(target["host"], target["port"])

    async def discard() -> None:
        replies = hiredis.Reader()
        while data := await reader.read(1 << 16):
            replies.feed(data)
            while replies.gets() is not False:
                pass

    pending: list[bytes] = []

    def flush() -> None:
        writer.write(b"".join(pending))
        pending.clear()

    async def shard(number: int) -> None:
        inflate = zstandard.ZstdDecompressor().decompressobj().decompress
        sequence = None
        url = os.environ["GATEWAY_URL"] + "?v=10&encoding=json&compress=zstd-stream"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as ws:
            async for frame in ws:
                message = orjson.loads(inflate(frame.data))
                sequence = message["s"]
                if message["t"] == "MESSAGE_CREATE":
                    d = message["d"]
                    if not pending:
                        asyncio.get_running_loop().call_soon(flush)
                    key = stream_name((int(d["guild_id"]) >> 22) % PARTITIONS)
                    pending.append(
                        hiredis.pack_command(("XADD", key, "*", "t", "MESSAGE_CREATE", "d", orjson.dumps(d)))
                    )
                elif message["op"] == 10:
                    properties = {"os": "linux", "browser": "bench", "device": "bench"}
                    identify = {
                        "token": TOKEN,
                        "intents": 33287,
                        "shard": [number, SHARDS],
                        "properties": properties,
                    }
                    await ws.send_str(orjson.dumps({"op": 2, "d": identify}).decode())
        del sequence

    await asyncio.gather(discard(), *(shard(number) for number in range(SHARDS)))
