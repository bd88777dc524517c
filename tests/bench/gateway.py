"""MESSAGE_CREATE from a gateway's socket into Redis: CPU per event, memory, latency, where the time goes.

    python -m tests.bench.gateway [--events 20000] [--rounds 2] [--guilds 2000] [--shared]

A gateway in a process of its own sends frames that it has built before; each client writes every message to Redis:
  discord.py   AutoShardedClient.on_message -> redis-py XADD, as bots are written
  aiohttp      a bare client: inflate, orjson, a hand-written XADD; no session, no reconnect, nothing atomic
  gatehouse    python -m ingester, with the atomic script and the session's bookkeeping, supervisor included
Bars (issue 4): at least 5 x discord.py and 0.6 x aiohttp in events per CPU second; under 150 MB with 2,000 guilds;
nothing lost, nothing doubled. `--shared` runs the workplace's own benchmark instead, where it is at hand.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import redis as redis_sync
from aiohttp import web

from app.adapters.embedded.binaries import redis_server_binary
from app.events.envelope import PARTITIONS, stream_name
from tests.fixtures.gateway import TOKEN, ScriptedGateway, serve_gateway

SHARED = Path(__file__).resolve().parents[3] / "shared/bench/gateway"
SHARDS = 4
FASTER_THAN_DISCORD_PY = 5.0
SHARE_OF_AIOHTTP = 0.6
MEMORY_MB = 150
RATE = 500
CLIENTS = ("discord.py", "aiohttp", "gatehouse")


# The gateway
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
            "avatar": "%032x" % chance.getrandbits(128),
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
    from redis.asyncio import Redis

    discord.http.Route.BASE = os.environ["DISCORD_API_BASE"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["GATEWAY_URL"])
    redis = Redis.from_url(os.environ["REDIS_URL"])

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


# Measuring
@dataclass
class Result:
    """One client's burst."""

    cpu_us: float
    events_per_second: float
    memory_mb: float
    lost: int
    doubled: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    total = 0.0
    for member in family(process):
        with suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total += times.user + times.system
    return total


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    return sum(member.memory_info().rss for member in family(process)) / 1e6


def pin(process: subprocess.Popen[bytes], cpu: int) -> None:
    """Keep clients and servers on different cores where there are two."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cpus) > 1:
        os.sched_setaffinity(process.pid, {cpus[cpu]})


class Stand:
    """A gateway, a Redis, one client."""

    def __init__(self, client: str, guilds: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
        self.control_port, redis_port = free_port(), free_port()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.redis_process = subprocess.Popen(
            [
                str(redis_server_binary()),
                "--port",
                str(redis_port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dir",
                self.folder,
            ],
            **quiet,  # type: ignore[call-overload]
        )
        me = [sys.executable, "-m", "tests.bench.gateway"]
        self.gateway_process = subprocess.Popen(
            [*me, "--serve", str(self.control_port), "--guilds", str(guilds)]
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.control_port}", timeout=120)
        api = self._wait(lambda: self.http.get("/").json())["api"]
        url = f"redis://127.0.0.1:{redis_port}/0"
        self.redis = redis_sync.Redis.from_url(url)
        self._wait(self.redis.ping)
        command = [sys.executable, "-m", "ingester"] if client == "gatehouse" else [*me, "--client", client]
        environment = {
            **os.environ,
            "DISCORD_API_BASE": api,
            "GATEWAY_URL": api.replace("http", "ws").removesuffix("api/v10"),
            "DISCORD_TOKEN": TOKEN,
            "REDIS_URL": url,
            "SHARD_COUNT": str(SHARDS),
            "DATA_DIR": str(self.folder),
            "HEALTH_PORT": str(free_port()),
            "MANAGER_HEALTH_PORT": "0",
            "LOG_LEVEL": "error",
        }
        self.health = environment["HEALTH_PORT"]
        self.client = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        pin(self.client, 0)
        pin(self.redis_process, 1)
        pin(self.gateway_process, 1)
        self._wait(lambda: self.http.get("/bench").json()["sessions"] == SHARDS)

    @staticmethod
    def _wait(probe: Any) -> Any:
        deadline = time.monotonic() + 60
        while True:
            with suppress(httpx.HTTPError, redis_sync.RedisError):
                if found := probe():
                    return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {probe}")
            time.sleep(0.1)

    def messages(self) -> list[tuple[float, bytes]]:
        """(stream time in ms, payload) of all messages."""
        return [
            (int(entry.split(b"-")[0]), fields[b"d"])
            for partition in range(PARTITIONS)
            for entry, fields in self.redis.xrange(stream_name(partition))
            if fields[b"t"] == b"MESSAGE_CREATE"
        ]

    def clear(self) -> None:
        for partition in range(PARTITIONS):
            self.redis.delete(stream_name(partition))

    def await_entries(self, count: int) -> float:
        """Wait until so many entries are there, or none has come for 5 s; return the time."""
        last, at = -1, time.monotonic()
        while True:
            found = sum(self.redis.xlen(stream_name(partition)) for partition in range(PARTITIONS))
            now = time.monotonic()
            if found >= count or now - at > 5:
                return now
            if found != last:
                last, at = found, now
            time.sleep(0.005)

    def burst(self, first: int, count: int) -> Result:
        self.clear()
        before = cpu_seconds(self.client)
        start = self.http.post("/bench", json={"first": first, "count": count}).json()["start"]
        end = self.await_entries(count)
        time.sleep(0.3)
        cpu = cpu_seconds(self.client) - before
        ids = [int(re.search(rb'"id":"?(1\d{18})', data)[1]) for _, data in self.messages()]  # type: ignore[index]
        expected = set(range(10**18 + first, 10**18 + first + count))
        return Result(
            cpu / count * 1e6,
            count / (end - start),
            memory_mb(self.client),
            len(expected - set(ids)),
            len(ids) - len(set(ids)),
        )

    def latency(self, first: int, count: int) -> tuple[float, float]:
        """Send at 500/s; return median and p99 of ms from leaving the gateway to standing in the stream."""
        self.clear()
        self.http.post("/bench", json={"first": first, "count": count, "rate": RATE})
        self.await_entries(count)
        # Entry ids have whole milliseconds, hence the half.
        waits = sorted(
            at + 0.5 - int(re.search(rb'"nonce":"(\d+)"', d)[1]) / 1000 for at, d in self.messages()
        )  # type: ignore[index]
        return statistics.median(waits), waits[int(len(waits) * 0.99)]

    def stages(self) -> dict[str, float]:
        """Return the mean microseconds of each step, as the ingester's own metrics tell."""
        text = httpx.get(f"http://127.0.0.1:{self.health}/metrics").text
        found: dict[str, float] = {}
        for stage in ("decompress", "parse", "publish"):
            total = re.search(rf'gateway_stage_ms_sum{{stage="{stage}"}} (\S+)', text)
            count = re.search(rf'gateway_stage_ms_count{{stage="{stage}"}} (\S+)', text)
            if total and count and float(count[1]):
                found[stage] = float(total[1]) / float(count[1]) * 1000
        batches = (
            re.search(r"gateway_batch_size_events_sum (\S+)", text),
            re.search(r"gateway_batch_size_events_count (\S+)", text),
        )
        if batches[0] and batches[1] and float(batches[1][1]):
            found["events per batch"] = float(batches[0][1]) / float(batches[1][1])
        return found

    def close(self) -> None:
        self.client.terminate()
        for process in (self.client, self.gateway_process, self.redis_process):
            if process is not self.client:
                process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.http.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def stand(client: str, guilds: int) -> Iterator[Stand]:
    made = Stand(client, guilds)
    try:
        time.sleep(1.5)
        yield made
    finally:
        made.close()


