"""Interactions under way: who did what where, the life of the token, what was answered (contract 1.3, 1.9)."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sandbox.interactions.rules.callback import Callback, InteractionType
from sandbox.world.models import Command

REMEMBERED = 20_000
"""Interactions whose tokens are told apart from unknown ones; older ones look unknown (our choice)."""

MOST_USER_INSTALL_FOLLOWUPS = 5
"""Contract 1.9."""


class State(StrEnum):
    """How far the first response has come."""

    PENDING = "pending"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class Invocation:
    """One interaction. Times are Unix milliseconds of the world's clock."""

    id: int
    token: str
    type: InteractionType
    user_id: int
    channel_id: int
    guild_id: int | None
    locale: str
    created_ms: int
    payload: dict[str, Any] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    command: Command | None = None
    focused_type: int | None = None
    source_id: int | None = None
    """The message of the component; for a modal, of the component that opened it."""
    parent: Invocation | None = None
    """For a modal submit: the interaction that opened the modal."""
    state: State = State.PENDING
    callback: Callback | None = None
    original_id: int | None = None
    followup_ids: list[int] = field(default_factory=list)
    followups_sent: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first response was taken or can no longer come."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing is loading any more: at once, or when a deferred answer was completed."""
    submitted: bool = False
    """For an opened modal: whether it was sent off."""
    failure: str | None = None
    """Why there was no valid first response, for the developer; the person sees one of Discord's sentences."""
    problems: list[str] = field(default_factory=list)
    http_status: int | None = None
    elapsed_ms: float | None = None

    @property
    def user_install_only(self) -> bool:
        """Whether the application is here only because the invoker installed it for himself."""
        return set(self.owners) == {"1"}

    @property
    def opened_by_component(self) -> bool:
        """Whether this is a modal submit whose modal a component opened."""
        return self.parent is not None and self.parent.type is InteractionType.COMPONENT


class Invocations:
    """All interactions by id and by token, the latest `REMEMBERED` of them."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[int, Invocation] = OrderedDict()
        self._by_token: dict[str, Invocation] = {}

    def add(self, invocation: Invocation) -> None:
        """Remember an interaction."""
        self._by_id[invocation.id] = invocation
        self._by_token[invocation.token] = invocation
        while len(self._by_id) > REMEMBERED:
            _, oldest = self._by_id.popitem(last=False)
            self._by_token.pop(oldest.token, None)

    def by_id(self, interaction_id: int) -> Invocation | None:
        """The interaction, if it is remembered."""
        return self._by_id.get(interaction_id)

    def by_token(self, token: str) -> Invocation | None:
        """The interaction with this token, if it is remembered."""
        return self._by_token.get(token)

    def with_original(self, message_id: int) -> Invocation | None:
        """The interaction whose first response this message is."""
        for invocation in reversed(self._by_id.values()):
            if invocation.original_id == message_id:
                return invocation
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._by_id.clear()
        self._by_token.clear()


def new_token() -> str:
    """An opaque bearer secret of Discord's look."""
    return secrets.token_urlsafe(96)
