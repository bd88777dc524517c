"""One instance: asks Discord for the plan, agrees with other instances on who holds what, runs the processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from app.adapters.redis.client import open_redis
from app.errors import ConfigurationError, DiscordUnreachable, InvalidShardPlan
from app.observability import metrics
from app.observability.health import serve_health
from app.settings import Settings
from app.shard_plan import ShardPlan, make_plan
from ingester import keys
from ingester.fleet import Fatal, Fleet, is_degraded
from ingester.gateway_bot import AskedToWait, GatewayBot, StartLimit, ask_gateway_bot
from ingester.placement import moves, place
from ingester.registry import Card, Registry, Roll
from ingester.resharding import Step, part_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 3.0
HANDOVERS = 4
"""Shards that change hands at the same time: each is silent for a moment."""
QUICK_SECONDS = 0.2
"""Time between two looks while shards are changing hands."""


class Supervisor:
    """Run `run()`; it returns the exit status, or raises AppError or Fatal."""

    def __init__(self, settings: Settings, redis_url: str, *, takeover: bool = False) -> None:
        self._settings = settings
        self._redis_url = redis_url
        self._takeover = takeover
        self._instance = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._stop = asyncio.Event()
        self._redis: Redis
        self._registry: Registry
        self._plan: ShardPlan
        self._card: Card
        self._fleet: Fleet | None = None
        self._waits_for = "Redis"
        self._roll = Roll()
        self._handing_over: set[int] = set()
        self._led = False

    def request_stop(self) -> None:
        """Drain and end; for signals."""
        self._stop.set()

    async def run(self) -> int:
        """Work until told to stop, replaced, or failed."""
        settings = self._settings
        health = serve_health(
            settings.host,
            settings.manager_health_port,
            "MANAGER_HEALTH_PORT",
            {"shardTable": self._check_shards},
            top=self._shard_table,
            move_on=True,
        )
        async with open_redis(self._redis_url, connections=4) as redis, health:
            self._redis = redis
            self._registry = Registry(redis)
            await self._wait_for_redis()
            bot = await self._ask_discord()
            if bot is None:
                return 0
            self._plan = make_plan(settings, bot.shards or None)
            self._card = self._make_card()
            fleet = Fleet(
                self._plan, self._instance, bot.url, bot.limit.max_concurrency, settings.health_port
            )
            self._fleet = fleet
            log.info(
                "instance started",
                extra={"instance": self._instance, "shards": self._plan.total, "pinned": self._card.pinned},
            )
            try:
                return await self._supervise()
            finally:
                await fleet.stop()
                with contextlib.suppress(RedisError):
                    await self._registry.leave(self._instance)

    def _make_card(self) -> Card:
        preferred = self._plan.preferred
        return Card(
            self._instance,
            self._plan.total,
            pinned=(preferred[0], preferred[-1]) if self._plan.pinned else None,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_ms=int(time.time() * 1000),
        )

    # Start
    async def _wait_for_redis(self) -> None:
        """Raises ConfigurationError for a Redis that refuses us; waits for one that is not there yet."""
        while not self._stop.is_set():
            try:
                await self._redis.ping()
                return
            except AuthenticationError:
                raise ConfigurationError("REDIS_URL", "Redis refuses the password") from None
            except RedisError as error:
                log.warning("waiting for Redis", extra={"error": type(error).__name__})
                await self._sleep(RETRY_SECONDS)

    async def _ask_discord(self) -> GatewayBot | None:
        """Ask for URL and limits; when REST is down, what was said last serves for resuming. None: told to stop."""
        self._waits_for = "Discord"
        assert self._settings.discord_token is not None
        token = self._settings.discord_token.get_secret_value()
        while not self._stop.is_set():
            try:
                bot = await ask_gateway_bot(
                    self._settings.discord_api_base, token, agent=self._settings.user_agent
                )
            except DiscordUnreachable as error:
                log.error("Discord does not answer", extra={"problem": error.for_operator()})
                if (known := await self._known_gateway()) is not None:
                    return known
                await self._sleep(error.seconds if isinstance(error, AskedToWait) else RETRY_SECONDS)
            else:
                metrics.GATEWAY_IDENTIFY_BUDGET.set(bot.limit.remaining)
                with contextlib.suppress(RedisError):
                    await self._registry.note_gateway(bot.url, bot.limit.max_concurrency)
                return bot
        return None

    async def _known_gateway(self) -> GatewayBot | None:
        try:
            stored: Any = await self._redis.hmget(keys.PLAN, ["url", "max_concurrency", "total"])
        except RedisError:
            return None
        url, concurrency, total = stored
        if url is None or concurrency is None or total is None:
            return None
        return GatewayBot(url.decode(), int(total), StartLimit(0, 0, 0, int(concurrency)))

    # Work
    @property
    def _started_fleet(self) -> Fleet:
        assert self._fleet is not None
        return self._fleet

    async def _supervise(self) -> int:
        await self._choose_predecessors()
        while not self._stop.is_set():
            try:
                self._roll = await self._registry.call(self._card, self._plan.total)
            except RedisError as error:
                log.warning("registry not reached", extra={"error": type(error).__name__})
            else:
                if (done := await self._look()) is not None:
                    log.info("instance ends", extra={"why": done})
                    return 0
            await self._next_look()
        log.info("told to stop; draining")
        return 0

    async def _choose_predecessors(self) -> None:
        if not self._takeover:
            return
        roll = await self._registry.call(None, self._plan.total)
        others = tuple(sorted(card.id for card in roll.cards.values() if card.total == self._plan.total))
        log.info("taking over", extra={"from": list(others)})
        self._card = replace(self._card, replaces=others)

    async def _next_look(self) -> None:
        """Sleep until something has changed, or for a second."""
        fleet = self._started_fleet
        busy = bool(self._card.wants or self._handing_over)
        waiting: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(self._stop.wait()),
            asyncio.ensure_future(fleet.changed.wait()),
        ]
        await asyncio.wait(
            {*waiting, fleet.failure},
            timeout=QUICK_SECONDS if busy else keys.RENEW_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in waiting:
            task.cancel()
        fleet.changed.clear()
        if fleet.failure.done():
            fleet.failure.result()

    async def _look(self) -> str | None:
        """Compare what should be with what is, and act; return why the instance ends, if it does."""
        roll, total, fleet = self._roll, self._plan.total, self._started_fleet
        others = [card for card in roll.cards.values() if card.id != self._instance]
        part = part_of(
            total,
            roll.plan,
            roll.now,
            running={card.total for card in others},
            all_ready=all(row.live and row.state == "ready" for row in roll.leases),
            led=self._led,
        )
        self._led = self._led or roll.plan.get("total") == str(total)
        if part.refused:
            raise InvalidShardPlan(
                f"{roll.plan['total']} shards are running and this instance is set to {total}; "
                "stop the running instances first to have fewer"
            )
        if part.step is not Step.NONE:
            done = await self._registry.step(part.step, total, roll.plan)
            if done and part.step is not Step.FORGET:
                log.info("plan changed", extra={"step": part.step.value, "shards": total})
        fleet.set_mode(overlap=part.overlap, shadow=part.shadow)
        if part.superseded:
            return "another set of shards is in charge"
        return self._place([card for card in others if card.total == total])

    def _place(self, others: list[Card]) -> str | None:
        roll, fleet, me = self._roll, self._started_fleet, self._instance
        replaced = {name for card in [*others, self._card] for name in card.replaces}
        successor = next((card.id for card in others if me in card.replaces), None)
        members = [card.member for card in [*others, self._card] if card.id not in replaced]
        holders = roll.holders
        target = place(self._plan.total, members, holders, self._candidates(others))
        wanted = moves(me, target, holders)
        fleet.hold(wanted.acquire)
        # Some at a time; whoever holds them sees it in our card, once a process here waits for the lease.
        coming = [shard for shard, _ in wanted.request[:HANDOVERS]]
        fleet.hold(coming)
        self._card = replace(self._card, wants=tuple(sorted(fleet.asking & set(coming))))
        self._give(others, target, holders)
        mine = {shard for shard, holder in holders.items() if holder == me}
        for shard in fleet.shards - mine - set(coming) - set(wanted.acquire):
            if shard in holders and target.get(shard) != me:
                fleet.release(shard)  # it waits for a lease that others have by now
        fleet.suspect(
            {s for s, row in enumerate(roll.leases) if row.instance == me and row.owner and not row.live}
        )
        if successor is not None and not mine and not fleet.shards:
            return f"handed over to {successor}"
        return None

    def _give(self, others: list[Card], target: Mapping[int, str], holders: Mapping[int, str]) -> None:
        """Hand over what others ask for and should have."""
        self._handing_over &= {shard for shard, holder in holders.items() if holder == self._instance}
        for card in others:
            for shard in card.wants:
                ours = holders.get(shard) == self._instance and target.get(shard) == card.id
                if ours and shard not in self._handing_over:
                    self._handing_over.add(shard)
                    log.info("handing over", extra={"shard": shard, "to": card.id})
                    self._started_fleet.release(shard, card.id)

    def _candidates(self, others: list[Card]) -> set[int]:
        """Return the shards to place: all, or with ranges only what is somebody's or has been somebody's."""
        cards = [*others, self._card]
        total = self._plan.total
        if any(card.pinned is None for card in cards):
            return set(range(total))
        ranges = {shard for card in cards for shard in card.member.pinned or ()}
        return ranges | {shard for shard, row in enumerate(self._roll.leases) if row.ever}

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    # Health
    async def _check_shards(self) -> dict[str, Any]:
        fleet = self._fleet
        if fleet is None:
            return {"ok": False, "waitsFor": self._waits_for}
        mine = fleet.shards
        rows = [row for report in await fleet.report() for row in report["shards"]]
        ready = {row["id"] for row in rows if row["status"] == "ready"}
        # Others hold everything: nothing to do but to stand by for them.
        standby = not mine and bool(self._roll.leases) and all(row.live for row in self._roll.leases)
        ok = standby or (bool(mine) and mine <= ready)
        return {"ok": ok, "shardsOnline": len(ready & mine), "held": len(mine), "standby": standby}

    async def _shard_table(self) -> dict[str, Any]:
        """Return the table of seed S2, with what else there is to say."""
        fleet = self._fleet
        if fleet is None:
            return {"instance": self._instance, "totalShards": None, "shards": []}
        reports = await fleet.report()
        found = sorted((row for report in reports for row in report["shards"]), key=lambda row: row["id"])
        rows = [{**row, "degraded": is_degraded(row)} for row in found]
        inner = ("shards", "op", "id")
        return {
            "instance": self._instance,
            "totalShards": self._plan.total,
            "shards": rows,
            "processes": [{key: value for key, value in r.items() if key not in inner} for r in reports],
            "instances": sorted(self._roll.cards),
        }


__all__ = ["Fatal", "Supervisor"]
