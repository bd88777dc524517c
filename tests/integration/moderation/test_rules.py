"""Rules that ask Redis, Discord and the database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from app.adapters.postgres.pool import transaction
from app.errors import UserError
from app.events.message import Message, message_of
from app.features.moderation.automod import Automod
from app.features.moderation.models import Sanction, Severity
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.engine import Rules
from app.features.moderation.rules.kind import Tools
from app.features.moderation.rules.slow import KIND as SLOW_KIND
from app.features.moderation.rules.slow import TIMES, SlowRules
from app.features.moderation.rules.windows import RedisWindows, ReplayedWindows
from app.snowflake import DISCORD_EPOCH_MS, UserId
from tests.fixtures.moderation import ADMIN, MEMBER, MODERATOR, SECOND, House

ROOT = Path(__file__).resolve().parents[3]
BASE_MS = 1_790_000_000_000


def written(
    house: House, content: str, *, by: int = MEMBER, at_ms: int = BASE_MS, low: int = 1, **fields: Any
) -> Message:
    key = ((at_ms - DISCORD_EPOCH_MS) << 22) | low
    roles = [str(role) for role in house.guild_state.members[by].roles]
    return message_of(
        {
            "id": str(key),
            "channel_id": str(house.channel),
            "guild_id": str(house.guild),
            "author": {"id": str(by), "username": "someone"},
            "member": {"roles": roles, "joined_at": "2026-01-01T00:00:00+00:00"},
            "content": content,
            **fields,
        }
    )


async def put(house: House, kind: str, name: str = "rule", **settings: Any) -> None:
    editing = house.service(RuleEditing)
    await editing.put(house.guild, kind, name, settings, severity=Severity.DELETE, by=UserId(ADMIN))


async def hits(house: House, message: Message) -> int:
    return len(await house.service(Rules).judge_message(message, house.now()))


async def test_a_flood_counts_by_the_time_of_writing(house: House) -> None:
    await put(house, "flood", most=3, seconds=5)
    found = [await hits(house, written(house, "x", at_ms=BASE_MS + n * 1000, low=n)) for n in range(5)]
    assert found == [0, 0, 0, 1, 1]
    # A backlog that is read at once was written over minutes: no flood.
    slow = [await hits(house, written(house, "x", by=SECOND, at_ms=BASE_MS + n * 10_000)) for n in range(5)]
    assert slow == [0] * 5


async def test_a_message_delivered_twice_counts_once(house: House) -> None:
    await put(house, "flood", most=2, seconds=5)
    first = written(house, "x")
    assert [await hits(house, first) for _ in range(4)] == [0] * 4
    assert await hits(house, written(house, "x", low=2)) == 0
    assert await hits(house, written(house, "x", low=3)) == 1


async def test_windows_are_atomic_over_many_processes(house: House, redis: Redis) -> None:
    windows = [RedisWindows(redis) for _ in range(4)]
    counts = await asyncio.gather(
        *(windows[n % 4].count("{1}:x", str(n), 1_000_000, 5_000) for n in range(60))
    )
    assert sorted(counts) == list(range(1, 61))


async def test_a_burst_that_is_judged_out_of_order_is_still_one(redis: Redis) -> None:
    windows = RedisWindows(redis)
    counts = [await windows.count("{1}:late", str(n), 10**12 + n * 1000, 5000) for n in (4, 3, 2, 1, 0)]
    assert counts == [1, 2, 3, 4, 5]
    assert await windows.count("{1}:late", "far", 10**12 + 20_000, 5000) == 1


async def test_a_replay_counts_as_redis_does(redis: Redis) -> None:
    real, replayed = RedisWindows(redis), ReplayedWindows()
    for n, at in enumerate([0, 1000, 1000, 4000, 5001, 5002, 12_000, 12_001]):
        key = "{1}:same"
        assert await real.count(key, str(n), 10**12 + at, 5000) == await replayed.count(
            key, str(n), 10**12 + at, 5000
        )


async def test_repeated_content_in_variations(house: House) -> None:
    await put(house, "repeat", most=2, seconds=60)
    texts = [
        "Buy gold now!",
        "buy GOLD now",
        "b\u0443\u0443 gold",
        "Buy gold now 4",
        "something else entirely",
    ]
    found = [await hits(house, written(house, text, low=n)) for n, text in enumerate(texts)]
    assert found == [0, 0, 0, 1, 0]


async def test_pictures_of_one_name_are_not_the_same_content(house: House) -> None:
    def picture(low: int, size: int) -> Message:
        file = {"id": str(low), "filename": "image.png", "size": size, "content_type": "image/png"}
        return written(house, "", low=low, attachments=[file])

    await put(house, "repeat", most=1, seconds=60)
    assert [await hits(house, picture(n, 1000 + n)) for n in range(3)] == [0, 0, 0]
    assert await hits(house, picture(9, 1000)) == 1


async def test_copied_spam_of_many_members(house: House) -> None:
    await put(house, "repeat", most=1, seconds=60, together=True)
    assert await hits(house, written(house, "free stuff here", by=MEMBER, low=1)) == 0
    assert await hits(house, written(house, "Free stuff here!!", by=SECOND, low=2)) == 1


async def test_without_redis_nothing_is_counted_and_the_rest_judges(house: House) -> None:
    await put(house, "flood", most=1, seconds=5)
    await put(house, "words", "w", words=["bad"])

    class Gone:
        async def count(self, *_args: Any) -> int:
            raise ConnectionError

    rules = house.service(Rules)
    known = await rules.of(house.guild)
    tools = rules._tools
    assert tools is not None
    findings = await known.watch(_sample(written(house, "bad")), house.now(), Tools(Gone(), tools.invites))
    assert [finding.category for finding in findings] == ["words"]


def _sample(message: Message) -> Any:
    from app.features.moderation.rules.kind import Sample

    return Sample.of_message(message)


async def test_own_and_partner_invites_are_allowed(house: House) -> None:
    other = next(guild.id for guild in house.world.guilds.values() if guild.id != house.guild)
    await put(house, "invites", allowed_guilds=[])
    own, foreign, dead = f"discord.gg/server-{house.guild}", f"discord.gg/server-{other}", "discord.gg/nobody"
    assert await hits(house, written(house, own)) == 0
    assert await hits(house, written(house, foreign)) == 1
    assert await hits(house, written(house, dead)) == 1
    assert await hits(house, written(house, f"{own} {foreign}")) == 1
    disguised = foreign.replace("o", "\u043e")
    assert await hits(house, written(house, f"{own} {disguised}")) == 1
    assert await hits(house, written(house, f"{own} {'x ' * 3000} {foreign}")) == 1
    assert await hits(house, written(house, f"{own} {'x ' * 3000} {own}")) == 0
    await put(house, "invites", allowed_guilds=[other])
    assert await hits(house, written(house, foreign)) == 0


async def test_an_invite_that_cannot_be_looked_up_goes_to_people(house: House) -> None:
    await put(house, "invites")
    tools = house.service(Rules)._tools
    assert tools is not None

    class Down:
        async def guild_of(self, code: str) -> int | None:
            from app.features.moderation.rules.kind import LookupFailed

            raise LookupFailed

    known = await house.service(Rules).of(house.guild)
    found = await known.watch(
        _sample(written(house, "discord.gg/abc")), house.now(), Tools(tools.windows, Down())
    )
    assert [finding.unsure for finding in found] == [True]


async def test_a_permission_exempts(house: House) -> None:
    await put(house, "words", words=["bad"])
    from app.interactions.permissions import Permission

    await house.service(RuleEditing).change(
        house.guild, "rule", by=UserId(ADMIN), exempt_permissions=int(Permission.MANAGE_MESSAGES)
    )
    assert await hits(house, written(house, "bad", by=MEMBER)) == 1
    assert await hits(house, written(house, "bad", by=MODERATOR)) == 0


async def test_exemptions_survive_a_new_version_of_the_rule(house: House) -> None:
    await put(house, "words", words=["bad"])
    editing = house.service(RuleEditing)
    await editing.change(house.guild, "rule", by=UserId(ADMIN), exempt_channels=[house.channel])
    await put(house, "words", words=["bad", "worse"])
    rule = await editing.find(house.guild, "rule")
    assert list(rule.exempt_channels) == [house.channel] and rule.version == 3


async def test_a_slow_regex_is_refused_when_it_is_saved(house: House) -> None:
    patterns = [f"[a-z]{{0,40}}{a}[a-z]{{0,40}}{b}[a-z]{{0,40}}" for a in "abcd" for b in "wxyz"]
    with pytest.raises(UserError) as refused:
        await put(house, "regex", patterns=patterns)
    assert "ms" in str(refused.value.text.params["problem"])


async def test_a_flood_is_deleted_and_punished_once(house: House) -> None:
    await put(house, "flood", most=2, seconds=5)
    automod = house.service(Automod)
    sanctions = []
    for n in range(6):
        verdict = await automod.check(written(house, "spam", low=n))
        sanctions.append(None if verdict is None else verdict.sanction)
    assert sanctions[:2] == [None, None]
    assert sanctions[2:] == [Sanction.DELETE, Sanction.DELETE, Sanction.TIMEOUT, Sanction.DELETE]


async def test_rule_commands(house: House) -> None:
    async def run(path: str, by: int = ADMIN, **options: Any) -> str:
        answer = await house.run(path, options, by=by)
        data = answer["data"]
        return str(data.get("content", "")) + str(data.get("embeds", ""))

    assert "in force" in await run("rule regex", name="r", pattern="b[ae]d", consequence="delete")
    assert "in force" in await run("rule regex", name="r", pattern="worse", consequence="delete", add=True)
    assert "missing" in await run("rule regex", name="q", pattern="(", consequence="delete")
    assert "in force" in await run("rule links", name="l", consequence="delete", domains="evil.example")
    assert "no domain list" in await run("rule links", name="m", consequence="delete", lists="nothing")
    assert "shadow" in await run("rule caps", name="c", consequence="warn", shadow=True)
    for kind in ("zalgo", "mentions", "emoji", "newlines", "attachments", "flood", "repeat"):
        assert "in force" in await run(f"rule {kind}", name=kind, consequence="warn")
    assert "in force" in await run("rule account", name="a", consequence="delete", account_hours=24)
    assert "how old" in await run("rule account", name="b", consequence="delete")
    assert "changed" in await run("rule exempt", name="r", permission="manage messages")
    assert "in force" in await run("rule adjust", name="r", action="kick", expires="2h")
    seen = await run("rule view", name="r")
    assert "kick" in seen and "manage_messages" in seen and "b[ae]d" in seen and "worse" in seen
    assert "no rule" in await run("rule adjust", name="nope", action="kick")
    rule = await house.service(RuleEditing).find(house.guild, "r")
    assert rule.expires_at is not None and rule.expires_at < house.now() + timedelta(hours=3)
    assert rule.sanction == "kick"
    async with transaction(house.pool) as conn:
        row = await (await conn.execute("SELECT count(*) FROM moderation.rule_versions")).fetchone()
    assert row is not None and row[0] >= 14


@pytest.mark.parametrize(("seconds", "stays"), [(0.006, True), (0.06, False)])
async def test_a_rule_that_is_slow_all_the_same_is_told_and_a_hopeless_one_switched_off(
    house: House, seconds: float, stays: bool
) -> None:
    await house.set(log_channel=house.review_channel)
    await put(house, "words", words=["bad"])
    editing = house.service(RuleEditing)
    slow = SlowRules(house.pool, house.now)
    rule = await editing.find(house.guild, "rule")
    for _ in range(TIMES + 5):
        await slow.note(rule, seconds)
    await house.work(SLOW_KIND)
    [told] = house.written(house.review_channel)
    assert "“rule”" in told.content and f"{seconds * 1000:.0f} ms" in told.content
    assert (await editing.find(house.guild, "rule")).enabled is stays
    assert await hits(house, written(house, "bad")) == stays


async def test_slow_calls_are_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(house, "words", words=["bad"])
    noted: list[float] = []

    async def note(_self: SlowRules, _rule: object, seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr(SlowRules, "note", note)
    assert await hits(house, written(house, "bad")) == 1
    assert noted == []
    monkeypatch.setattr("app.features.moderation.rules.engine.BUDGET_SECONDS", 0.0)
    assert await hits(house, written(house, "bad")) == 1
    assert len(noted) == 1


async def test_a_server_has_a_few_rules_of_regexes(house: House) -> None:
    for number in range(10):
        await put(house, "regex", f"r{number}", patterns=[f"evil{number}"])
    await put(house, "regex", "r3", patterns=["evil33"])  # a change is no new one
    with pytest.raises(UserError, match="of this kind"):
        await put(house, "regex", "r10", patterns=["evil10"])


async def test_a_rule_of_another_kind_is_not_replaced(house: House) -> None:
    editing = house.service(RuleEditing)
    await editing.put(
        house.guild,
        "words",
        "mine",
        {"words": ["bad"]},
        severity=Severity.WARN,
        shadow=True,
        by=UserId(ADMIN),
    )
    for path, options in (
        ("rule caps", {"name": " mine "}),
        ("rule regex", {"name": "mine", "pattern": "x", "add": True}),
    ):
        answer = await house.run(path, options | {"consequence": "ban"}, by=ADMIN)
        assert "another kind: `words`" in answer["data"]["content"]
    kept = await editing.find(house.guild, "mine")
    assert (kept.kind, kept.shadow, kept.settings["words"], kept.version) == ("words", True, ["bad"], 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (" ", "`name` is empty"),
        ("\u200b\u2060", "can be seen"),
        ("\u3164", "can be seen"),
        ("a\0", "cannot be used"),
    ],
)
async def test_a_rule_needs_a_name_to_be_seen(house: House, name: str, said: str) -> None:
    options = {"name": name, "listed": "bad", "consequence": "warn"}
    assert said in (await house.run("rule words", options, by=ADMIN))["data"]["content"]
    assert await house.service(RuleEditing).all(house.guild) == []


async def test_a_rule_that_is_off_stays_off_when_it_is_adjusted(house: House) -> None:
    await put(house, "words", words=["bad"])
    await house.run("rule switch", {"name": "rule", "to": "off"}, by=ADMIN)
    answer = await house.run("rule adjust", {"name": "rule", "consequence": "ban"}, by=ADMIN)
    assert "stays off" in answer["data"]["content"]


async def test_names_that_kept_their_spaces_lose_them(house: House) -> None:
    for name in ("a", "a ", " b", "b\t", "c"):
        await put(house, "words", name, words=["bad"])
    migration = (ROOT / "sql/migrations/0012_moderation_names.sql").read_text()
    async with transaction(house.pool) as conn:
        await conn.execute("UPDATE moderation.rules SET name = ' ' WHERE name = 'c'")
        await conn.execute(migration)
    rules = await house.service(RuleEditing).all(house.guild)
    ids = {rule.name: rule.rule_id for rule in rules}
    assert {"a", "b"} < set(ids) and len(ids) == 5
    assert all(name in {"a", "b"} or name.endswith(f" {key}") for name, key in ids.items())
    assert any(name.startswith("rule ") for name in ids)
