"""Inbound limits as values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

from app.settings import Settings


@dataclass(frozen=True)
class Limit:
    """At most `count` admissions in any half-open interval of `seconds`."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `count/seconds` as Settings checked it; `off` is None."""
        if text == "off":
            return None
        count, _, seconds = text.partition("/")
        return cls(int(count), int(seconds))

    @cached_property
    def microseconds(self) -> int:
        """The window's length."""
        return round(self.seconds * 1_000_000)

    @cached_property
    def arguments(self) -> tuple[bytes, bytes]:
        """What admission.lua wants of a window: its limit and its length in microseconds."""
        return b"%d" % self.count, b"%d" % self.microseconds


@dataclass(frozen=True, slots=True)
class InteractionLimits:
    """What one signed interaction is charged to. None: not limited."""

    user: Limit | None
    user_command: Limit | None
    guild: Limit | None
    autocomplete: Limit | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the configured limits."""
        return cls(
            user=Limit.parse(settings.limit_user),
            user_command=Limit.parse(settings.limit_user_command),
            guild=Limit.parse(settings.limit_guild),
            autocomplete=Limit.parse(settings.limit_autocomplete),
        )


class Charge(NamedTuple):
    """One window to charge. `scope` is a metric label; `key` holds ids and names only, no secrets."""

    scope: str
    key: bytes
    limit: Limit


def charge(scope: str, subject: int | str, limit: Limit) -> Charge:
    """Return the charge of `subject` (an id, an address, a name) in a scope."""
    return Charge(scope, f"window:{scope}:{subject}".encode(), limit)
