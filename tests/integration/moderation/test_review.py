"""The review queue over real PostgreSQL and the sandbox's REST: posted, claimed, decided once, undone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.adapters.postgres.pool import transaction
from app.features.moderation.audit import AuditLog
from app.features.moderation.authority import Refusal
from app.features.moderation.cases import store as cases
from app.features.moderation.models import Finding, Sanction, Severity, Source, Subject
from app.features.moderation.review import store
from app.features.moderation.review.act import Act
from app.features.moderation.review.queue import Reviews
from app.features.moderation.review.store import Item, NewItem
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.features.moderation.verdicts import Judged, Verdict, Verdicts
from app.snowflake import ChannelId, MessageId, UserId
from app.streams.retry import TryLater
from sandbox.trouble import RestKind, RestTrouble
from tests.fixtures.moderation import (
    ADMIN,
    MEMBER,
    MODERATOR,
    SECOND,
    House,
    button,
    labels,
)


async def verdict(
    house: House, severity: Severity, *, unsure: bool = False, by: int = MEMBER, text: str = "vile words"
) -> Verdict:
    """A message is posted and judged; what was decided is carried out."""
    posted = house.world.post_message(house.channel, by, text)
    subject = Subject(house.guild, ChannelId(house.channel), UserId(by), MessageId(posted.id))
    finding = Finding(Source.AGENT, severity, "hate", "hate (agent)", unsure=unsure)
    settings = await house.guild_settings.get(house.guild, FEATURE, ModerationSettings)
    decided = await house.service(Verdicts).decide(Judged(subject, text, text, [finding]), settings)
    assert decided is not None
    if decided.case is not None:
        await house.services_carry_out(decided.case)
    return decided


async def items(house: House) -> list[Item]:
    async with transaction(house.pool) as conn:
        return await store.open_items(conn, house.guild, after=0, limit=10)


async def only_item(house: House) -> Item:
    [found] = await items(house)
    return found


def posts(house: House) -> list[Any]:
    return house.written(house.review_channel)


async def test_severity_4_is_posted_with_evidence_and_approved(house: House) -> None:
    await house.review_here()
    decided = await verdict(house, Severity.BAN)
    assert decided.case is not None
    assert MEMBER in house.guild_state.bans
    await house.work(store.POST_KIND)
    [message] = posts(house)
    shown = str(message.embeds)
    assert "> vile words" in shown
    assert f"Case {decided.case.number}" in shown
    assert labels(message) == ["Approve", "Dismiss", "Timeout", "Ban", "Claim"]
    answer = await house.press(button(message, "Approve"))
    assert answer["type"] == 7
    assert "Approved by" in str(answer)
    await house.work(store.POST_KIND)
    [message] = posts(house)
    assert "Approved by" in str(message.embeds)
    assert labels(message) == ["Undo"]


async def test_undo_lifts_the_ban_and_the_strike_and_writes_a_case(house: House) -> None:
    await house.review_here()
    decided = await verdict(house, Severity.BAN)
    assert decided.case is not None
    await house.work(store.POST_KIND)
    approved = await house.press(button(posts(house)[0], "Approve"))
    async with transaction(house.pool) as conn:
        assert await cases.strikes_of(conn, house.guild, UserId(MEMBER), house.now()) == 4
    undone = await house.press(button(approved, "Undo"))
    assert "Undone" in str(undone)
    assert MEMBER not in house.guild_state.bans
    lifted = await house.case(decided.case.number + 1)
    assert (lifted.sanction, lifted.origin, lifted.moderator_id) == ("unban", "review", MODERATOR)
    assert (await house.case(decided.case.number)).state == "lifted"
    async with transaction(house.pool) as conn:
        assert await cases.strikes_of(conn, house.guild, UserId(MEMBER), house.now()) == 0
        assert await AuditLog().verify(conn, house.guild) == []
    again = await house.press(button(approved, "Undo"))
    assert "changed meanwhile" in str(again)


async def test_dismissing_a_punished_verdict_lifts_it(house: House) -> None:
    await house.review_here()
    await verdict(house, Severity.BAN)
    await house.work(store.POST_KIND)
    answer = await house.press(button(posts(house)[0], "Dismiss"))
    assert "Dismissed by" in str(answer)
    assert MEMBER not in house.guild_state.bans


@pytest.mark.parametrize(
    ("label", "sanction"),
    [("Approve", "delete"), ("Delete message", "delete"), ("Timeout", "timeout"), ("Ban", "ban")],
)
async def test_an_unsure_finding_is_decided_by_people(house: House, label: str, sanction: str) -> None:
    await house.review_here()
    decided = await verdict(house, Severity.DELETE, unsure=True)
    assert decided.case is None
    await house.work(store.POST_KIND)
    [message] = posts(house)
    item = await only_item(house)
    assert item.message_id in {m.id for m in house.world.history(house.channel)}
    await house.press(button(message, label))
    opened = await house.case(1)
    assert (opened.sanction, opened.origin, opened.state) == (sanction, "review", "done")
    assert opened.moderator_id == MODERATOR
    async with transaction(house.pool) as conn:
        assert await cases.strikes_of(conn, house.guild, UserId(MEMBER), house.now()) == 1
    assert item.message_id not in {m.id for m in house.world.history(house.channel)}
    member = house.guild_state.members.get(MEMBER)
    assert (MEMBER in house.guild_state.bans) == (sanction == "ban")
    assert bool(member and member.timed_out_until_ms) == (sanction == "timeout")


async def test_the_second_moderator_sees_what_the_first_decided(house: House) -> None:
    await house.review_here()
    await verdict(house, Severity.DELETE, unsure=True)
    await house.work(store.POST_KIND)
    [message] = posts(house)
    await house.press(button(message, "Dismiss"))
    answer = await house.press(button(message, "Ban"), by=ADMIN)
    assert "changed meanwhile" in answer["data"]["content"]
    assert "Dismissed by" in str(answer)
    assert labels(answer) == []
    assert not house.guild_state.bans


async def test_a_claimed_item_is_kept_for_half_an_hour(house: House) -> None:
    await house.review_here()
    await verdict(house, Severity.DELETE, unsure=True)
    await house.work(store.POST_KIND)
    claimed = await house.press(button(posts(house)[0], "Claim"))
    assert "Claimed by" in str(claimed)
    refused = await house.press(button(claimed, "Ban"), by=ADMIN)
    assert "has claimed this" in refused["data"]["content"]
    assert refused["data"]["flags"] == 64
    assert not house.guild_state.bans
    house.shift = timedelta(minutes=31)
    await house.press(button(claimed, "Ban"), by=ADMIN)
    assert MEMBER in house.guild_state.bans


async def test_what_authority_cannot_look_up_is_left_to_people(house: House) -> None:
    house.sandbox.trouble.add(RestTrouble(kind=RestKind.SERVER_ERROR, route="GET /guilds/*"))
    with pytest.raises(TryLater):  # a fresh message is looked at again first
        await verdict(house, Severity.TIMEOUT)
    house.shift = timedelta(hours=1)
    decided = await verdict(house, Severity.TIMEOUT)
    assert (decided.refusal, decided.case) == (Refusal.UNKNOWN, None)
    house.sandbox.trouble.clear()
    assert (await only_item(house)).proposed == "timeout"
    shown = await house.run("review")
    assert "Approve" in labels(shown)
    await house.press(button(shown, "Approve"))
    assert house.guild_state.members[MEMBER].timed_out_until_ms


async def test_members_cannot_decide_and_peers_are_protected(house: House) -> None:
    await house.review_here()
    await verdict(house, Severity.DELETE, unsure=True)
    await house.work(store.POST_KIND)
    [message] = posts(house)
    assert "moderators only" in (await house.press(button(message, "Ban"), by=SECOND))["data"]["content"]
    peers = await house.reviews_open(NewItem(house.guild, "report:5", "report", UserId(ADMIN)))
    refused = await house.press(house.decide(peers, Act.TIMEOUT))
    assert refused["data"]["flags"] == 64
    assert (await only_items(house, 2))[1].state == "open"
    assert not house.guild_state.bans


@pytest.mark.parametrize("label", ["Dismiss", "Claim"])
async def test_nobody_decides_about_a_report_of_oneself(house: House, label: str) -> None:
    await house.review_here()
    reported = house.world.post_message(house.channel, MODERATOR, "abuse")
    await house.report(reported, by=MEMBER)
    await house.work(store.POST_KIND)
    pressed = button(posts(house)[0], label)
    refused = await house.press(pressed)
    assert refused["data"]["content"] == "You cannot do that to yourself."
    assert (await only_item(house)).claimed_by is None
    await house.press(pressed, by=ADMIN)
    assert (label == "Dismiss") == (await items(house) == [])


async def only_items(house: House, count: int) -> list[Item]:
    found = await items(house)
    assert len(found) == count
    return found


async def test_a_report_keeps_the_text_and_collects_reporters(house: House) -> None:
    await house.review_here()
    reported = house.world.post_message(house.channel, MEMBER, "something nasty")
    for reporter in (SECOND, ADMIN, SECOND):
        answer = await house.report(reported, by=reporter)
        assert "moderators have it" in answer["data"]["content"]
    modal = await house.press(button(answer, "Say what is wrong"), by=SECOND)
    await house.submit(modal, {"reason": "It is mean"}, by=SECOND)
    house.world.delete_message(house.channel, reported.id, actor=MEMBER)
    await house.work(store.POST_KIND)
    [message] = posts(house)
    shown = str(message.embeds)
    assert "> something nasty" in shown
    assert f"<@{SECOND}> <@{ADMIN}>" in shown
    assert "It is mean" in shown
    await house.press(button(message, "Delete message"))
    assert (await house.case(1)).state == "done"
    async with transaction(house.pool) as conn:
        assert await cases.strikes_of(conn, house.guild, UserId(MEMBER), house.now()) == 0
    late = await house.report(reported, by=ADMIN)
    assert "dealt with this message already" in late["data"]["content"]
    own = await house.report(reported, by=MEMBER)
    assert "your own message" in own["data"]["content"]


async def test_review_pages_through_what_is_open(house: House) -> None:
    assert "Nothing waits" in (await house.run("review"))["data"]["content"]
    for number in range(3):
        await verdict(house, Severity.DELETE, unsure=True, text=f"text {number}")
    first = await house.run("review")
    assert "3 items wait" in first["data"]["content"]
    assert "text 0" in str(first)
    on = {"id": "5", "channel_id": "6", "flags": 64, "components": [], "embeds": []}
    decided = await house.press(button(first, "Dismiss"), on=on)
    second = await house.press(button(decided, "Next"), on=on)
    assert "text 1" in str(second)
    third = await house.press(button(second, "Next"), on=on)
    assert "text 2" in str(third)
    assert "text 1" in str(await house.press(button(third, "Next"), on=on))


async def test_evidence_is_forgotten_also_in_the_channel(house: House) -> None:
    await house.review_here()
    await verdict(house, Severity.DELETE, unsure=True)
    await house.work(store.POST_KIND)
    assert "vile words" in str(posts(house)[0].embeds)
    house.shift = timedelta(days=15)
    await house.work("moderation.forget", early=True)
    await house.work(store.POST_KIND, early=True)
    assert "vile words" not in str(posts(house)[0].embeds)
    assert "not kept any more" in str(posts(house)[0].embeds)


async def test_an_item_without_a_channel_waits_in_the_queue(house: House) -> None:
    await verdict(house, Severity.DELETE, unsure=True)
    await house.work(store.POST_KIND)
    assert (await only_item(house)).posted_message is None
    await house.set(review_channel=999)
    item = await only_item(house)
    async with transaction(house.pool) as conn:
        await store.have_shown(conn, house.guild, item.item_id, house.now())
    await house.work(store.POST_KIND)  # a channel that is not there stops nothing
    assert (await only_item(house)).state == "open"


async def test_a_thousand_races_have_one_result_each(house: House) -> None:
    """Two moderators press different buttons of the same item at the same time."""
    reviews = house.service(Reviews)
    acts = (Act.DISMISS, Act.APPROVE)
    gate = asyncio.Semaphore(4)

    async def race(number: int) -> None:
        new = NewItem(
            house.guild, f"report:{number}", "verdict", UserId(MEMBER), severity=1, proposed=Sanction.WARN
        )
        async with gate:
            item = await house.reviews_open(new)
            results = await asyncio.gather(
                *(
                    reviews.resolve(house.guild, item.item_id, item.version, act, by=UserId(by))
                    for act, by in zip(acts, (MODERATOR, ADMIN), strict=True)
                )
            )
        assert sorted(result.done for result in results) == [False, True]
        assert {result.item.resolution for result in results} == {
            act.value for act, result in zip(acts, results, strict=True) if result.done
        }

    house.stub_carry_out()
    await asyncio.gather(*(race(number) for number in range(1000)))
    async with transaction(house.pool) as conn:
        cursor = await conn.execute(
            "SELECT resolution, count(*), count(resolution_case) FROM moderation.review_items GROUP BY 1"
        )
        found = {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}
        cursor = await conn.execute("SELECT count(*), max(number) FROM moderation.cases")
        [counted] = await cursor.fetchall()
    assert sum(total for total, _ in found.values()) == 1000
    approved = found.get("approve", (0, 0))
    assert approved[0] == approved[1] == counted[0] == (counted[1] or 0)
