"""Moderation with people in the loop, in the whole running system: report, review, undo, appeal, history, purge."""

from __future__ import annotations

import pytest

from sandbox.world import seed

from .conftest import System
from .room import Room, said

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def room(system: System) -> Room:
    return Room(system, "The Reading Room", queue="recommendations")


def test_a_report_is_decided_by_button_and_undone(room: Room) -> None:
    message = room.post("lena", "you are all terrible people")
    reported = room.menu("Report", "jonas", message)
    assert "The moderators have it now" in said(reported)
    modal = room.press(reported["message_id"], "Say what is wrong", "jonas")
    assert "The moderators have it now" in said(room.submit(modal, "jonas", reason="insulting"))
    [item] = room.wait(lambda: room.reviews("insulting"))
    assert "> you are all terrible people" in str(item["embeds"])
    room.press(item["id"], "Timeout", "priya")
    [item] = room.wait(lambda: [one for one in room.reviews("insulting") if "Outcome" in str(one["embeds"])])
    assert not room.stands(message)
    assert "You were timed out in **The Reading Room**." in str(room.dms("lena")[-1]["content"])
    room.press(item["id"], "Undo", "priya")
    room.wait(lambda: "Undone" in str(room.reviews("insulting")[0]["embeds"]))
    room.wait(lambda: "was lifted" in str(room.dms("lena")[-1]["content"]))
    record = room.run("history", "priya", user=str(seed.LENA))
    assert "Timeout lifted" in str(record["message"])
    assert str(record["message"]).count("Timeout") == 2


def test_a_severe_verdict_is_reviewed_and_taken_back(room: Room) -> None:
    # Somebody of this test's own: others ban and time out the people of the seed.
    joined = room.system.admin("POST", f"/guilds/{room.guild['id']}/members", user="severin")
    severin = str(joined["user"]["id"])
    room.run("rule words", "tomas", name="severe", listed="zorgblat", consequence="ban")
    message = room.post("severin", "such z o r g b l a t today")
    room.wait(lambda: severin in str(room.bans()))
    [item] = room.wait(lambda: room.reviews("z o r g b l a t"))
    assert "4: ban" in str(item["embeds"])
    assert not room.stands(message)
    room.press(item["id"], "Claim", "priya")
    assert "has claimed this" in said(room.press(item["id"], "Dismiss", "tomas"))
    room.press(item["id"], "Dismiss", "priya")
    room.wait(lambda: severin not in str(room.bans()))
    room.wait(
        lambda: ["Dismissed by" in str(one["embeds"]) for one in room.reviews("z o r g b l a t")] == [True]
    )
    assert "0 strikes count now" in str(room.run("history", "priya", user=severin)["message"])


def test_an_appeal_goes_to_somebody_else_and_comes_back(room: Room) -> None:
    room.run("warn", "priya", member=str(seed.DIEGO), reason="off topic")
    dm = room.wait(lambda: room.dms("diego"))[-1]
    modal = room.press(dm["id"], "Appeal", "diego")
    answered = room.submit(modal, "diego", text="It was about the book, promise.")
    assert "Your appeal is with the moderators." in said(answered)
    [item] = room.wait(lambda: room.reviews("promise"))
    assert "Somebody else has to look" in said(room.press(item["id"], "Overturn", "priya"))
    room.press(item["id"], "Overturn", "tomas")
    room.wait(lambda: "Your appeal was successful" in str(room.dms("diego")[-1]["content"]))
    first = next(one for one in room.dms("diego") if one["id"] == dm["id"])
    assert "Your appeal was successful" in first["content"]
    assert first["components"] == []


def test_what_is_done_by_hand_becomes_a_case(room: Room) -> None:
    body = {"as": "priya", "reason": "by hand"}
    room.system.admin("PUT", f"/guilds/{room.guild['id']}/bans/{seed.SAM}", **body)

    def record() -> str:
        return str(room.run("history", "tomas", user=str(seed.SAM))["message"])

    room.wait(lambda: "by hand" in record())
    assert f"<@{seed.PRIYA}>" in record()


def test_purge_and_bulk_ban_finish_as_jobs(room: Room) -> None:
    posted = [room.post("aiko", f"spam {number}") for number in range(5)]
    done = room.run("purge", "priya", count=50, contains="spam")
    room.wait(lambda: "5 messages were removed" in room.now(done))
    assert not set(posted) & {one["id"] for one in room.messages(room.general)}
    done = room.run("bulk-ban", "priya", users=f"<@{seed.ROBIN}> {seed.TOMAS}", reason="test")
    room.wait(lambda: "1 account was banned." in room.now(done))
    assert f"<@{seed.TOMAS}>: Administrators" in room.now(done)


def test_the_audit_log_holds_after_all_this(room: Room) -> None:
    done = room.system.gatehouse("audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
