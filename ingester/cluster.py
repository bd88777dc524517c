"""One process of an instance: some shards, one publisher, one connection of the bridge, one health server.

Started by the supervisor as `python -m ingester.cluster <fd>`, told what to do over the socket pair `fd`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

import uvloop

from app.adapters.embedded import embedded_stores
from app.adapters.redis.client import open_redis
from app.errors import AppError, LoggedOut
from app.events.intents import explain_disallowed
from app.events.wanted import wanted_intents
from app.observability import metrics
from app.observability.health import serve_health
from app.observability.logging import configure_logging
from app.settings import Settings
from ingester.bridge import Bridge
from ingester.control import Control, Setup
from ingester.discord_gateway import open_gateway_client
from ingester.floor import Floor, ShardStopped
from ingester.gateway_bot import StartLimit, ask_gateway_bot
from ingester.identify import IdentifySlots
from ingester.leases import Leases
from ingester.publisher import Publisher
from ingester.report import MetricsFeeder, report
from ingester.shard import Shard
from ingester.trimmer import Trimmer

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
SILENT_SECONDS = 120.0
"""A ready shard that heard nothing for so long is not ready: heartbeats alone come every 41 s."""
DRAIN_SECONDS = 8.0

STOP_LINES = {
    4004: "E002: Discord refuses DISCORD_TOKEN (close code 4004): set a valid DISCORD_TOKEN and restart",
    4010: "E007: Discord refuses the shard (close code 4010): check SHARD_COUNT and TOTAL_SHARDS; a large bot's "
    "number of shards must be a multiple of what Discord assigned to it",
    4011: "E007: too many guilds for a shard (close code 4011, over 2,500): raise SHARD_COUNT or set it to auto",
    4012: "Discord no longer accepts this version of the gateway (close code 4012): update Gatehouse",
    4013: "Discord does not know one of the intents (close code 4013): update Gatehouse",
}


class Cluster:
    """The shards of this process."""

    def __init__(self, setup: Setup, settings: Settings, control: Control, redis_url: str) -> None:
        self._setup = setup
        self._settings = settings
        self._control = control
        self.shards: dict[int, Shard] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._announcing: set[asyncio.Task[None]] = set()
        self._overlap, self._shadow = setup.overlap, setup.shadow
        self._draining = asyncio.Event()
        self._redis_url = redis_url
        self.publisher = Publisher(redis_url)
        self._floor: Floor
        self._feeder = MetricsFeeder()

    async def run(self) -> None:
        """Work until told to drain, or until the supervisor is gone."""
        setup, settings = self._setup, self._settings
        assert settings.discord_token is not None
        token = settings.discord_token.get_secret_value()

        async def ask() -> StartLimit:
            return (await ask_gateway_bot(settings.discord_api_base, token, agent=settings.user_agent)).limit

        async with AsyncExitStack() as stack:
            redis = await stack.enter_async_context(open_redis(self._redis_url))
            client = await stack.enter_async_context(
                open_gateway_client(
                    token, settings.discord_api_base, intents=wanted_intents(), total=setup.total
                )
            )
            self._floor = Floor(
                client,
                Leases(redis, setup.instance, str(setup.cluster), setup.total),
                IdentifySlots(redis, setup.total, setup.max_concurrency, ask),
                self.publisher,
                setup.total,
                setup.gateway_url,
            )
            await stack.enter_async_context(
                serve_health(
                    settings.host,
                    setup.health_port,
                    "HEALTH_PORT",
                    self._checks(),
                    self._details(),
                    move_on=True,
                )
            )
            # RESUME needs no REST: shards do not wait for the answer to who we are.
            background = self._start_background(redis, client.login())
            stack.push_async_callback(self._stop_background, background)
            await asyncio.sleep(0)
            # What is allocated by now stays: the collector need not look at it again.
            gc.freeze()
            self.hold(setup.shards)
            await self._obey()
            await self.drain()

    def _start_background(self, redis: Any, login: Coroutine[Any, Any, None]) -> list[asyncio.Task[None]]:
        bridge = Bridge(self._setup, self._redis_url, self)
        work: list[Coroutine[Any, Any, None]] = [
            login,
            self.publisher.run(),
            Trimmer(redis, self._settings.stream_max_entries).run(),
            bridge.run(),
            self._tick(),
        ]
        return [asyncio.create_task(self._guarded(coroutine)) for coroutine in work]

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Run background work; its failure ends the process, which the supervisor starts again."""
        try:
            await work
        except LoggedOut as error:
            self._fail(error.for_operator(), 2)
        except Exception:
            log.exception("background work failed")
            self._draining.set()
            raise

    async def _stop_background(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._feeder.update(self.shards, self.publisher)

    async def _obey(self) -> None:
        """Follow the supervisor until it says drain, is gone, or something here has failed."""
        reading = asyncio.create_task(self._read_control())
        failed = asyncio.create_task(self._draining.wait())
        await asyncio.wait({reading, failed}, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, failed):
            task.cancel()

    async def _read_control(self) -> None:
        async for message in self._control.messages():
            match message["op"]:
                case "hold":
                    self.hold(message["shards"])
                case "release":
                    if (shard := self.shards.get(message["shard"])) is not None:
                        shard.release(message["successor"])
                case "mode":
                    self.set_mode(overlap=message["overlap"], shadow=message["shadow"])
                case "ping":
                    self._control.send(
                        "pong", id=message["id"], **report(self.shards.values(), self.publisher)
                    )
                case "drain":
                    return
        if not self._draining.is_set():
            log.info("told to stop, or the supervisor is gone")

    def request_drain(self) -> None:
        """Drain soon; for signals."""
        self._draining.set()

    def hold(self, numbers: Any) -> None:
        """Take these shards, besides those held already."""
        new = [number for number in sorted(numbers) if number not in self.shards]
        for number in new:
            shard = Shard(number, self._floor, overlap=self._overlap, shadow=self._shadow)
            self.shards[number] = shard
            self._tasks[number] = asyncio.create_task(self._run_shard(shard))
        self._control.send("asking", shards=new)
        announcing = asyncio.create_task(self._announce(new))
        self._announcing.add(announcing)
        announcing.add_done_callback(self._announcing.discard)

    async def _announce(self, numbers: list[int]) -> None:
        for number in numbers:
            if (shard := self.shards.get(number)) is not None:
                await shard.registered.wait()
        self._control.send("registered", shards=numbers)

    async def _run_shard(self, shard: Shard) -> None:
        why = "lost"
        try:
            await shard.run()
            why = "released" if shard.released else "lost"
        except ShardStopped as stopped:
            line = (
                explain_disallowed(wanted_intents())
                if stopped.code == 4014
                else STOP_LINES.get(stopped.code, str(stopped))
            )
            self._fail(line, 1 if stopped.code in (4012, 4013) else 2)
        except AppError as error:
            self._fail(error.for_operator(), 2)
        except Exception:
            metrics.ERRORS.labels("gateway_shard").inc()
            log.exception("shard failed", extra={"shard": shard.number})
        finally:
            self.shards.pop(shard.number, None)
            self._tasks.pop(shard.number, None)
            self._control.send("ended", shard=shard.number, why=why)

    def _fail(self, line: str, status: int) -> None:
        log.error("the gateway refuses this bot", extra={"problem": line})
        self._control.send("fatal", line=line, status=status)

    def set_mode(self, *, overlap: bool, shadow: bool) -> None:
        """Follow the plan while the bot is resharded."""
        if overlap != self._overlap:
            for shard in self.shards.values():
                shard.overlap(on=overlap)
        if self._shadow and not shadow:
            for shard in self.shards.values():
                shard.lead()
        self._overlap, self._shadow = overlap, shadow

    async def drain(self) -> None:
        """Stop reading, store everything, give back all leases."""
        self._control.send("draining")
        for shard in list(self.shards.values()):
            shard.release()
        running = list(self._tasks.values())
        if running:
            await asyncio.wait(running, timeout=DRAIN_SECONDS)

    # Health
    def _checks(self) -> dict[str, Any]:
        async def discord() -> Mapping[str, Any]:
            online = [
                shard
                for shard in self.shards.values()
                if shard.status == "ready" and (shard.silent_seconds or 0) < SILENT_SECONDS
            ]
            return {
                "ok": len(online) == len(self.shards) and bool(self.shards),
                "connected": bool(online),
                "shardsOnline": len(online),
                "totalShards": len(self.shards),
            }

        async def redis() -> Mapping[str, Any]:
            publisher = self.publisher
            return {
                "ok": publisher.connected and publisher.room.is_set(),
                "connected": publisher.connected,
                "buffered": publisher.events,
            }

        return {"discord": discord, "redis": redis}

    def _details(self) -> dict[str, Any]:
        async def process() -> Mapping[str, Any]:
            return report(self.shards.values(), self.publisher)

        return {"process": process}


async def main(descriptor: int) -> int:
    """Run one process; exit status 0 after a drain."""
    loop = asyncio.get_running_loop()
    control = await Control.open(socket.socket(fileno=descriptor))
    first = await anext(control.messages(), None)
    if first is None:
        return 0
    setup = Setup.from_message(first)
    settings = Settings.from_environment()
    configure_logging(settings, f"ingester-{setup.cluster}")
    metrics.watch_gc()
    try:
        # Holds the embedded Redis open by itself: it must not end with the supervisor while we drain.
        with embedded_stores(settings, postgres=False) as urls:
            cluster = Cluster(setup, settings, control, urls.redis)
            # The supervisor decides; SIGTERM reaches us directly only when it has lost patience.
            loop.add_signal_handler(signal.SIGTERM, cluster.request_drain)
            await cluster.run()
    except AppError as error:
        control.send("fatal", line=error.for_operator(), status=2)
        return 2
    finally:
        await control.close()
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main(int(sys.argv[1]))))
