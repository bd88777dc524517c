"""Events from Redis streams through a consumer group: CPU per event, and what fairness costs a quiet guild.

    python -m tests.bench.streams [--events 20000] [--rounds 3]

  bare       XREADGROUP, parse the event, XACK, in a loop: no leases, no order, no fairness, no retries
  consumer   the product's consumer with a handler that does nothing
  claim      the same with a claim in PostgreSQL per event, as an effect needs
Bar: the consumer costs at most BAR times the bare loop; a quiet guild behind 10,000 entries of a noisy one is
handled before a tenth of them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from app.adapters.embedded import embedded_stores
from app.adapters.postgres.migrate import migrate
from app.adapters.postgres.pool import Pool, open_pool, transaction
from app.adapters.redis.client import open_redis
from app.events.envelope import PARTITIONS, Envelope, stream_name
from app.events.messages import MessageCreated
from app.settings import Settings
from app.streams import store
from app.streams.consumer import GroupConsumer
from app.streams.declare import Consumer, consumes, declaration_of
from app.streams.discovery import Group
from app.streams.intake import create_group
from app.streams.reading import READ_SECONDS
from tests.fixtures.streams import guild_in, message_envelope, publish

BAR = 4.0
GUILDS = 64

Handler = Callable[[MessageCreated], Awaitable[None]]


class Count:
    """Counts what a handler was given; `reached` is set at the wanted number."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.seen = wanted, 0
        self.reached = asyncio.Event()

    def add(self) -> None:
        self.seen += 1
        if self.seen == self.wanted:
            self.reached.set()


async def fill(redis: Redis, events: int) -> None:
    """Write the events into empty streams."""
    await redis.flushdb()
    for start in range(0, events, 1000):
        numbers = range(start, min(start + 1000, events))
        await publish(redis, *(_event(n) for n in numbers))


def _event(number: int) -> Any:
    guild = guild_in(number % PARTITIONS, (number // PARTITIONS) % (GUILDS // PARTITIONS))
    return message_envelope(
        guild, number + 1, content="a message of ordinary length, as people write them " * 2
    )


async def bare(redis: Redis, events: int) -> None:
    """Read, parse, acknowledge."""
    await create_group(redis, "bare")
    streams: dict[Any, Any] = {stream_name(p): ">" for p in range(PARTITIONS)}
    seen = 0
    while seen < events:
        reply: Any = await redis.xreadgroup("bare", "me", streams, count=64, block=100)
        async with redis.pipeline(transaction=False) as pipe:
            for name, entries in reply:
                for _, fields in entries:
                    MessageCreated.parse(Envelope.from_fields(fields))
                seen += len(entries)
                pipe.xack(name, "bare", *[entry_id for entry_id, _ in entries])
            await pipe.execute()


async def consume(redis: Redis, url: str, pool: Pool, handler: Handler, reached: asyncio.Event) -> None:
    """Run the product's consumer until the handler has seen everything."""
    declared = declaration_of(handler)
    assert isinstance(declared, Consumer)
    stop = asyncio.Event()
    async with open_redis(url, connections=2, blocking_seconds=READ_SECONDS) as blocking:
        consumer = GroupConsumer(
            Group(declared.group, (declared,)),
            {},
            redis=redis,
            blocking=blocking,
            postgres=pool,
            worker="bench",
        )
        running = asyncio.create_task(consumer.run(stop, grace=5.0))
        await reached.wait()
        stop.set()
        await running


async def measure(events: int, work: Callable[[], Awaitable[None]]) -> float:
    """Return CPU µs of this process per event."""
    before = time.process_time()
    await work()
    return (time.process_time() - before) / events * 1e6


async def run_all(redis_url: str, database_url: str, events: int, rounds: int) -> bool:
    """Measure, print, and tell whether the bars are met."""
    results: dict[str, list[float]] = {"bare": [], "consumer": [], "claim": []}
    async with open_redis(redis_url) as redis, open_pool(database_url, size=16) as pool:
        for number in range(rounds):
            counts = {name: Count(events) for name in results}

            @consumes(MessageCreated, group="consumer")
            async def nothing(event: MessageCreated, seen: Count = counts["consumer"]) -> None:
                seen.add()

            @consumes(MessageCreated, group="claim", parallel=4)
            async def claims(event: MessageCreated, seen: Count = counts["claim"], run: int = number) -> None:
                async with transaction(pool) as conn:
                    await store.claim(conn, f"bench.{run}", event.key)
                seen.add()

            await fill(redis, events)
            results["bare"].append(await measure(events, lambda: bare(redis, events)))
            for name, handler in (("consumer", nothing), ("claim", claims)):
                await fill(redis, events)
                reached = counts[name].reached
                work = consume(redis, redis_url, pool, handler, reached)
                results[name].append(await measure(events, lambda w=work: w))  # type: ignore[misc]
        print(f"{'':<10}{'CPU µs/event':>14}{'x bare':>10}")
        medians = {name: statistics.median(values) for name, values in results.items()}
        for name, median in medians.items():
            print(f"{name:<10}{median:>14.1f}{median / medians['bare']:>10.1f}")
        place = await quiet_guild(redis, redis_url, pool)
    print(f"a quiet guild behind 10,000 entries of another is handled after {place} of them (bar 1,000)")
    ratio = medians["consumer"] / medians["bare"]
    print(f"consumer / bare: {ratio:.1f} (bar {BAR})")
    return ratio <= BAR and place < 1_000


async def quiet_guild(redis: Redis, url: str, pool: Pool) -> int:
    """Return how many events of a noisy guild are handled before the quiet one's only event, which is the last."""
    await redis.flushdb()
    noisy, quiet = guild_in(0, 1), guild_in(0, 2)
    for start in range(1, 10_001, 1000):
        await publish(redis, *(message_envelope(noisy, n) for n in range(start, start + 1000)))
    await publish(redis, message_envelope(quiet, 99_999))
    before = 0
    found = asyncio.Event()

    @consumes(MessageCreated, group="quiet")
    async def handler(event: MessageCreated) -> None:
        nonlocal before
        if event.message.guild_id == quiet:
            found.set()
        elif not found.is_set():
            before += 1
            await asyncio.sleep(0.005)

    await consume(redis, url, pool, handler, found)
    return before


def main() -> int:
    """Run on stores of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment({"DATA_DIR": str(Path(folder) / "data")})
        with embedded_stores(settings, durable=False) as urls:
            migrate(urls.database)
            met = asyncio.run(run_all(urls.redis, urls.database, options.events, options.rounds))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
