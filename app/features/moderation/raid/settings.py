"""A guild's settings for raids, stored under the name `moderation.raid`."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.locale.text import t

FEATURE = "moderation.raid"

LOCKDOWN_TIMES = 3
"""So many times the allowed joins in one burst are a lockdown."""


class Level(IntEnum):
    """How bad it is. RAISED acts on the joins of the burst, LOCKDOWN on every join, and pauses invites."""

    CALM = 0
    WATCH = 1
    RAISED = 2
    LOCKDOWN = 3


LEVELS = {
    Level.CALM: t("calm"),
    Level.WATCH: t("watch"),
    Level.RAISED: t("raised"),
    Level.LOCKDOWN: t("lockdown"),
}
"""What the levels are called."""


class RaidSettings(BaseModel):
    """More than `joins` in `seconds` are a raid: the burst that a GCRA with this rate does not let through.

    `sanction` is what happens to every member of the wave (`none`: they are only watched). The level goes down by
    one every `calm_minutes` without a raid.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = False
    joins: Annotated[int, Field(ge=2, le=1000)] = 15
    seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    sanction: Literal["none", "timeout", "kick", "ban"] = "timeout"
    timeout_minutes: Annotated[int, Field(ge=1, le=28 * 24 * 60)] = 24 * 60
    pause_invites: bool = True
    calm_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 10

    @property
    def interval_ms(self) -> int:
        """Milliseconds that one join costs."""
        return self.seconds * 1000 // self.joins

    def level_of(self, fill: int) -> Level:
        """Return the level for so many joins that have not been paid for by time."""
        if fill > self.joins * LOCKDOWN_TIMES:
            return Level.LOCKDOWN
        if fill > self.joins:
            return Level.RAISED
        return Level.WATCH if fill * 2 > self.joins else Level.CALM
