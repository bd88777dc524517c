"""The answering side of the bridge (`app.adapters.redis.bridge` asks): this process's shards, guilds and members."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis.bridge import CHANNEL, REPLY_SECONDS, FoundGuild, FoundUser, reply_key
from app.adapters.redis.cancellation import end_if_cancelled
from app.adapters.redis.client import open_redis
from ingester.control import Setup
from ingester.publisher import Publisher
from ingester.report import report
from ingester.shard import Shard

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
LISTEN_SECONDS = 5.0


class Shards(Protocol):
    """What the bridge looks at."""

    shards: dict[int, Shard]
    publisher: Publisher


class Bridge:
    """Listens on the channel and answers, until cancelled."""

    def __init__(self, setup: Setup, redis_url: str, process: Shards) -> None:
        self._setup = setup
        self._url = redis_url
        self._process = process
        self._tasks: set[asyncio.Task[None]] = set()
        self.broadcasts = 0
        """Messages to everybody that were heard."""

    async def run(self) -> None:
        """Answer questions; connect again whenever Redis went away."""
        while True:
            end_if_cancelled()
            try:
                async with (
                    open_redis(self._url, connections=4, blocking_seconds=LISTEN_SECONDS) as redis,
                    redis.pubsub(ignore_subscribe_messages=True) as channel,
                ):
                    await channel.subscribe(CHANNEL)
                    while True:
                        end_if_cancelled()
                        message = await channel.get_message(timeout=LISTEN_SECONDS)
                        if message is not None:
                            self._spawn(redis, message["data"])
            except RedisError as error:
                log.warning("the bridge is closed", extra={"error": type(error).__name__})
                await asyncio.sleep(RECONNECT_SECONDS)

    def _spawn(self, redis: Redis, data: bytes) -> None:
        task = asyncio.create_task(self._answer(redis, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, redis: Redis, data: bytes) -> None:
        try:
            question = orjson.loads(data)
            key = reply_key(str(question["id"]))
            answer = await self._work_out(question)
        except (ValueError, KeyError, TypeError):
            log.warning("the bridge does not understand a question")
            return
        try:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, orjson.dumps(answer))
                pipe.expire(key, REPLY_SECONDS)
                await pipe.execute()
        except RedisError as error:
            log.warning("the bridge could not answer", extra={"error": type(error).__name__})

    async def _work_out(self, question: Mapping[str, Any]) -> dict[str, Any]:
        setup, process = self._setup, self._process
        who = {"process": f"{setup.instance}/{setup.cluster}", "total": setup.total}
        match question["op"]:
            case "stats":
                return {**who, **report(process.shards.values(), process.publisher)}
            case "guild":
                return {**who, "found": self._find_guild(int(question["guild"]))}
            case "user":
                guilds = [int(guild) for guild in question["guilds"]]
                return {
                    **who,
                    **await self._find_user(int(question["user"]), guilds, float(question["seconds"])),
                }
            case "broadcast":
                self.broadcasts += 1
                log.info("broadcast heard", extra={"topic": str(question["topic"])})
                return who
            case _:
                raise ValueError(question["op"])

    def _find_guild(self, guild: int) -> dict[str, Any] | None:
        for number, shard in self._process.shards.items():
            if (entry := shard.guilds.find(guild)) is not None:
                return asdict(FoundGuild(entry.id, entry.name, entry.members, entry.available, number))
        return None

    async def _find_user(self, user: int, guilds: list[int], seconds: float) -> dict[str, Any]:
        async def look(shard: Shard) -> tuple[dict[str, Any] | None, bool]:
            if shard.socket is None:
                return None, False
            # Our answer must be back before the asker gives up.
            found, complete = await shard.search.find(shard.socket, shard.guilds, user, guilds, 0.8 * seconds)
            if found is None:
                return None, complete
            member, guild = found
            return asdict(FoundUser(user, member.username, member.global_name, guild, shard.number)), True

        results = await asyncio.gather(*map(look, self._process.shards.values()))
        hit = next((found for found, _ in results if found is not None), None)
        return {"found": hit, "complete": all(complete for _, complete in results)}
