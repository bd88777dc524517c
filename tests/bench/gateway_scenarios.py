"""The ingester under fire, in full size: what the tests in tests/acceptance/ingester do in small.

    python -m tests.bench.gateway_scenarios [kill] [sandbox] [instances] [cut] [takeover] [reshard] [redis] [start]

  kill       ten times kill -9 at a random moment under 500 messages/s
  sandbox    the same against `python -m sandbox` in a process of its own, under its load route
  instances  two instances: one frozen and woken up, then one killed
  cut        two instances in two network namespaces (root only): one cut off from everything, then connected again
  takeover   --takeover under load: IDENTIFYs, losses, doubles, the longest gap of a shard
  reshard    2 shards replaced by 4 under load: the whole overlap, losses, doubles
  redis      Redis killed for 20 s under load, with its data and without
  start      64 shards, max_concurrency 16: order and spacing of IDENTIFY
Each prints one line; the exit status is 1 when something was lost, doubled or out of order.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.gateway import ScriptedGateway, serve_gateway
from tests.fixtures.ingester import Instances, Traffic, assert_once_in_order, published
from tests.fixtures.redis import OwnRedis

RATE = 500


@dataclass
class Field:
    """A gateway, a Redis, and a way to start instances."""

    gateway: ScriptedGateway
    redis: OwnRedis
    instances: Instances


@asynccontextmanager
async def field(host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Field]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "redis"
        data.mkdir()
        redis = OwnRedis(data, host)
        redis.start()
        scripted = ScriptedGateway(guilds=64, **options)
        scripted.host = host
        async with serve_gateway(scripted) as gateway:
            instances = Instances(gateway.api_base, Path(folder))
            try:
                yield Field(gateway, redis, instances)
            finally:
                await instances.close()
                redis.kill()


async def until(predicate: Callable[[], bool], seconds: float = 90) -> float:
    """Wait; return how long it took."""
    start = time.monotonic()
    while not predicate():
        if time.monotonic() - start > seconds:
            raise TimeoutError
        await asyncio.sleep(0.02)
    return time.monotonic() - start


async def settled(on: Field, sent: list[int]) -> str:
    """Wait for everything sent; say what is wrong, or ''."""
    try:
        await until(lambda: len(published(on.redis.url)) >= len(sent), 60)
        await asyncio.sleep(0.5)
        assert_once_in_order(on.redis.url, sent)
    except (TimeoutError, AssertionError) as error:
        return f"WRONG: {error or 'not everything arrived'}"
    return ""


async def kill() -> str:
    async with field() as on:
        instance = await on.instances.start(on.redis.url, SHARD_COUNT=4)
        await until(lambda: len(on.gateway.connected()) == 4)
        traffic, back = Traffic(on.gateway, RATE), []
        for _ in range(10):
            await asyncio.sleep(random.uniform(0.2, 3.0))
            await instance.kill()
            instance = await on.instances.start(on.redis.url, SHARD_COUNT=4)
            back.append(await until(lambda: len(on.gateway.connected()) == 4))
        await asyncio.sleep(1)
        sent = await traffic.stop()
        wrong = await settled(on, sent)
        identifies = len(on.gateway.did("identify"))
        if identifies != 4:
            wrong = wrong or "WRONG: more than the first IDENTIFY of each shard"
    return f"{len(sent)} messages, {identifies} IDENTIFYs for 4 shards, back after at most {max(back):.1f} s {wrong}"


@contextmanager
def running_sandbox(folder: Path) -> Iterator[str]:
    """Run `python -m sandbox`; yield its address."""
    options = ("--port", "0", "--data-dir", str(folder), "--max-concurrency", "16")
    command = [sys.executable, "-m", "sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[1]
        finally:
            process.kill()


async def sandbox() -> str:
    """The sandbox's three servers are on three shards."""
    with tempfile.TemporaryDirectory() as folder, running_sandbox(Path(folder) / "sandbox") as url:
        data = Path(folder) / "redis"
        data.mkdir()
        redis = OwnRedis(data)
        redis.start()
        transport = httpx.AsyncHTTPTransport(retries=20)  # until it listens
        async with httpx.AsyncClient(base_url=f"{url}/sandbox", timeout=300, transport=transport) as admin:

            async def gateway() -> dict[str, Any]:
                return dict((await admin.get("/gateway")).json())

            async def connected() -> int:
                return sum(row["connected"] for row in (await gateway())["sessions"])

            async def all_connected() -> float:
                start = time.monotonic()
                while await connected() < 3:
                    if time.monotonic() - start > 60:
                        raise TimeoutError
                    await asyncio.sleep(0.1)
                return time.monotonic() - start

            known = (await admin.get("/credentials")).json()
            runs = Instances(known["DISCORD_API_BASE"], Path(folder), known["DISCORD_TOKEN"])
            try:
                instance = await runs.start(redis.url, SHARD_COUNT=3)
                await all_connected()
                order = {"messages": 70 * RATE, "per_second": RATE}
                load = asyncio.create_task(admin.post("/load", json=order))
                back = []
                for _ in range(10):
                    await asyncio.sleep(random.uniform(0.2, 3.0))
                    await instance.kill()
                    instance = await runs.start(redis.url, SHARD_COUNT=3)
                    back.append(await all_connected())
                posted = (await load).json()["posted"]
                with suppress(TimeoutError):
                    await until(lambda: len(published(redis.url)) >= posted, 60)
                await asyncio.sleep(1)
                identifies = (await gateway())["counts"]["identifies"]
            finally:
                await runs.close()
            found = published(redis.url)
            redis.kill()
    ids = [int(envelope.json()["id"]) for envelope in found]
    shards: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for envelope, message in zip(found, ids, strict=True):
        shards[envelope.shard].append((envelope.sequence, message))
    in_order = all(sorted(rows) == sorted(rows, key=lambda row: row[1]) for rows in shards.values())
    exact = posted == len(ids) == len(set(ids)) and identifies == 3 and in_order
    wrong = "" if exact else f"WRONG: {len(ids)} in the streams, {len(set(ids))} different"
    return f"{posted} messages, {identifies} IDENTIFYs for 3 shards, back after at most {max(back):.1f} s {wrong}"


