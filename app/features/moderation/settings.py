"""A guild's moderation settings, stored through `app.tenancy.guild_settings` under the name `moderation`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.features.moderation.models import Sanction, Severity
from app.interactions.form_problems import FieldError
from app.locale.text import t

FEATURE = "moderation"

MAX_TIMEOUT_MINUTES = 28 * 24 * 60
"""Discord's longest timeout is 28 days (contract section 4.4)."""


class Step(BaseModel):
    """One rung of the escalation ladder: from `strikes` on, `sanction` (for `minutes`, if it ends)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strikes: Annotated[int, Field(ge=1, le=1000)]
    sanction: Sanction
    minutes: Annotated[int, Field(ge=1, le=366 * 24 * 60)] | None = None

    @model_validator(mode="after")
    def _timeouts_end(self) -> Step:
        if self.sanction is Sanction.TIMEOUT and (self.minutes is None or self.minutes > MAX_TIMEOUT_MINUTES):
            raise FieldError(t("A timeout lasts from a minute to 28 days."))
        return self


class ModerationSettings(BaseModel):
    """Defaults are those of seed S4 where it gives them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # Stage 2: the API's own category names; seed S4's numbers, .90 for every other category.
    thresholds: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=lambda: {"hate": 0.70, "violence": 0.80, "sexual": 0.85, "self-harm": 0.60}
    )
    other_threshold: Annotated[float, Field(gt=0, le=1)] = 0.90
    ambiguous_from: Annotated[float, Field(ge=0, le=1)] = 0.30
    provider_enabled: bool = False
    agent_enabled: bool = False
    policy_text: Annotated[str, Field(max_length=4000)] = ""

    # Policy
    sanctions: dict[Severity, Sanction] = Field(
        default_factory=lambda: {
            Severity.WARN: Sanction.WARN,
            Severity.DELETE: Sanction.DELETE,
            Severity.TIMEOUT: Sanction.TIMEOUT,
            Severity.BAN: Sanction.BAN,
        }
    )
    timeout_minutes: Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MINUTES)] = 60
    strike_weights: dict[Severity, Annotated[int, Field(ge=0, le=100)]] = Field(
        default_factory=lambda: {Severity.WARN: 1, Severity.DELETE: 1, Severity.TIMEOUT: 2, Severity.BAN: 4}
    )
    strike_days: Annotated[int, Field(ge=1, le=3650)] = 30
    ladder: tuple[Step, ...] = (
        Step(strikes=3, sanction=Sanction.TIMEOUT, minutes=60),
        Step(strikes=6, sanction=Sanction.TIMEOUT, minutes=24 * 60),
        Step(strikes=10, sanction=Sanction.BAN),
    )
    punishment_window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60

    # People
    moderator_roles: tuple[int, ...] = ()
    moderate_bots: bool = False
    exempt_roles: tuple[int, ...] = ()
    exempt_channels: tuple[int, ...] = ()
    review_channel: int | None = None
    log_channel: int | None = None
    notify_members: bool = True
    appeals: bool = True

    # Data
    keep_messages: bool = False
    """Keep messages for `retention_days`, so that rules can be tried on them."""
    retention_days: Annotated[int, Field(ge=1, le=365)] = 14

    def threshold(self, category: str) -> float:
        """Return the score from which a category counts; a sub-category falls back to its family's."""
        if category in self.thresholds:
            return self.thresholds[category]
        return self.thresholds.get(category.split("/", maxsplit=1)[0], self.other_threshold)
