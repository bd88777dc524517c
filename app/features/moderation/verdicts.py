"""The one atomic step of an automatic verdict: record, strike, escalation, case, audit, all or nothing.

What follows (deleting, telling, punishing) happens after the commit, from the rows: see `carry_out`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.features.moderation import carry_out
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.authority import Authority, Inquiry, Refusal, protection_of
from app.features.moderation.cases import store as cases
from app.features.moderation.decisions import store as decisions
from app.features.moderation.models import Finding, Sanction, Severity, Subject
from app.features.moderation.policy import Outcome, ends_at, escalate, weigh, window_start
from app.features.moderation.review import store as reviews
from app.features.moderation.settings import ModerationSettings
from app.snowflake import created_at
from app.streams.retry import TryLater

REDELIVERY_SECONDS = 600.0
"""A worker that dies leaves its event to another one, which carries the case out: this is only the last resort."""

LOOK_UP_SECONDS, LOOK_UP_AGAIN_SECONDS = 60.0, 3.0
"""How long after a message people are looked up again when that failed; after that it is reviewed by a moderator."""

DELETING = frozenset({Sanction.DELETE, Sanction.TIMEOUT, Sanction.KICK, Sanction.BAN})


@dataclass(frozen=True, slots=True)
class Judged:
    """What the stages found about a subject, and with what they judged."""

    subject: Subject
    text: str
    normalised: str
    findings: Sequence[Finding]
    rules: Sequence[Mapping[str, Any]] = ()
    thresholds: Mapping[str, Any] | None = None
    model: str | None = None
    prompt_version: str | None = None
    deletable: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided. `case` None: nothing is done to anybody (shadow, review, none, refused)."""

    decision_id: int
    sanction: Sanction
    severity: Severity
    review: bool
    refusal: Refusal | None
    case: cases.Case | None


