"""From findings and strikes to one sanction: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.features.moderation.models import Finding, Sanction, Severity
from app.features.moderation.settings import ModerationSettings

RANK = {
    Sanction.NONE: 0,
    Sanction.NOTE: 0,
    Sanction.UNTIMEOUT: 0,
    Sanction.UNBAN: 0,
    Sanction.PURGE: 0,
    Sanction.UNDO: 0,
    Sanction.REVIEW: 1,
    Sanction.WARN: 2,
    Sanction.DELETE: 3,
    Sanction.TIMEOUT: 4,
    Sanction.KICK: 5,
    Sanction.BAN: 6,
}
"""Which sanction is the harsher one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What policy says: the sanction of the message itself, before strikes are counted."""

    sanction: Sanction
    severity: Severity
    weight: int
    review: bool
    reason: str
    rule_key: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The sanction after strikes; `minutes` None: it does not end by itself."""

    sanction: Sanction
    minutes: int | None
    strikes: int


def weigh(findings: Sequence[Finding], settings: ModerationSettings) -> Outcome | None:
    """Return what the findings amount to; None when nothing counts (no finding, or only shadow ones).

    The harshest finding decides. An unsure finding never punishes: it asks for review. Severity 4 punishes by policy
    and also goes to review (seed S4), as does what a sanction of `review` asks for, whatever else was found.
    """
    counted = [finding for finding in findings if not finding.shadow and finding.severity > Severity.CLEAN]
    unsure = [finding for finding in findings if not finding.shadow and finding.unsure]
    sure = [finding for finding in counted if not finding.unsure]
    if not sure:
        if not unsure:
            return None
        first = unsure[0]
        return Outcome(
            Sanction.REVIEW, first.severity, 0, review=True, reason=first.reason, rule_key=_key(first)
        )
    worst = max(sure, key=lambda finding: (RANK[_sanction(finding, settings)], finding.severity))
    sanction = _sanction(worst, settings)
    return Outcome(
        sanction=sanction,
        severity=worst.severity,
        weight=0
        if sanction in {Sanction.NONE, Sanction.REVIEW}
        else settings.strike_weights.get(worst.severity, 1),
        review=bool(unsure)
        or any(f.severity is Severity.BAN or _sanction(f, settings) is Sanction.REVIEW for f in sure),
        reason=worst.reason,
        rule_key=_key(worst),
    )


def escalate(outcome: Outcome, strikes: int, settings: ModerationSettings) -> Escalated:
    """Return the sanction for a member who now has `strikes`: the harsher of the outcome and the ladder's rung."""
    own = Escalated(outcome.sanction, _minutes(outcome.sanction, settings), strikes)
    reached = [step for step in settings.ladder if strikes >= step.strikes]
    if not reached or outcome.weight == 0:
        return own
    rung = max(reached, key=lambda step: step.strikes)
    harsher = RANK[rung.sanction] > RANK[own.sanction]
    # What does not end by itself cannot become longer.
    longer = rung.sanction is own.sanction and own.minutes is not None and (rung.minutes or 0) > own.minutes
    return Escalated(rung.sanction, rung.minutes, strikes) if harsher or longer else own


def window_start(now: datetime, settings: ModerationSettings) -> datetime:
    """Return the start of the punishment window that `now` lies in."""
    seconds = settings.punishment_window_seconds
    return datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)


def ends_at(escalated: Escalated, now: datetime) -> datetime | None:
    """Return when the sanction ends by itself."""
    return None if escalated.minutes is None else now + timedelta(minutes=escalated.minutes)


def _sanction(finding: Finding, settings: ModerationSettings) -> Sanction:
    if finding.sanction is not None:
        return finding.sanction
    return settings.sanctions.get(finding.severity, Sanction.NONE)


def _minutes(sanction: Sanction, settings: ModerationSettings) -> int | None:
    return settings.timeout_minutes if sanction is Sanction.TIMEOUT else None


def _key(finding: Finding) -> str:
    return (
        f"rule:{finding.rule_id}" if finding.rule_id is not None else f"{finding.source}:{finding.category}"
    )
