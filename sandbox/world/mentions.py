"""Whom a message pings: mention syntax in its text, narrowed by `allowed_mentions` and by what its author may
do.

Contract sections 0 (syntax) and 4.5 (`allowed_mentions`; without it a bot's message pings everything).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.world.models import Channel
from sandbox.world.permissions import Permission
from sandbox.world.state import WorldState

_USER = re.compile(r"<@!?(\d{15,20})>")
_ROLE = re.compile(r"<@&(\d{15,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")


@dataclass(frozen=True, slots=True)
class Mentions:
    """Whom a message pings."""

    users: list[int]
    roles: list[int]
    everyone: bool


def text_of(content: str, components: list[dict[str, Any]]) -> str:
    """Return the text that can mention somebody: the content and every Text Display (type 10)."""
    parts = [content]
    stack = list(components)
    while stack:
        component = stack.pop(0)
        if component.get("type") == 10:
            parts.append(str(component.get("content", "")))
        stack.extend(component.get("components") or [])
    return "\n".join(part for part in parts if part)


def resolve(
    world: WorldState,
    channel: Channel,
    author_id: int,
    text: str,
    allowed: dict[str, Any] | None,
    *,
    replied_to: int | None = None,
) -> Mentions:
    """Return whom this text pings. `allowed` is the request's allowed_mentions, `replied_to` the answered
    author.
    """
    granted = world.permissions_in(channel, author_id)
    everyone_allowed = bool(granted & Permission.MENTION_EVERYONE)
    guild = world.guilds.get(channel.guild_id) if channel.guild_id is not None else None
    users = [u for u in _unique(_USER.findall(text)) if u in world.users and _may(allowed, "users", u)]
    roles = [
        r
        for r in _unique(_ROLE.findall(text))
        if guild is not None
        and r in guild.roles
        and (guild.roles[r].mentionable or everyone_allowed)
        and _may(allowed, "roles", r)
    ]
    if (
        replied_to is not None
        and replied_to not in users
        and (allowed is None or allowed.get("replied_user"))
    ):
        users.append(replied_to)
    everyone = (
        guild is not None
        and everyone_allowed
        and bool(_EVERYONE.search(text))
        and _may(allowed, "everyone", None)
    )
    return Mentions(users, roles, everyone)


def _unique(found: list[str]) -> list[int]:
    return list(dict.fromkeys(int(snowflake) for snowflake in found))


def _may(allowed: dict[str, Any] | None, kind: str, snowflake: int | None) -> bool:
    if allowed is None or kind in (allowed.get("parse") or []):
        return True
    return snowflake is not None and str(snowflake) in {str(i) for i in allowed.get(kind) or []}
