"""From findings and strikes to one sanction."""

from __future__ import annotations

import pytest

from app.features.moderation.models import Finding, Sanction, Severity, Source
from app.features.moderation.policy import escalate, weigh
from app.features.moderation.settings import ModerationSettings, Step


def finding(severity: Severity, sanction: Sanction | None = None) -> Finding:
    return Finding(Source.RULES, severity, "words", "words", rule_id=1, sanction=sanction)


@pytest.mark.parametrize(
    "other", [finding(Severity.WARN, Sanction.REVIEW), finding(Severity.BAN, Sanction.WARN)]
)
def test_what_people_are_to_look_at_is_reviewed_whatever_else_was_found(other: Finding) -> None:
    outcome = weigh([other, finding(Severity.DELETE)], ModerationSettings())
    assert outcome is not None
    assert (outcome.sanction, outcome.review) == (Sanction.DELETE, True)


@pytest.mark.parametrize(
    ("severity", "step", "minutes"),
    [
        (Severity.BAN, Step(strikes=1, sanction=Sanction.BAN, minutes=60), None),
        (Severity.TIMEOUT, Step(strikes=1, sanction=Sanction.TIMEOUT, minutes=90), 90),
        (Severity.TIMEOUT, Step(strikes=1, sanction=Sanction.TIMEOUT, minutes=30), 60),
        (Severity.TIMEOUT, Step(strikes=1, sanction=Sanction.BAN, minutes=30), 30),
    ],
)
def test_a_rung_of_the_ladder_never_shortens(severity: Severity, step: Step, minutes: int | None) -> None:
    settings = ModerationSettings(ladder=(step,))
    outcome = weigh([finding(severity)], settings)
    assert outcome is not None
    assert escalate(outcome, 4, settings).minutes == minutes