class Verdicts:
    """Decides once per subject, however often and wherever it is asked."""

    def __init__(
        self, pool: Pool, authority: Authority, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._authority = authority
        self._audit = audit
        self._clock = clock

    async def decide(self, judged: Judged, settings: ModerationSettings) -> Verdict | None:
        """Decide about a subject; None: nothing was found, or it has been decided already.

        Raises DatabaseUnavailable (E004), StaleLease, and TryLater while authority cannot be looked up and the
        message is fresh; nothing has happened then.
        """
        if not judged.findings:
            return None
        now = self._clock()
        outcome = weigh(judged.findings, settings)
        inquiry = None
        if outcome is not None and outcome.sanction not in {Sanction.NONE, Sanction.REVIEW}:
            inquiry = await self._authority.inquire_subject(judged.subject, protection_of(settings))
            if inquiry.standings is None and _is_fresh(judged.subject, now):
                # Nothing is decided by a hiccup of Discord: the message would stay where everybody reads it.
                raise TryLater("who they are could not be looked up", after=LOOK_UP_AGAIN_SECONDS)
        async with transaction(self._pool) as conn:
            return await self._decide(conn, judged, settings, outcome, inquiry, now)

    async def _decide(
        self,
        conn: Conn,
        judged: Judged,
        settings: ModerationSettings,
        outcome: Outcome | None,
        inquiry: Inquiry | None,
        now: datetime,
    ) -> Verdict | None:
        subject, key = judged.subject, judged.subject.key
        sanction, until, strikes = Sanction.NONE, None, 0
        refusal = inquiry.refusal(outcome.sanction) if outcome and inquiry else None
        review = False
        if outcome is not None:
            review = outcome.review or refusal is Refusal.UNKNOWN
            if refusal is None:
                if outcome.weight:
                    strikes = await cases.strike(
                        conn,
                        subject.guild_id,
                        subject.user_id,
                        key,
                        weight=outcome.weight,
                        at=now,
                        expires_at=now + timedelta(days=settings.strike_days),
                    )
                escalated = escalate(outcome, strikes, settings)
                sanction, until = escalated.sanction, ends_at(escalated, now)
                if inquiry is not None and inquiry.refusal(sanction) is not None:
                    sanction, until = (
                        outcome.sanction,
                        None,
                    )  # the rung is out of our reach, what was due is not
                sanction, until = await self._punish_once(
                    conn, subject, outcome, settings, sanction, until, now
                )
            elif outcome.sanction in DELETING and refusal in {
                Refusal.WE_RANK_TOO_LOW,
                Refusal.WE_LACK_PERMISSION,
                Refusal.NOT_A_MEMBER,
            }:
                # The person cannot be punished by us, yet the message may go.
                sanction = Sanction.DELETE
        severity = outcome.severity if outcome else max(f.severity for f in judged.findings)
        decision_id = await decisions.record(
            conn, _record(judged, settings, outcome, sanction, severity, strikes, review, refusal, now)
        )
        if decision_id is None:
            await conn.rollback()  # no strike, and no claim of a window in which nobody is punished
            return None
        case = None
        if outcome is not None and sanction not in {Sanction.NONE, Sanction.REVIEW}:
            case = await cases.open_case(
                conn,
                cases.NewCase(
                    guild_id=subject.guild_id,
                    action_key=key,
                    sanction=sanction,
                    origin="automatic",
                    target_id=subject.user_id,
                    channel_id=subject.channel_id or None,
                    message_id=subject.message_id if judged.deletable else None,
                    reason=outcome.reason,
                    decision_id=decision_id,
                    expires_at=until,
                ),
            )
            if case is not None:
                await carry_out.expect(conn, case, now, safety_seconds=REDELIVERY_SECONDS)
        if review and outcome is not None:
            item = _review_item(judged, settings, outcome, decision_id, case, now)
            await reviews.open_item(conn, item, now)
        await self._audit.append(
            conn, subject.guild_id, _audit_entry(judged, decision_id, sanction, severity, case, refusal), now
        )
        return Verdict(decision_id, sanction, severity, review, refusal, case)

    async def _punish_once(
        self,
        conn: Conn,
        subject: Subject,
        outcome: Outcome,
        settings: ModerationSettings,
        sanction: Sanction,
        until: datetime | None,
        now: datetime,
    ) -> tuple[Sanction, datetime | None]:
        """Within a window, a rule punishes a member once; further messages are only deleted."""
        if sanction not in {Sanction.TIMEOUT, Sanction.KICK, Sanction.BAN}:
            return sanction, until
        mine = await cases.claim_punishment(
            conn,
            subject.guild_id,
            subject.user_id,
            outcome.rule_key,
            window_start(now, settings),
            subject.key,
        )
        return (sanction, until) if mine else (Sanction.DELETE, None)


def _is_fresh(subject: Subject, now: datetime) -> bool:
    return subject.message_id is not None and now - created_at(subject.message_id) < timedelta(
        seconds=LOOK_UP_SECONDS
    )


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as it is recorded."""
    return {
        "source": finding.source,
        "severity": int(finding.severity),
        "category": finding.category,
        "reason": finding.reason,
        "rule_id": finding.rule_id,
        "rule_version": finding.rule_version,
        "sanction": finding.sanction,
        "shadow": finding.shadow,
        "unsure": finding.unsure,
        "spans": [list(span) for span in finding.spans],
        "scores": dict(finding.scores),
    }


def _record_key(subject: Subject, outcome: Outcome | None) -> str:
    """Return the key of the record: what acts on nobody must not take the place of another stage's verdict."""
    if outcome is None:
        return f"{subject.key}:shadow"
    return f"{subject.key}:review" if outcome.sanction is Sanction.REVIEW else subject.key


def _record(
    judged: Judged,
    settings: ModerationSettings,
    outcome: Outcome | None,
    sanction: Sanction,
    severity: Severity,
    strikes: int,
    review: bool,
    refusal: Refusal | None,
    now: datetime,
) -> decisions.NewRecord:
    subject = judged.subject
    return decisions.NewRecord(
        guild_id=subject.guild_id,
        subject_key=_record_key(subject, outcome),
        channel_id=subject.channel_id or None,
        user_id=subject.user_id,
        message_id=subject.message_id,
        decided_at=now,
        digest=hashlib.sha256(judged.text.encode()).digest(),
        normalised=judged.normalised,
        text_expires_at=now + timedelta(days=settings.retention_days),
        findings=[finding_json(finding) for finding in judged.findings],
        rules=list(judged.rules),
        thresholds=judged.thresholds,
        model=judged.model,
        prompt_version=judged.prompt_version,
        strikes=strikes,
        sanction=sanction,
        severity=int(severity),
        review=review,
        outcome={
            "refusal": refusal,
            "policy": settings.model_dump(
                mode="json", include={"sanctions", "strike_weights", "ladder", "timeout_minutes"}
            ),
            "wanted": outcome.sanction if outcome else None,
        },
    )


def _review_item(
    judged: Judged,
    settings: ModerationSettings,
    outcome: Outcome,
    decision_id: int,
    case: cases.Case | None,
    now: datetime,
) -> reviews.NewItem:
    subject = judged.subject
    proposed = outcome.sanction
    if proposed is Sanction.REVIEW:
        proposed = settings.sanctions.get(outcome.severity, Sanction.NONE)
    return reviews.NewItem(
        guild_id=subject.guild_id,
        item_key=f"decision:{decision_id}",
        kind="verdict",
        user_id=subject.user_id,
        severity=int(outcome.severity),
        reason=outcome.reason,
        proposed=proposed if case is None and proposed in {Sanction.WARN, *DELETING} else None,
        channel_id=subject.channel_id or None,
        message_id=subject.message_id if judged.deletable else None,
        decision_id=decision_id,
        case_number=None if case is None else case.number,
        excerpt=judged.text[:4000],
        excerpt_expires_at=now + timedelta(days=settings.retention_days),
    )


def _audit_entry(
    judged: Judged,
    decision_id: int,
    sanction: Sanction,
    severity: Severity,
    case: cases.Case | None,
    refusal: Refusal | None,
) -> AuditEntry:
    first = judged.findings[0]
    return AuditEntry(
        action=f"automod.{sanction}",
        target=f"user:{judged.subject.user_id}",
        detail={
            "decision": decision_id,
            "case": case.number if case else None,
            "message": str(judged.subject.message_id) if judged.subject.message_id else None,
            "channel": str(judged.subject.channel_id),
            "severity": int(severity),
            "rule": first.rule_id,
            "category": first.category,
            "shadow": all(finding.shadow for finding in judged.findings),
            "refused": refusal,
        },
    )
