"""Polls and role pickers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from app.snowflake import ChannelId, GuildId, MessageId, UserId

PanelId = NewType("PanelId", int)

MAX_POLL_OPTIONS = 10
MAX_LABEL = 80
"""Characters of an option: it is a button's label (contract 3.1)."""
MAX_QUESTION = 200
MAX_ROLES = 20
"""Four rows of five buttons; the fifth row is for managing."""
MAX_TITLE = 100


class Kind(StrEnum):
    """What a panel does."""

    POLL = "poll"
    ROLES = "roles"


@dataclass(frozen=True, slots=True)
class Choice:
    """One button of a panel. `key` is the role, or a poll's own number, which stays with its text."""

    key: int
    label: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What an admin entered. `closes_at` None: never."""

    title: str
    choices: tuple[Choice, ...]
    only_one: bool = False
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel as it is stored."""

    panel_id: PanelId
    guild_id: GuildId
    channel_id: ChannelId
    message_id: MessageId | None
    author_id: UserId
    kind: Kind
    locale: str
    title: str
    options: Sequence[Mapping[str, Any]]
    only_one: bool
    version: int
    closes_at: datetime | None
    closed_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return the buttons in order."""
        return tuple(Choice(int(option["id"]), str(option["label"])) for option in self.options)

    def is_open(self, now: datetime) -> bool:
        """Tell whether it can be used."""
        return self.closed_at is None and (self.closes_at is None or now < self.closes_at)


@dataclass(frozen=True, slots=True)
class PollState:
    """A panel and, of a poll, the votes by choice."""

    panel: Panel
    votes: Mapping[int, int]

    @property
    def total(self) -> int:
        """Return the number of votes."""
        return sum(self.votes.values())


def renumbered(labels: Sequence[str], before: Sequence[Choice] = ()) -> tuple[Choice, ...]:
    """Return choices for these texts. A text that was there before keeps its number, and so its votes."""
    known = {choice.label: choice.key for choice in before}
    fresh = max((choice.key for choice in before), default=-1) + 1
    made = []
    for label in labels:
        if label in known:
            made.append(Choice(known[label], label))
        else:
            made.append(Choice(fresh, label))
            fresh += 1
    return tuple(made)
