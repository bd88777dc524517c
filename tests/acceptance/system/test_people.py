"""Moderation with people in the loop, in the whole running system: report, review, undo, appeal, history, purge."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.world import seed

from .conftest import System

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

GUILD = "The Reading Room"


class Reading:
    """The Reading Room of a running system."""

    def __init__(self, system: System) -> None:
        self.system = system
        world = system.admin("GET", "/world")
        self.guild = next(guild for guild in world["guilds"] if guild["name"] == GUILD)
        channels = {channel["name"]: channel["id"] for channel in self.guild["channels"]}
        self.general, self.queue = channels["general"], channels["recommendations"]

    def run(self, name: str, who: str, /, **options: Any) -> dict[str, Any]:
        answer = self.system.admin(
            "POST",
            "/commands",
            **{"name": name, "as": who, "channel": self.general, "options": options, "wait_seconds": 30},
        )
        assert answer["state"] == "answered", answer
        return dict(answer)

    def menu(self, name: str, who: str, message: str) -> dict[str, Any]:
        body = {"name": name, "as": who, "channel": self.general, "type": 3, "target": message}
        return dict(self.system.admin("POST", "/commands", **body))

    def now(self, outcome: dict[str, Any]) -> str:
        """What the answer to an interaction says now: a job edits it."""
        return said(self.system.admin("GET", f"/interactions/{outcome['interaction_id']}"))

    def press(self, message: str, label: str, who: str) -> dict[str, Any]:
        body = {"label": label, "as": who, "wait_seconds": 30}
        return dict(self.system.admin("POST", f"/messages/{message}/press", **body))

    def submit(self, outcome: dict[str, Any], who: str, **values: str) -> dict[str, Any]:
        assert outcome["modal"], outcome
        path = f"/modals/{outcome['modal']['modal_id']}/submit"
        return dict(self.system.admin("POST", path, **{"as": who, "values": values, "wait_seconds": 30}))

    def post(self, who: str, text: str) -> str:
        body = {"as": who, "channel": self.general, "content": text}
        return str(self.system.admin("POST", "/messages", **body)["id"])

    def messages(self, channel: str) -> list[dict[str, Any]]:
        return list(self.system.admin("GET", f"/channels/{channel}/messages"))

    def wait(self, what: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, self.system.output.read_text()[-3000:]
            time.sleep(0.1)
        return found

    def reviews(self, text: str) -> list[dict[str, Any]]:
        return [message for message in self.messages(self.queue) if text in str(message["embeds"])]

    def dms(self, who: str) -> list[dict[str, Any]]:
        return list(self.system.admin("GET", f"/dms/{who}"))


@pytest.fixture(scope="module")
def room(system: System) -> Reading:
    reading = Reading(system)
    shown = reading.run("moderation channels", "tomas", review=reading.queue)
    assert f"<#{reading.queue}>" in str(shown["message"])
    return reading


def said(outcome: dict[str, Any]) -> str:
    return str((outcome["message"] or outcome["reply"])["content"])


def test_a_report_is_decided_by_button_and_undone(room: Reading) -> None:
    message = room.post("lena", "you are all terrible people")
    reported = room.menu("Report", "jonas", message)
    assert "The moderators have it now" in said(reported)
    modal = room.press(reported["message_id"], "Say what is wrong", "jonas")
    assert "The moderators have it now" in said(room.submit(modal, "jonas", reason="insulting"))
    [item] = room.wait(lambda: room.reviews("insulting"))
    assert "> you are all terrible people" in str(item["embeds"])
    room.press(item["id"], "Timeout", "priya")
    [item] = room.wait(lambda: [one for one in room.reviews("insulting") if "Outcome" in str(one["embeds"])])
    assert message not in {one["id"] for one in room.messages(room.general)}
    assert "You were timed out in **The Reading Room**." in str(room.dms("lena")[-1]["content"])
    room.press(item["id"], "Undo", "priya")
    room.wait(lambda: "Undone" in str(room.reviews("insulting")[0]["embeds"]))
    room.wait(lambda: "was lifted" in str(room.dms("lena")[-1]["content"]))
    record = room.run("history", "priya", user=str(seed.LENA))
    assert "timeout" in str(record["message"])
    assert "untimeout" in str(record["message"])


def test_a_severe_verdict_is_reviewed_and_taken_back(room: Reading) -> None:
    # Somebody of this test's own: others ban and time out the people of the seed.
    joined = room.system.admin("POST", f"/guilds/{room.guild['id']}/members", user="severin")
    severin = str(joined["user"]["id"])
    room.run("rule words", "tomas", name="severe", listed="zorgblat", consequence="ban")
    message = room.post("severin", "such z o r g b l a t today")
    bans = f"/guilds/{room.guild['id']}/bans"
    room.wait(lambda: severin in str(room.system.admin("GET", bans)))
    item = room.wait(lambda: room.reviews("z o r g b l a t"))[0]
    assert "4: ban" in str(item["embeds"])
    assert message not in {one["id"] for one in room.messages(room.general)}
    room.press(item["id"], "Claim", "priya")
    assert "has claimed this" in said(room.press(item["id"], "Dismiss", "tomas"))
    room.press(item["id"], "Dismiss", "priya")
    room.wait(lambda: severin not in str(room.system.admin("GET", bans)))
    room.wait(lambda: "Dismissed by" in str(room.reviews("z o r g b l a t")[0]["embeds"]))
    assert "0 strikes count now" in str(room.run("history", "priya", user=severin)["message"])


def test_an_appeal_goes_to_somebody_else_and_comes_back(room: Reading) -> None:
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


def test_what_is_done_by_hand_becomes_a_case(room: Reading) -> None:
    body = {"as": "priya", "reason": "by hand"}
    room.system.admin("PUT", f"/guilds/{room.guild['id']}/bans/{seed.SAM}", **body)

    def record() -> str:
        return str(room.run("history", "tomas", user=str(seed.SAM))["message"])

    room.wait(lambda: "by hand" in record())
    assert f"<@{seed.PRIYA}>" in record()


def test_purge_and_bulk_ban_finish_as_jobs(room: Reading) -> None:
    posted = [room.post("aiko", f"spam {number}") for number in range(5)]
    done = room.run("purge", "priya", count=50, contains="spam")
    room.wait(lambda: "5 messages were removed" in room.now(done))
    assert not set(posted) & {one["id"] for one in room.messages(room.general)}
    done = room.run("bulk-ban", "priya", users=f"<@{seed.ROBIN}> {seed.TOMAS}", reason="test")
    room.wait(lambda: "1 account was banned." in room.now(done))
    assert f"<@{seed.TOMAS}>: Administrators" in room.now(done)


def test_the_audit_log_holds_after_all_this(room: Reading) -> None:
    done = room.system.gatehouse("audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
