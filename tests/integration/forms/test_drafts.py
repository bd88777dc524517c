"""Refused entries in a real Redis."""

from __future__ import annotations

from typing import Any

import redis.asyncio

from app.features.forms.drafts import RedisDrafts
from app.keyring import Keyring

DRAFT = "the words of a person: ä".encode()
OLD = Keyring.new()


async def test_a_draft_is_found_by_its_key_only(redis: redis.asyncio.Redis) -> None:
    drafts = RedisDrafts(redis, OLD)
    key = await drafts.keep(DRAFT)
    assert key is not None
    assert await drafts.find(key) == DRAFT
    assert await drafts.find(key ^ 1) is None


async def test_redis_sees_only_cipher_text_and_for_half_an_hour(redis: redis.asyncio.Redis) -> None:
    await RedisDrafts(redis, OLD).keep(DRAFT)
    [name] = await redis.keys("*")
    value = await redis.get(name)
    assert isinstance(value, bytes)
    assert b"words" not in value
    assert 1700 < await redis.ttl(name) <= 1800


async def test_a_draft_outlives_a_rotation_but_not_the_retirement_of_its_key(
    redis: redis.asyncio.Redis,
) -> None:
    key = await RedisDrafts(redis, OLD).keep(DRAFT)
    assert key is not None
    assert await RedisDrafts(redis, OLD.rotated()).find(key) == DRAFT
    assert await RedisDrafts(redis, OLD.rotated().without("k1")).find(key) is None


async def test_a_lost_redis_is_no_error(own_redis: Any) -> None:
    client = redis.asyncio.Redis.from_url(own_redis.url, socket_connect_timeout=1, retry=None)
    drafts = RedisDrafts(client, OLD)
    key = await drafts.keep(DRAFT)
    assert key is not None
    own_redis.kill()
    assert await drafts.keep(DRAFT) is None
    assert await drafts.find(key) is None
    await client.aclose()