async def instances() -> str:
    async with field() as on:
        first = await on.instances.start(on.redis.url, SHARD_COUNT=4)
        await until(lambda: len(on.gateway.connected()) == 4)
        second = await on.instances.start(on.redis.url, SHARD_COUNT=4)
        await until(lambda: len(on.gateway.did("resume", accepted=True)) == 2)
        await asyncio.sleep(2)
        traffic = Traffic(on.gateway, RATE)
        await asyncio.sleep(3)
        resumes = len(on.gateway.did("resume", accepted=True))
        first.signal_all(signal.SIGSTOP)
        frozen = await until(lambda: len(on.gateway.did("resume", accepted=True)) == resumes + 2)
        await asyncio.sleep(3)
        first.signal_all(signal.SIGCONT)
        await until(lambda: len(on.gateway.did("resume", accepted=True)) == resumes + 4)
        await asyncio.sleep(3)
        await second.kill()
        dead = await until(lambda: len(on.gateway.did("resume", accepted=True)) == resumes + 6)
        await asyncio.sleep(2)
        sent = await traffic.stop()
        wrong = await settled(on, sent)
        if max(frozen, dead) > 10 or len(on.gateway.did("identify")) != 4:
            wrong = wrong or "WRONG: too late, or IDENTIFY was spent"
    return (
        f"{len(sent)} messages; moved {frozen:.1f} s after the freeze, {dead:.1f} s after the death {wrong}"
    )


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def namespaces(names: tuple[str, ...]) -> Iterator[str]:
    """Make network namespaces on one bridge; yield the address of this side. Needs root."""
    bridge = "gh-bridge"
    try:
        ip("link", "add", bridge, "type", "bridge")
        ip("addr", "add", "10.231.0.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", name, "master", bridge, "up")
            ip("-n", name, "addr", "add", f"10.231.0.{number + 2}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield "10.231.0.1"
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)


async def cut() -> str:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "skipped: needs root and ip"
    names = ("gh-one", "gh-two")
    with namespaces(names) as host:
        async with field(host) as on:
            running = []
            for name in names:
                on.instances.prefix = ("ip", "netns", "exec", name)
                running.append(await on.instances.start(on.redis.url, SHARD_COUNT=4))
                await until(lambda on=on: len(on.gateway.connected()) == 4)
            await until(lambda: len(on.gateway.did("resume", accepted=True)) == 2)
            await asyncio.sleep(2)
            traffic = Traffic(on.gateway, RATE)
            await asyncio.sleep(3)
            ip("link", "set", names[0], "down")
            away = await until(lambda: len(on.gateway.did("resume", accepted=True)) == 4)
            await asyncio.sleep(5)
            ip("link", "set", names[0], "up")
            back = await until(lambda: len(on.gateway.did("resume", accepted=True)) == 6)
            await asyncio.sleep(3)
            await running[1].kill()
            await until(lambda: len(on.gateway.did("resume", accepted=True)) == 8)
            await asyncio.sleep(2)
            sent = await traffic.stop()
            wrong = await settled(on, sent)
            fenced = running[0].said("lease lost to another instance")
            if away > 10 or len(on.gateway.did("identify")) != 4 or fenced != 2:
                wrong = wrong or f"WRONG: too late, IDENTIFY was spent, or not fenced ({fenced})"
    return f"{len(sent)} messages; moved {away:.1f} s after the cut, shared again {back:.1f} s after its end {wrong}"


