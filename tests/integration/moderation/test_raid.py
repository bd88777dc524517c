"""Raids, in the sandbox's guild."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app.adapters.postgres.pool import transaction
from app.features.moderation.raid.alarm import CALM_KIND, WAVE_KIND, RaidAlarm
from app.features.moderation.raid.joins import Joins
from app.features.moderation.raid.settings import Level, RaidSettings
from app.features.moderation.raid.wave import RaidWave
from app.snowflake import GuildId, UserId
from tests.fixtures.moderation import ADMIN, House

START = 1_790_000_000_000
SETTINGS = RaidSettings(enabled=True, joins=10, seconds=60)


async def fills(redis: Redis, guild: int, times: list[int]) -> list[tuple[int, int]]:
    joins = Joins(redis)
    found = []
    for number, at in enumerate(times):
        burst = await joins.add(GuildId(guild), UserId(number + 1), START + at, SETTINGS)
        found.append((burst.fill, len(burst.members)))
    return found


async def test_slow_joins_are_no_raid(redis: Redis) -> None:
    assert {fill for fill, _ in await fills(redis, 1, [n * 6000 for n in range(50)])} == {1}


async def test_a_burst_returns_everybody_of_it(redis: Redis) -> None:
    found = await fills(redis, 2, [-3_600_000, *range(0, 1200, 100)])
    assert found[0] == (1, 0)
    assert found[10] == (10, 0)
    assert found[11] == (11, 11)  # without the one of an hour ago
    assert found[12] == (12, 12)


async def test_a_join_counts_once(redis: Redis) -> None:
    joins = Joins(redis)
    for _ in range(5):
        burst = await joins.add(GuildId(3), UserId(1), START, SETTINGS)
    assert burst.fill == 1
    assert (await joins.add(GuildId(3), UserId(1), START + 5, SETTINGS)).fill == 2  # left and came back


async def test_parallel_joins_are_all_counted(redis: Redis) -> None:
    joins = Joins(redis)
    bursts = await asyncio.gather(
        *(joins.add(GuildId(4), UserId(n + 1), START + n, SETTINGS) for n in range(30))
    )
    assert max(len(burst.members) for burst in bursts) == 30


@pytest.mark.parametrize(
    ("fill", "level"),
    [(1, Level.CALM), (6, Level.WATCH), (10, Level.WATCH), (11, Level.RAISED), (31, Level.LOCKDOWN)],
)
def test_levels(fill: int, level: Level) -> None:
    assert SETTINGS.level_of(fill) is level


async def configure(house: House, **fields: Any) -> None:
    await house.service(RaidAlarm).configure(house.guild, UserId(ADMIN), enabled=True, **fields)


async def wave(house: House, count: int, *, first: int = 0, at: datetime | None = None) -> list[int]:
    """Let accounts join, and count them as the consumer does."""
    users = [house.world.create_user(f"raider{first + n}").id for n in range(count)]
    for user in users:
        house.world.join_member(house.guild, user, quietly=True)
    alarm, moment = house.service(RaidAlarm), at or house.now()
    joins = (
        alarm.joined(house.guild, UserId(user), moment + timedelta(milliseconds=n))
        for n, user in enumerate(users)
    )
    await asyncio.gather(*joins)
    return users


async def raid_cases(house: House) -> list[Any]:
    async with transaction(house.pool) as conn:
        rows = await (
            await conn.execute(
                "SELECT number, target_id, sanction, state, notified, problem FROM moderation.cases ORDER BY number"
            )
        ).fetchall()
    return rows


async def test_a_raid_of_two_hundred_is_banned_in_few_calls(house: House) -> None:
    await configure(house, joins=10, seconds=60, sanction="ban")
    users = await wave(house, 200)
    status = await house.service(RaidAlarm).status(house.guild)
    assert (status.level, status.members) == (Level.LOCKDOWN, 200)
    await house.work(WAVE_KIND, early=True)
    assert set(users) <= set(house.guild_state.bans)
    found = await raid_cases(house)
    assert [row[0] for row in found] == list(range(1, 201))
    assert {(row[2], row[3], row[4]) for row in found} == {("ban", "done", False)}
    assert house.guild_state.invites_disabled_until_ms is not None


async def test_everybody_of_the_burst_is_timed_out_once(house: House) -> None:
    await configure(house, joins=5, seconds=60, sanction="timeout", timeout_minutes=30)
    users = await wave(house, 8)
    await house.work(WAVE_KIND, early=True)
    late = await wave(house, 2, first=100)
    await house.work(WAVE_KIND, early=True)
    await house.service(RaidWave).act(house.guild)
    found = await raid_cases(house)
    assert sorted(row[1] for row in found) == sorted([*users, *late])
    for user in [*users, *late]:
        assert house.guild_state.members[user].timed_out_until_ms is not None
    assert all(not house.dms(user) for user in users)


async def test_the_level_steps_down_and_opens_invites_again(house: House) -> None:
    await configure(house, joins=2, seconds=60, sanction="none", calm_minutes=10)
    await wave(house, 20)
    alarm = house.service(RaidAlarm)
    await house.work(WAVE_KIND, early=True)
    assert house.guild_state.invites_disabled_until_ms is not None
    assert await raid_cases(house) == []
    levels = [(await alarm.status(house.guild)).level]
    for _ in range(4):
        house.shift += timedelta(minutes=11)
        await house.work(CALM_KIND, early=True)
        await house.work(WAVE_KIND, early=True)
        levels.append((await alarm.status(house.guild)).level)
    assert levels == [Level.LOCKDOWN, Level.RAISED, Level.WATCH, Level.CALM, Level.CALM]
    assert house.guild_state.invites_disabled_until_ms is None


async def test_it_does_not_step_down_while_they_come(house: House) -> None:
    await configure(house, joins=2, seconds=60, sanction="none", calm_minutes=10)
    await wave(house, 20)
    house.shift += timedelta(minutes=9)
    await wave(house, 20, first=50)
    house.shift += timedelta(minutes=2)
    await house.service(RaidAlarm).calm(house.guild)
    assert (await house.service(RaidAlarm).status(house.guild)).level is Level.LOCKDOWN


async def test_a_refusal_ends_the_calls(house: House) -> None:
    await configure(house, joins=5, seconds=60, sanction="kick")
    await wave(house, 40)
    asked = []

    async def refuse(*args: Any, **_options: Any) -> None:
        from app.adapters.discord.errors import Forbidden

        asked.append(args)
        raise Forbidden("kick", 403, 50013, "Missing Permissions", {})

    house.rest.remove_guild_member = refuse  # type: ignore[method-assign]
    await house.work(WAVE_KIND, early=True)
    assert len(asked) <= 5
    assert {(row[3], row[5]) for row in await raid_cases(house)} == {("failed", "we_lack_permission")}


async def test_a_wave_whose_worker_died_is_finished(house: House) -> None:
    await configure(house, joins=5, seconds=60, sanction="kick")
    users = await wave(house, 12)
    original, count = house.rest.remove_guild_member, 0

    async def die(*args: Any, **options: Any) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise ConnectionError("the worker is gone")
        await original(*args, **options)

    house.rest.remove_guild_member = die  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await house.service(RaidWave).act(house.guild)
    await house.service(RaidWave).act(house.guild)
    assert not set(users) & set(house.guild_state.members)
    found = await raid_cases(house)
    assert len(found) == 12 and {row[3] for row in found} == {"done"}


async def test_switched_off_nothing_is_counted(house: House) -> None:
    await wave(house, 30)
    assert (await house.service(RaidAlarm).status(house.guild)).raid is None


async def test_a_lockdown_by_hand_acts_on_every_join(house: House) -> None:
    answer = await house.run("raid on", {"duration": "1h"}, by=ADMIN)
    assert "locked down" in answer["data"]["content"]
    users = await wave(house, 2)
    await house.work(WAVE_KIND, early=True)
    assert sorted(row[1] for row in await raid_cases(house)) == sorted(users)
    assert "lockdown" in str((await house.run("raid status", by=ADMIN))["data"]["embeds"])
    await house.run("raid off", by=ADMIN)
    await house.work(WAVE_KIND, early=True)
    assert house.guild_state.invites_disabled_until_ms is None
    await wave(house, 1, first=70)
    await house.work(WAVE_KIND, early=True)
    assert len(await raid_cases(house)) == 2
    assert "no raid" in (await house.run("raid off", by=ADMIN))["data"]["content"]


async def test_a_raid_that_is_off_is_not_raised_again_by_the_next_join(house: House) -> None:
    await configure(house, joins=10, seconds=60, sanction="timeout")
    await wave(house, 40)
    await house.work(WAVE_KIND, early=True)
    await house.run("raid off", by=ADMIN)
    await house.work(WAVE_KIND, early=True)
    house.shift += timedelta(seconds=30)
    await wave(house, 1, first=500)
    await house.work(WAVE_KIND, early=True)
    assert (await house.service(RaidAlarm).status(house.guild)).level is Level.CALM
    assert len(await raid_cases(house)) == 40
    assert house.guild_state.invites_disabled_until_ms is None


async def test_a_raid_that_calmed_down_is_not_raised_again_by_the_next_join(house: House) -> None:
    await configure(house, joins=5, seconds=3600, sanction="timeout", calm_minutes=1)
    await wave(house, 8)
    await house.work(WAVE_KIND, early=True)
    alarm = house.service(RaidAlarm)
    for _ in range(2):
        house.shift += timedelta(minutes=2)
        await alarm.calm(house.guild)
    assert (await alarm.status(house.guild)).level is Level.CALM
    await wave(house, 1, first=500)
    assert (await alarm.status(house.guild)).level is Level.CALM


async def test_who_was_kicked_and_comes_back_is_kicked_again(house: House) -> None:
    await configure(house, joins=5, seconds=60, sanction="kick")
    users = await wave(house, 12)
    await house.work(WAVE_KIND, early=True)
    for _ in range(2):
        house.shift += timedelta(seconds=5)
        for user in users:
            house.world.join_member(house.guild, user, quietly=True)
            for _delivery in range(2):
                await house.service(RaidAlarm).joined(house.guild, UserId(user), house.now())
        await house.work(WAVE_KIND, early=True)
    assert not set(users) & set(house.guild_state.members)
    assert sorted(row[1] for row in await raid_cases(house)) == sorted(users * 3)


async def test_a_longer_lockdown_pauses_invites_for_longer(house: House) -> None:
    await house.run("raid on", {"duration": "2h"}, by=ADMIN)
    await house.work(WAVE_KIND, early=True)
    first = house.guild_state.invites_disabled_until_ms
    await house.run("raid on", {"duration": "5h"}, by=ADMIN)
    await house.work(WAVE_KIND, early=True)
    second = house.guild_state.invites_disabled_until_ms
    assert first is not None and second is not None
    assert second - first >= 3 * 3_600_000
    # and one that ends before it was carried out leaves nothing paused
    await house.run("raid on", {"duration": "6h"}, by=ADMIN)
    await house.run("raid off", by=ADMIN)
    await house.work(WAVE_KIND, early=True)
    assert house.guild_state.invites_disabled_until_ms is None


async def test_settings_are_checked(house: House) -> None:
    answer = await house.run(
        "raid settings", {"joins": 20, "seconds": 30, "action": "ban", "calm": "30m"}, by=ADMIN
    )
    assert "20 joins in 30 s" in str(answer["data"]["embeds"])
    stored = (await house.service(RaidAlarm).status(house.guild)).settings
    assert (stored.joins, stored.sanction, stored.calm_minutes) == (20, "ban", 30)
    assert (await house.run("raid settings", {"calm": "2d"}, by=ADMIN))["data"]["content"].startswith(
        "That is too"
    )


def test_the_moment_of_joining() -> None:
    from app.features.moderation.raid.alarm import moment

    assert moment(None, 1000) == datetime.fromtimestamp(1, UTC)
