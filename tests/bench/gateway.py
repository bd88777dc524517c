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
import re
import shutil
import socket
import statistics
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
import psutil
import redis as redis_sync

from app.adapters.embedded.binaries import redis_server_binary
from app.events.envelope import PARTITIONS, stream_name
from tests.bench.gateway_parts import SHARDS, bare_aiohttp, discord_py, run_gateway
from tests.fixtures.gateway import TOKEN

SHARED = Path(__file__).resolve().parents[3] / "shared/bench/gateway"
FASTER_THAN_DISCORD_PY = 5.0
SHARE_OF_AIOHTTP = 0.6
MEMORY_MB = 150
RATE = 500
CLIENTS = ("discord.py", "aiohttp", "gatehouse")


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
    return sum(member.memory_info().rss for member in family(process)) / (1 << 20)


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
        """Wait until so many entries are there, or none has come for 20 s; return the time."""
        last, at = -1, time.monotonic()
        while True:
            found = sum(self.redis.xlen(stream_name(partition)) for partition in range(PARTITIONS))
            now = time.monotonic()
            if found >= count or now - at > 20:
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

    def sums(self) -> dict[str, tuple[float, float]]:
        """Return (sum, count) of the steps' histograms, as the ingester's own metrics tell."""
        text = httpx.get(f"http://127.0.0.1:{self.health}/metrics").text
        found = {}
        for name, metric in {
            **{
                stage: f'gateway_stage_ms_{{}}{{{{stage="{stage}"}}}}'
                for stage in ("decompress", "parse", "publish")
            },
            "batch": "gateway_batch_size_events_{}",
        }.items():
            values = [
                re.search(rf"^{re.escape(metric.format(part))} (\S+)$", text, re.MULTILINE)
                for part in ("sum", "count")
            ]
            found[name] = tuple(float(value[1]) if value else 0.0 for value in values)
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
                before = made.sums() if client == "gatehouse" else {}
                results[client].append(made.burst(events, events))
                after = made.sums() if client == "gatehouse" else {}
                for name, (total, count) in after.items():
                    grown = count - before[name][1]
                    stages[name] = (total - before[name][0]) / grown if grown else 0.0
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
        f"a message: decompress {stages['decompress'] * 1000:.1f} us, split {stages['parse'] * 1000:.1f} us; "
        f"a batch: {stages['batch']:.0f} messages, {stages['publish']:.1f} ms to Redis and back"
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
        [
            *(sys.executable, "run.py", "--only", "dpy:normal,floor:aiohttp", "--client", command),
            *("--client-cwd", str(Path.cwd()), "--stream-pattern", "*vents*", "--rounds", "1"),
        ],
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
