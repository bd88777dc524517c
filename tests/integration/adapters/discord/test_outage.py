"""Redis goes away and comes back under a running client."""

from __future__ import annotations

import asyncio

import pytest

from app.adapters.discord import errors
from app.adapters.discord.rest import DiscordRest
from app.adapters.redis.client import open_redis
from app.observability.metrics import REGISTRY
from app.settings import Settings
from tests.fixtures.discord_server import ON_THE_WAY, DiscordServer, Rule, serve

DELETES = Rule("DELETE", r"/channels/\d+/messages/\d+$", "d", 8, 0.4)


def local() -> float | None:
    return REGISTRY.get_sample_value("discord_limiter_local")


async def test_each_process_keeps_to_its_share_until_redis_is_back(own_redis, wait_until) -> None:
    async with serve(DiscordServer((DELETES,))) as server, open_redis(own_redis.url) as redis:
        settings = Settings.from_environment({"DISCORD_TOKEN": server.token, "DISCORD_API_BASE": server.url})
        async with DiscordRest.open(settings, redis) as rest, DiscordRest.open(settings, redis) as other:
            await rest.delete_message(1, 1)
            await other.delete_message(1, 2)
            await rest.delete_message(1, 3)
            assert local() == 0
            before = REGISTRY.get_sample_value("discord_limiter_fallbacks_total") or 0

            own_redis.kill()
            await asyncio.gather(
                *(client.delete_message(1, n) for n in range(20) for client in (rest, other))
            )
            assert local() == 1
            assert REGISTRY.get_sample_value("discord_limiter_fallbacks_total") >= before + 1
            assert rest._sender.limiter._local.processes == 2
            assert server.refusals.total() <= ON_THE_WAY

            # Limits that Discord tells are kept as well.
            with pytest.raises(errors.RateLimited):
                await asyncio.gather(*(rest.delete_message(1, n, deadline=0.3) for n in range(40)))

            own_redis.start()

            async def shared_again() -> bool:
                await rest.get_user(1)
                return local() == 0

            await wait_until(shared_again)
            await asyncio.gather(*(client.delete_message(1, n) for n in range(6) for client in (rest, other)))
            assert len({request.path for request in server.served}) > 20


async def test_a_client_opened_without_redis_assumes_the_configured_number_of_processes(own_redis) -> None:
    own_redis.kill()
    async with serve(DiscordServer()) as server, open_redis(own_redis.url) as redis:
        environment = {
            "DISCORD_TOKEN": server.token,
            "DISCORD_API_BASE": server.url,
            "DISCORD_PROCESSES": "4",
        }
        async with DiscordRest.open(Settings.from_environment(environment), redis) as rest:
            assert await rest.get_guild(1)
            assert rest._sender.limiter._local.processes == 4
            assert local() == 1


async def test_a_redis_that_hangs_is_left_alone(own_redis) -> None:
    import os
    import signal

    async with serve(DiscordServer()) as server, open_redis(own_redis.url) as redis:
        settings = Settings.from_environment({"DISCORD_TOKEN": server.token, "DISCORD_API_BASE": server.url})
        async with DiscordRest.open(settings, redis) as rest:
            await rest.get_guild(1)
            os.kill(own_redis._process.pid, signal.SIGSTOP)
            try:
                await asyncio.gather(*(rest.get_guild(n) for n in range(10)))
                assert local() == 1
            finally:
                os.kill(own_redis._process.pid, signal.SIGCONT)
