from __future__ import annotations

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis

from app.adapters.postgres.pool import Pool
from app.snowflake import GuildId, UserId
from app.tenancy import guild_settings, store
from app.tenancy.guild_settings import GuildSettings

GUILD = GuildId(1)


class Greeting(BaseModel):
    text: str = "hello"
    loud: bool = False


async def change(settings: GuildSettings, pool: Pool, **fields: object) -> int:
    async with pool.connection() as conn:
        _, version = await settings.change(
            conn, GUILD, "greeting", Greeting, lambda old: old.model_copy(update=fields), by=UserId(7)
        )
    await settings.announce(GUILD, "greeting")
    return version


async def test_defaults_then_what_was_changed(pool: Pool, redis: Redis) -> None:
    settings = GuildSettings(pool, redis)
    assert await settings.get(GUILD, "greeting", Greeting) == Greeting()
    assert await change(settings, pool, text="hi") == 1
    assert await change(settings, pool, loud=True) == 2
    assert await settings.get(GUILD, "greeting", Greeting) == Greeting(text="hi", loud=True)


async def test_another_process_hears_of_a_change(pool: Pool, redis: Redis, wait_until) -> None:
    here, there = GuildSettings(pool, redis), GuildSettings(pool, redis)
    async with there.listening():
        assert await there.get(GUILD, "greeting", Greeting) == Greeting()

        async def heard() -> bool:
            await here.announce(GUILD, "greeting")
            return (await there.get(GUILD, "greeting", Greeting)).text == "hi"

        await change(here, pool, text="hi")
        await wait_until(heard)


async def test_a_missed_message_heals_by_the_version(
    pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = GuildSettings(pool, redis), GuildSettings(pool, redis)
    await there.get(GUILD, "greeting", Greeting)
    await change(here, pool, text="hi")
    assert (await there.get(GUILD, "greeting", Greeting)).text == "hello"  # cached
    monkeypatch.setattr(guild_settings, "REVALIDATE_SECONDS", 0)
    assert (await there.get(GUILD, "greeting", Greeting)).text == "hi"


async def test_an_unreadable_field_falls_back_to_its_default(pool: Pool, redis: Redis) -> None:
    async with pool.connection() as conn:
        await store.lock_settings(conn, GUILD, "greeting")
        await store.write_settings(conn, GUILD, "greeting", {"text": "hi", "loud": "maybe?"}, None)
    assert await GuildSettings(pool, redis).get(GUILD, "greeting", Greeting) == Greeting(text="hi")


async def test_a_flag_of_the_guild_beats_the_global_one(pool: Pool) -> None:
    async with pool.connection() as conn:
        assert await store.feature_flag(conn, "x", GUILD) is None
        await conn.execute("INSERT INTO tenancy.feature_flags VALUES ('x', 0, true), ('x', 1, false)")
        assert await store.feature_flag(conn, "x", GUILD) is False
        assert await store.feature_flag(conn, "x", GuildId(2)) is True


async def test_a_guild_leaves_and_comes_back(pool: Pool) -> None:
    async with pool.connection() as conn:
        await store.remember_guild(conn, GUILD, name="a", owner=UserId(1))
        await store.forget_guild(conn, GUILD)
        gone = await store.find_guild(conn, GUILD)
        assert gone is not None and gone.left_at is not None
        await store.remember_guild(conn, GUILD, name="b")
        back = await store.find_guild(conn, GUILD)
        assert back is not None and (back.name, back.owner_id, back.left_at) == ("b", 1, None)
