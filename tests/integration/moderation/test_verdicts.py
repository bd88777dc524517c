"""One verdict per message: what is decided again leaves nothing behind, and no lock is taken the other way round."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from app.adapters.postgres.pool import transaction
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.store import NewCase
from app.features.moderation.decisions import store as decisions
from app.features.moderation.decisions.explain import explain
from app.features.moderation.models import Finding, Sanction, Severity, Source, Subject
from app.features.moderation.review import store
from app.features.moderation.review.act import Act
from app.features.moderation.review.queue import Reviews
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.features.moderation.verdicts import Judged, Verdict, Verdicts
from app.snowflake import ChannelId, MessageId, UserId
from tests.fixtures.moderation import ADMIN, MEMBER, House


async def decide(
    house: House, number: int, severity: Severity = Severity.TIMEOUT, *, unsure: bool = False
) -> Verdict | None:
    subject = Subject(house.guild, ChannelId(house.channel), UserId(MEMBER), MessageId(number))
    finding = Finding(Source.AGENT, severity, "hate", "hate (agent)", unsure=unsure)
    settings = await house.guild_settings.get(house.guild, FEATURE, ModerationSettings)
    return await house.service(Verdicts).decide(Judged(subject, "vile", "vile", [finding]), settings)


async def strikes(house: House) -> int:
    async with transaction(house.pool) as conn:
        return await cases.strikes_of(conn, house.guild, UserId(MEMBER), house.now())


async def test_a_verdict_that_is_reached_again_later_claims_no_punishment(house: House) -> None:
    await house.set(ladder=())
    assert await decide(house, 1)
    house.shift = timedelta(minutes=1)
    assert await decide(house, 1) is None
    second = await decide(house, 2)
    assert second is not None
    assert second.sanction is Sanction.TIMEOUT


async def test_a_verdict_of_what_is_decided_already_leaves_no_strike(house: House) -> None:
    await house.set(strike_weights={Severity.WARN: 0, Severity.DELETE: 1})
    assert await decide(house, 1, Severity.WARN)
    assert await decide(house, 1, Severity.DELETE) is None
    assert await strikes(house) == 0


async def test_what_waits_for_people_keeps_no_other_stage_from_acting(house: House) -> None:
    asked = await decide(house, 1, Severity.DELETE, unsure=True)
    assert asked is not None
    assert await decide(house, 1, Severity.DELETE, unsure=True) is None
    acted = await decide(house, 1)
    assert acted is not None
    assert acted.case is not None
    assert (acted.sanction, acted.case.decision_id) == (Sanction.TIMEOUT, acted.decision_id)
    assert await decide(house, 1) is None
    assert await strikes(house) == 2
    async with transaction(house.pool) as conn:
        [item] = await store.open_items(conn, house.guild, after=0, limit=10)
        assert item.decision_id == asked.decision_id
        for decision in (asked.decision_id, acted.decision_id):
            record = await decisions.find(conn, decision)
            assert record is not None
            assert (await explain(conn, record)).holds


async def test_a_review_locks_strikes_before_cases(
    house: House, wait_until: Callable[..., Awaitable[Any]]
) -> None:
    """As verdicts do, a transaction strikes the member and then opens a case while a review punishes the same."""
    house.stub_carry_out()
    await decide(house, 1, Severity.DELETE, unsure=True)
    reviews = house.service(Reviews)
    async with transaction(house.pool) as conn:
        [item] = await store.open_items(conn, house.guild, after=0, limit=10)
        now = house.now()
        await cases.strike(
            conn, house.guild, UserId(MEMBER), "m:2", weight=1, at=now, expires_at=now + timedelta(days=1)
        )
        resolving = asyncio.create_task(
            reviews.resolve(house.guild, item.item_id, item.version, Act.BAN, by=UserId(ADMIN))
        )
        await wait_until(house.lock_is_waited_for)
        assert await cases.open_case(conn, NewCase(house.guild, "m:2", "warn", "automatic", UserId(MEMBER)))
    resolved = await resolving
    assert resolved.case is not None
    assert resolved.case.number == 2
    assert await strikes(house) == 2
