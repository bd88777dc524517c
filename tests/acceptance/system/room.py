"""A guild of a running system and what people do in it, through the admin API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .conftest import System


class Room:
    """A seeded guild; `queue` is the channel where reviews are posted, `log` where cases are."""

    def __init__(self, system: System, name: str, *, queue: str, log: str | None = None) -> None:
        self.system = system
        world = system.admin("GET", "/world")
        self.guild = next(guild for guild in world["guilds"] if guild["name"] == name)
        self.channels = {channel["name"]: channel["id"] for channel in self.guild["channels"]}
        self.general, self.queue = self.channels["general"], self.channels[queue]
        self.people = {user["username"]: user["id"] for user in world["users"]}
        owner = next(name for name, number in self.people.items() if number == self.guild["owner_id"])
        where = {"review": self.queue} | ({} if log is None else {"log": self.channels[log]})
        shown = self.run("moderation channels", owner, **where)
        assert f"<#{self.queue}>" in str(shown["message"])

    def run(self, name: str, who: str, /, **options: Any) -> dict[str, Any]:
        answer = self.system.admin(
            "POST",
            "/commands",
            **{"name": name, "as": who, "channel": self.general, "options": options, "wait_seconds": 30},
        )
        assert answer["state"] in {"answered", "deferred"}, answer
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

    def stands(self, message: str) -> bool:
        """Whether a message is still in #general."""
        return message in {one["id"] for one in self.messages(self.general)}

    def removed(self, message: str) -> bool:
        """Whether a message is not in #general any more."""
        return not self.stands(message)

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

    def bans(self) -> list[dict[str, Any]]:
        return list(self.system.admin("GET", f"/guilds/{self.guild['id']}/bans"))


def said(outcome: dict[str, Any]) -> str:
    return str((outcome["message"] or outcome["reply"] or {"content": ""})["content"])