async def takeover() -> str:
    async with field() as on:
        old = await on.instances.start(on.redis.url, SHARD_COUNT=16)
        await until(lambda: len(on.gateway.connected()) == 16)
        traffic = Traffic(on.gateway, RATE)
        await asyncio.sleep(2)
        start = time.monotonic()
        await on.instances.start(on.redis.url, "--takeover", SHARD_COUNT=16)
        status = await asyncio.wait_for(old.process.wait(), 90)
        took = time.monotonic() - start
        await asyncio.sleep(2)
        sent = await traffic.stop()
        wrong = await settled(on, sent)
        closed = {event["shard"]: event["at"] for event in on.gateway.did("closed")}
        gaps = [event["at"] - closed[event["shard"]] for event in on.gateway.did("resume", accepted=True)]
        if status or len(on.gateway.did("identify")) != 16 or len(gaps) != 16 or max(gaps) > 1:
            wrong = wrong or "WRONG: IDENTIFY was spent, or a gap of more than 1 s"
    return f"{len(sent)} messages, 16 shards in {took:.1f} s, longest gap {max(gaps) * 1000:.0f} ms {wrong}"


async def reshard() -> str:
    async with field(window=0) as on:
        old = await on.instances.start(on.redis.url, SHARD_COUNT=2)
        await until(lambda: len(on.gateway.connected()) == 2)
        traffic = Traffic(on.gateway, RATE)
        await asyncio.sleep(6)  # the slots of the first IDENTIFYs are free again
        start = time.monotonic()
        await on.instances.start(on.redis.url, SHARD_COUNT=4)
        status = await asyncio.wait_for(old.process.wait(), 90)
        took = time.monotonic() - start
        await asyncio.sleep(3)
        sent = await traffic.stop()
        wrong = await settled(on, sent)
        if status or len(on.gateway.did("identify")) != 6:
            wrong = wrong or "WRONG: the old set failed, or IDENTIFY was spent"
    return f"{len(sent)} messages, 4 shards for 2 in {took:.1f} s {wrong}"


async def redis() -> str:
    lines = []
    for with_data in (True, False):
        async with field() as on:
            await on.instances.start(on.redis.url, SHARD_COUNT=4)
            await until(lambda on=on: len(on.gateway.connected()) == 4)
            traffic = Traffic(on.gateway, RATE)
            await asyncio.sleep(3)
            before = len(traffic.sent)
            on.redis.kill()
            if not with_data:
                on.redis.erase()
            await asyncio.sleep(20)
            on.redis.start()
            await asyncio.sleep(5)
            sent = await traffic.stop()
            if with_data:
                wrong = await settled(on, sent)
                lines.append(f"with data: {len(sent)} messages, none lost {wrong}")
            else:
                await until(
                    lambda on=on, sent=sent: len(published(on.redis.url)) >= len(sent) - before - RATE, 60
                )
                await asyncio.sleep(2)
                there = {int(envelope.json()["id"]) for envelope in published(on.redis.url)}
                missing = [key for key in sent if key not in there]
                late = [key for key in missing if key in sent[before:]]
                wrong = "WRONG: lost what came afterwards" if late else ""
                lines.append(f"without: {len(sent)} messages, {len(missing)} lost, all from before {wrong}")
            if len(on.gateway.did("identify")) != 4:
                lines.append("WRONG: IDENTIFY was spent")
    return "; ".join(lines)


async def start() -> str:
    async with field(max_concurrency=16) as on:
        begin = time.monotonic()
        await on.instances.start(on.redis.url, SHARD_COUNT=64)
        await until(lambda: len(on.gateway.connected()) == 64)
        took = time.monotonic() - begin
        identifies = on.gateway.did("identify")
        order = [event["shard"] for event in identifies]
        buckets: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for event in identifies:
            buckets[event["shard"] % 16].append((event["shard"], event["at"]))
        spacings = [b[1] - a[1] for bucket in buckets.values() for a, b in pairwise(bucket)]
        rows = [
            sorted(order[row * 16 : row * 16 + 16]) == list(range(row * 16, row * 16 + 16))
            for row in range(4)
        ]
        wrong = ""
        if (
            not all(rows)
            or len(order) != 64
            or min(spacings) < 5.0
            or any(event["too_fast"] for event in identifies)
        ):
            wrong = f"WRONG: order {order}"
    return (
        f"64 shards in {took:.1f} s, 5 s window, spacing {min(spacings):.2f} to {max(spacings):.2f} s {wrong}"
    )


SCENARIOS = {
    function.__name__: function
    for function in (kill, sandbox, instances, cut, takeover, reshard, redis, start)
}


def main(names: list[str]) -> int:
    """Run the named scenarios, or all."""
    failed = False
    for name in names or SCENARIOS:
        line = asyncio.run(SCENARIOS[name]())
        print(f"{name:<10} {line}", flush=True)
        failed = failed or "WRONG" in line
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
