"""A replica with the panels feature on a real database, and a stand-in for Discord that remembers calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from app.adapters.postgres.pool import Pool
from app.feature import Floor
from app.features import panels
from app.interactions.discovery import Declarations
from app.interactions.permissions import Permission
from app.locale.catalogue import Catalogue
from app.settings import Settings
from tests.fixtures.interactions import APPLICATION, GUILD, KEYS, NOW, Bot, command, member, payload, press

ADMIN, MEMBER = 51, 52
BOT_ROLE, HIGH, LOW, OTHER, POWERFUL, MANAGED = 61, 62, 63, 64, 65, 66
ROLES = [
    (GUILD, 0, 0, False),
    (LOW, 1, 0, False),
    (OTHER, 2, 0, False),
    (POWERFUL, 3, int(Permission.BAN_MEMBERS), False),
    (MANAGED, 4, 0, True),
    (BOT_ROLE, 8, int(Permission.MANAGE_ROLES), True),
    (HIGH, 9, 0, False),
]
keys = itertools.count(1_400_000_000_000_000_000)


class RecordingDiscord:
    """The operations that panels use. `check` validates what is posted."""

    application_id = APPLICATION

    def __init__(self, check: Callable[[str, Any], None]) -> None:
        self._check = check
        self.posted: list[dict[str, Any]] = []
        self.edited: list[dict[str, Any]] = []
        self.roles: list[tuple[str, int, int]] = []
        self.failing: Exception | None = None

    async def create_message(self, channel: int, body: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        if self.failing is not None:
            raise self.failing
        self._check("MessageCreateRequest", dict(body))
        self.posted.append(dict(body))
        return {"id": str(7000 + len(self.posted)), "channel_id": str(channel)}

    async def edit_message(
        self, channel: int, message: int, body: Mapping[str, Any], **_: Any
    ) -> dict[str, Any]:
        self._check("MessageEditRequestPartial", dict(body))
        self.edited.append(dict(body))
        return {"id": str(message)}

    async def get_current_user(self, **_: Any) -> dict[str, Any]:
        return {"id": str(APPLICATION)}

    async def get_guild_roles(self, guild: int, **_: Any) -> list[dict[str, Any]]:
        return [
            {"id": str(key), "position": place, "permissions": str(bits), "managed": managed}
            for key, place, bits, managed in ROLES
        ]

    async def get_guild_member(self, guild: int, user: int, **_: Any) -> dict[str, Any]:
        return {"user": {"id": str(user)}, "roles": [str(BOT_ROLE)]}

    async def add_guild_member_role(self, guild: int, user: int, role: int, **_: Any) -> None:
        self.roles.append(("give", user, role))

    async def remove_guild_member_role(self, guild: int, user: int, role: int, **_: Any) -> None:
        self.roles.append(("take", user, role))


class Stage:
    """One replica. Several may share pool and Discord."""

    def __init__(self, pool: Pool, discord: RecordingDiscord, check: Callable[[str, Any], None]) -> None:
        self.discord, self._check = discord, check
        settings = Settings.from_environment(
            {"CUSTOM_ID_KEYS": KEYS.dump(), "DISCORD_APPLICATION_ID": str(APPLICATION)}
        )
        used: dict[str, Any] = {
            "settings": settings,
            "postgres": pool,
            "discord": discord,
            "catalogue": Catalogue.load(),
            "keyring": KEYS,
            "clock": lambda: self.bot.now,
        }
        floor = Floor(**dict.fromkeys((field.name for field in fields(Floor)), None) | used)
        self.services = panels.FEATURE.services(floor)
        declared = Declarations.collect([panels.FEATURE.package])
        self.bot = Bot(*declared.commands, *declared.components, services=self.services)

    async def send(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self.bot.send(raw)
        self._check("create_interaction_response", answer)
        return answer

    async def run(self, name: str, **rest: Any) -> dict[str, Any]:
        return await self.send(command(name, by=admin(), key=next(keys), **rest))

    async def submit(
        self,
        custom_id: str,
        leaves: Mapping[str, Any],
        resolved: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> dict[str, Any]:
        components = [
            {"type": 18, "id": n, "component": {"id": 50 + n, "custom_id": name, **leaf}}
            for n, (name, leaf) in enumerate(leaves.items())
        ]
        data = {"custom_id": custom_id, "components": components, "resolved": dict(resolved or {})}
        rest = {"by": admin(), "key": next(keys), **rest}
        return await self.send(payload(5, data, **rest))

    async def press(self, custom_id: str, **rest: Any) -> dict[str, Any]:
        return await self.send(press(custom_id, **({"by": member(MEMBER), "key": next(keys)} | rest)))

    async def post_poll(self, *answers: str, lasts: str | None = None, **rest: Any) -> dict[str, Any]:
        """Post a poll and return its message."""
        before = len(self.discord.posted)
        opened = await self.run("panel poll", **rest)
        answer = await self.submit(opened["data"]["custom_id"], poll_leaves(*answers, lasts=lasts), **rest)
        assert len(self.discord.posted) == before + 1, answer
        return self.discord.posted[-1]

    async def post_roles(self, *roles: int, many: str = "many") -> dict[str, Any]:
        """Post a role picker and return its message."""
        before = len(self.discord.posted)
        opened = await self.run("panel roles")
        answer = await self.submit(opened["data"]["custom_id"], *role_leaves(*roles, many=many))
        assert len(self.discord.posted) == before + 1, answer
        return self.discord.posted[-1]


def admin(roles: tuple[int, ...] = (HIGH,)) -> dict[str, Any]:
    return member(ADMIN, permissions=int(Permission.MANAGE_GUILD | Permission.MANAGE_ROLES), roles=roles)


def poll_leaves(*answers: str, lasts: str | None = None) -> dict[str, Any]:
    return {
        "question": {"type": 4, "value": "Which  evening?"},
        "answers": {"type": 4, "value": "\n".join(answers or ("Monday", " Friday ", ""))},
        "lasts": {"type": 3, "values": [lasts] if lasts else []},
    }


def role_leaves(*roles: int, many: str = "many") -> tuple[dict[str, Any], dict[str, Any]]:
    leaves = {
        "heading": {"type": 4, "value": "Pick"},
        "roles": {"type": 6, "values": [str(role) for role in roles]},
        "many": {"type": 21, "value": many},
    }
    resolved = {
        "roles": {
            str(key): {"id": str(key), "name": f"role {key}", "position": place, "permissions": str(bits)}
            for key, place, bits, _ in ROLES
        }
    }
    return leaves, resolved


def buttons(message: Mapping[str, Any]) -> dict[str, str]:
    """Return custom ids by label."""
    found: dict[str, str] = {}

    def walk(components: Any) -> None:
        for component in components:
            if "custom_id" in component:
                found[component["label"]] = component["custom_id"]
            walk(component.get("components", ()))

    walk(message.get("components", ()))
    return found


def text(message: Mapping[str, Any]) -> str:
    """Return everything that is read."""
    parts = [message.get("content") or ""]

    def walk(components: Any) -> None:
        for component in components:
            parts.append(component.get("content", ""))
            walk(component.get("components", ()))

    walk(message.get("components", ()))
    return "\n".join(parts)


__all__ = ["NOW", "RecordingDiscord", "Stage", "admin", "buttons", "text"]