def compare(events: int, rounds: int) -> bool:
    """Run the bursts, interleaved, and print the table; return whether the bars are met."""
    results: dict[str, list[Result]] = {client: [] for client in CLIENTS}
    stages: dict[str, float] = {}
    for _ in range(rounds):
        for client in CLIENTS:
            with stand(client, 200) as made:
                made.burst(0, events // 4)
                results[client].append(made.burst(events, events))
                if client == "gatehouse":
                    stages = made.stages()
    print(f"{'client':<12}{'CPU us/event':>14}{'events/s':>12}{'RSS MB':>9}{'lost':>7}{'doubled':>9}")
    for client, runs in results.items():
        best = min(runs, key=lambda run: run.cpu_us)
        print(
            f"{client:<12}{best.cpu_us:>14.1f}{best.events_per_second:>12.0f}{best.memory_mb:>9.0f}"
            f"{sum(run.lost for run in runs):>7}{sum(run.doubled for run in runs):>9}"
        )
    cpu = {client: min(run.cpu_us for run in runs) for client, runs in results.items()}
    ours = results["gatehouse"]
    bot, floor = cpu["discord.py"] / cpu["gatehouse"], cpu["aiohttp"] / cpu["gatehouse"]
    print(
        f"gatehouse = {bot:.1f} x discord.py (bar {FASTER_THAN_DISCORD_PY}), {floor:.2f} x aiohttp (bar {SHARE_OF_AIOHTTP})"
    )
    print(
        "mean per step: "
        + ", ".join(f"{name} {value:.1f}" for name, value in stages.items())
        + " (us; publish is a batch)"
    )
    exact = not any(run.lost or run.doubled for run in ours)
    return bot >= FASTER_THAN_DISCORD_PY and floor >= SHARE_OF_AIOHTTP and exact


def measure_alone(guilds: int) -> bool:
    """Memory with many guilds, and latency at 500 events/s."""
    with stand("gatehouse", guilds) as made:
        time.sleep(2)
        held = memory_mb(made.client)
        median, p99 = made.latency(10_000_000, 4 * RATE)
    print(f"{guilds} guilds: {held:.0f} MB RSS, supervisor included (bar {MEMORY_MB})")
    print(f"gateway to stream at {RATE} events/s: median {median:.1f} ms, p99 {p99:.1f} ms")
    return held < MEMORY_MB


def run_shared() -> int:
    """Run the workplace's benchmark with our command line."""
    command = f"ours={sys.executable} -m ingester"
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HEALTH_PORT": "0",
        "MANAGER_HEALTH_PORT": "0",
    }
    return subprocess.run(
        [sys.executable, "run.py", "--only", "dpy:normal,floor:aiohttp", "--client", command]
        + ["--client-cwd", str(Path.cwd()), "--stream-pattern", "*vents*", "--rounds", "1"],
        cwd=SHARED,
        env=environment,
        check=False,
    ).returncode


def main() -> int:
    """Measure, or play one of the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--guilds", type=int, default=2_000)
    parser.add_argument("--shared", action="store_true", help="run ../shared/bench/gateway instead")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(run_gateway(chosen.serve, chosen.guilds))
        return 0
    if chosen.client:
        import uvloop

        uvloop.run({"discord.py": discord_py, "aiohttp": bare_aiohttp}[chosen.client]())
        return 0
    if chosen.shared:
        return run_shared()
    passed = compare(chosen.events, chosen.rounds)
    return 0 if measure_alone(chosen.guilds) and passed else 1


if __name__ == "__main__":
    sys.exit(main())
