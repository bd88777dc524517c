"""Durable interaction jobs: from the command to the edited answer, by real stores and sockets."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.jobs.declare import WrongJob, job
from app.jobs.late_answers import token_seconds_left
from app.jobs.queue import GROUP, STREAM
from app.settings import Settings
from app.snowflake import lower_bound
from tests.fixtures.discord_server import DiscordServer, Scripted
from tests.fixtures.job_process import open_job_worker
from tests.fixtures.sample_feature import Effects, option, work_later
from tests.fixtures.web import OpenWeb, Web


@asynccontextmanager
async def working(environment: dict[str, str], **options: float) -> AsyncIterator[Any]:
    """A job worker that runs until the block ends."""
    async with open_job_worker(Settings.from_environment(environment), **options) as (worker, runtime):
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop, grace=0.1))
        try:
            yield runtime.services[Effects]
        finally:
            stop.set()
            await task


async def pending(redis: Redis) -> int:
    """How many entries a worker has and has not finished; -1 before the first worker."""
    try:
        return int((await redis.xpending(STREAM, GROUP))["pending"])
    except ResponseError:
        return -1


async def drained(redis: Redis) -> bool:
    """Tell whether the stream is empty and nothing is pending."""
    return await redis.xlen(STREAM) == 0 and await pending(redis) == 0


async def test_a_job_is_finished_by_a_worker_that_starts_later(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, effects_of: Any,
    wait_until: Any, assert_discord_valid: Any,
) -> None:  # fmt: skip
    payload = web.caller.command("later", option("mode", "fine"))
    assert await web.caller.send(payload) == {"type": 5, "data": {"flags": 64}}
    assert await redis.xlen(STREAM) == 1
    await web.stop()  # the replica is gone
    async with working(web_environment):
        await wait_until(lambda: discord.requests)
        await wait_until(lambda: drained(redis))
    (edit,) = discord.requests
    assert edit.method == "PATCH"
    assert edit.path.endswith(f"/{payload['token']}/messages/@original")
    assert edit.json["content"] == "fine is done"
    assert_discord_valid("IncomingWebhookUpdateRequestPartial", edit.json)
    assert [note for _, note in effects_of()] == ["fine"]


async def test_tokens_and_arguments_are_not_readable_in_redis(web: Web, redis: Redis) -> None:
    payload = web.caller.command("later", option("mode", "private words"))
    await web.caller.send(payload)
    entries = await redis.xrange(STREAM)
    everything = repr(entries) + repr(
        [await redis.dump(key) for key in await redis.keys("*") if await redis.type(key) == b"string"]
    )
    assert len(entries) == 1
    assert payload["token"] not in everything
    assert payload["token"][:20] not in everything
    assert "private words" not in everything


async def test_a_failing_job_edits_the_answer_with_an_incident(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, wait_until: Any
) -> None:
    await web.caller.send(web.caller.command("later", option("mode", "fail")))
    async with working(web_environment):
        await wait_until(lambda: discord.requests)
        await wait_until(lambda: drained(redis))
    (edit,) = discord.requests
    assert "incident" in edit.json["content"]
    assert "secret" not in edit.json["content"]


async def test_progress_is_shown_sparingly_and_before_the_answer(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, wait_until: Any
) -> None:
    await web.caller.send(web.caller.command("later", option("mode", "progress")))
    async with working(web_environment, progress_seconds=60):
        await wait_until(lambda: discord.requests and "done" in discord.requests[-1].json["content"])
    texts = [request.json["content"] for request in discord.requests]
    assert texts[-1] == "progress is done"
    assert len(texts) <= 2  # twenty reports became one edit at the most


async def test_a_token_that_is_too_old_is_not_used(
    web: Web,
    web_environment: dict[str, str],
    discord: DiscordServer,
    redis: Redis,
    effects_of: Any,
    wait_until: Any,
) -> None:
    quarter_of_an_hour = str(web.caller.requests.snowflake() - (15 * 60 * 1000 << 22))
    await web.caller.send(web.caller.command("later", id=quarter_of_an_hour))
    async with working(web_environment):
        await wait_until(lambda: drained(redis))
    assert discord.requests == []
    assert effects_of() == []


async def test_the_entry_of_a_repeated_interaction_is_run_once(
    open_web: OpenWeb, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, effects_of: Any,
    wait_until: Any,
) -> None:  # fmt: skip
    async with open_web() as web, open_web() as other:
        body = orjson.dumps(web.caller.command("later"))
        await web.caller.post(body)
        (claim,) = await redis.keys("claim:*")
        await wait_until(lambda: redis.strlen(claim))
        await redis.delete(claim)  # as if the first replica had died before it answered
        await other.caller.post(body)
        assert await redis.xlen(STREAM) == 2
        async with working(web_environment), working(web_environment):
            await wait_until(lambda: drained(redis))
    assert len(effects_of()) == 1
    assert [request.json["content"] for request in discord.requests] == ["fine is done"]


async def test_a_job_of_a_killed_worker_is_finished_by_another(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, effects_of: Any,
    wait_until: Any, tmp_path: Any,
) -> None:  # fmt: skip
    await web.caller.send(web.caller.command("later", option("mode", "die")))
    environment = {**os.environ, **web_environment, "SAMPLE_MARKER": str(tmp_path / "died")}
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fixtures.job_process", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    assert await killed.wait() == 9
    assert not await drained(redis)
    os.environ["SAMPLE_MARKER"] = str(tmp_path / "died")
    try:
        async with working(web_environment):
            await wait_until(lambda: drained(redis))
    finally:
        del os.environ["SAMPLE_MARKER"]
    assert [request.json["content"] for request in discord.requests] == ["die is done"]
    assert len(effects_of()) == 1


async def test_a_stopping_worker_hands_its_job_over_at_once(
    web: Web,
    web_environment: dict[str, str],
    discord: DiscordServer,
    redis: Redis,
    effects_of: Any,
    wait_until: Any,
) -> None:
    await web.caller.send(web.caller.command("later", option("mode", "hang")))

    async def taken() -> bool:
        return await pending(redis) == 1

    async with working(web_environment):
        await wait_until(taken)
    assert effects_of() == []
    # Long beats: only a hand-over lets the next worker have it within the test.
    async with working(web_environment, beat_seconds=0.5) as effects:
        effects.go.set()
        await wait_until(lambda: drained(redis))
    assert [request.json["content"] for request in discord.requests] == ["hang is done"]


async def test_a_job_that_kills_its_workers_is_given_up(
    web: Web,
    web_environment: dict[str, str],
    discord: DiscordServer,
    redis: Redis,
    effects_of: Any,
    wait_until: Any,
) -> None:
    await web.caller.send(web.caller.command("later"))
    await redis.xgroup_create(STREAM, GROUP, id="0")
    (_, ((entry, _),)), *_ = await redis.xreadgroup(GROUP, "dead", {STREAM: ">"})
    for _ in range(3):
        await redis.xclaim(STREAM, GROUP, "dead", min_idle_time=0, message_ids=[entry])
    async with working(web_environment):
        await wait_until(lambda: drained(redis))
    assert effects_of() == []
    assert "incident" in discord.requests[0].json["content"]


async def test_a_job_that_this_release_does_not_know_is_answered(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, wait_until: Any
) -> None:
    await web.caller.send(web.caller.command("later"))
    ((_, fields),) = await redis.xrange(STREAM)
    await redis.delete(STREAM)
    await redis.xadd(STREAM, fields | {b"j": b"of.tomorrow"})
    await redis.xadd(STREAM, {b"i": b"1", b"j": b"x", b"s": b"not sealed"})
    await redis.xadd(STREAM, {b"nothing": b"at all"})
    async with working(web_environment):
        await wait_until(lambda: drained(redis))
    assert ["incident" in request.json["content"] for request in discord.requests] == [True]


async def test_an_answer_waits_for_discord_to_come_back(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, wait_until: Any
) -> None:
    discord.script(Scripted(502), Scripted(drop=True), Scripted(503))
    await web.caller.send(web.caller.command("later"))
    async with working(web_environment):
        await wait_until(lambda: drained(redis))
    assert discord.requests[-1].json["content"] == "fine is done"
    assert len(discord.requests) == 4


async def test_redis_losing_the_stream_under_a_worker_is_survived(
    web: Web, web_environment: dict[str, str], discord: DiscordServer, redis: Redis, wait_until: Any
) -> None:
    async with working(web_environment):
        await wait_until(lambda: redis.exists(STREAM))
        await redis.flushdb()
        await web.caller.send(web.caller.command("later"))
        await wait_until(lambda: discord.requests)
    assert discord.requests[0].json["content"] == "fine is done"


def test_wrong_calls_of_a_job_are_refused_where_they_are_made() -> None:
    with pytest.raises(WrongJob, match="unknown arguments \\['typo'\\], missing \\['mode'\\]"):
        work_later.job(typo=1)
    with pytest.raises(WrongJob, match="JSON"):
        work_later.job(mode=object())
    with pytest.raises(WrongJob, match="seconds"):
        job("x", seconds=0)


def test_a_token_lives_a_quarter_of_an_hour() -> None:
    now = 1_800_000_000
    assert 890 < token_seconds_left(lower_bound(now * 1000), now) < 900
    assert token_seconds_left(lower_bound((now - 900) * 1000), now) < 0
