"""Rebuild an automatic verdict from its record and compare: the rules in the versions that judged, the scores as they
were measured, the thresholds, policy and strikes of that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.adapters.openai.moderation import Scores
from app.adapters.postgres.pool import Conn
from app.errors import UserError
from app.features.moderation.decisions.store import Record
from app.features.moderation.models import Finding, Sanction, Severity, Source
from app.features.moderation.policy import RANK, escalate, weigh
from app.features.moderation.rules import store as rules
from app.features.moderation.rules.kind import Sample, kinds
from app.features.moderation.settings import ModerationSettings
from app.features.moderation.stages.scores import read
from app.features.moderation.text.view import TextView


@dataclass(frozen=True, slots=True)
class Explanation:
    """`lines` for people; `holds`: everything that could be rebuilt came out as it was recorded."""

    lines: tuple[str, ...]
    holds: bool


def finding_of(data: Mapping[str, Any]) -> Finding:
    """Read a finding as it was recorded."""
    return Finding(
        source=Source(data["source"]),
        severity=Severity(data["severity"]),
        category=data["category"],
        reason=data["reason"],
        rule_id=data["rule_id"],
        rule_version=data["rule_version"],
        sanction=None if data["sanction"] is None else Sanction(data["sanction"]),
        shadow=data["shadow"],
        unsure=data["unsure"],
        spans=tuple((start, end) for start, end in data["spans"]),
        scores=data["scores"],
    )


async def explain(conn: Conn, record: Record) -> Explanation:
    """Rebuild the verdict of a record."""
    lines = [
        f"decision {record.decision_id} of {record.decided_at:%Y-%m-%d %H:%M:%S} UTC in guild {record.guild_id}",
        f"about user {record.user_id}, message {record.message_id}, SHA-256 {record.digest.hex()[:16]}…",
        f"recorded: severity {record.severity}, sanction {record.sanction}, {record.strikes} strikes"
        + (", for review" if record.review else ""),
    ]
    findings = [finding_of(data) for data in record.findings]
    holds = True
    for finding in findings:
        what, same = await _rebuild(conn, record, finding)
        lines.append(f"{finding.source}: {finding.reason}{' (shadow)' if finding.shadow else ''}: {what}")
        holds &= same
    what, same = _policy(record, findings)
    return Explanation((*lines, f"policy: {what}"), holds and same)


async def _rebuild(conn: Conn, record: Record, finding: Finding) -> tuple[str, bool]:
    if finding.source is Source.RULES:
        return await _rebuild_rule(conn, record, finding)
    if finding.source is Source.API:
        settings = _settings(record)
        again = read(Scores(record.model or "", finding.scores), settings).finding
        if again is None or (again.category, again.severity) != (finding.category, finding.severity):
            return "DIFFERS: these scores do not lead to it", False
        threshold = settings.threshold(finding.category)
        return f"rebuilt: {finding.scores[finding.category]:.2f} is at or over {threshold:.2f}", True
    if finding.source is Source.AGENT:
        return f"answer of {record.model}, prompt {record.prompt_version}, as recorded", True
    return "as recorded", True


async def _rebuild_rule(conn: Conn, record: Record, finding: Finding) -> tuple[str, bool]:
    assert finding.rule_id is not None
    assert finding.rule_version is not None
    stored = await rules.rule_version(conn, finding.rule_id, finding.rule_version)
    if stored is None:
        return f"DIFFERS: version {finding.rule_version} of rule {finding.rule_id} is not on record", False
    where = f"rule {finding.rule_id} version {finding.rule_version}"
    kind = kinds().get(stored.kind)
    if kind is None or not kind.by_text:
        return f"{where}, kind {stored.kind}: not decided by the text alone, as recorded", True
    if record.normalised is None:
        return f"{where}: the text's retention is over, as recorded", True
    try:
        parsed = kind.parse(stored.settings)
        judge = kind.compile(parsed)
    except (UserError, ValueError):
        return f"DIFFERS: {where} does not compile any more", False
    if judge(Sample(TextView.of(record.normalised))) is None:
        if kind.lists is not None and kind.lists(parsed):
            return f"{where}: by a domain list, which has no versions, as recorded", True
        if kind.as_written:
            return (
                f"{where}: by the text as it was written, of which only the digest is kept, as recorded",
                True,
            )
        return f"DIFFERS: {where} does not match the text", False
    return f"rebuilt: {where} matches", True


def _settings(record: Record) -> ModerationSettings:
    """Return the settings of that moment as far as they decide."""
    policy = dict(record.outcome.get("policy") or {})
    thresholds = dict(record.thresholds or {})
    if thresholds:
        policy |= {
            "other_threshold": thresholds.pop("other", 0.9),
            "ambiguous_from": thresholds.pop("ambiguous", 0.3),
        }
        policy["thresholds"] = thresholds
    return ModerationSettings.model_validate(policy)


def _policy(record: Record, findings: Sequence[Finding]) -> tuple[str, bool]:
    settings = _settings(record)
    outcome = weigh(findings, settings)
    wanted = outcome.sanction if outcome else None
    if wanted != (record.outcome.get("wanted") or None):
        return f"DIFFERS: the findings lead to {wanted}, recorded was {record.outcome.get('wanted')}", False
    if outcome is None:
        return "nothing counts (shadow)", record.sanction == Sanction.NONE
    refusal = record.outcome.get("refusal")
    if refusal:
        return f"{wanted} was wanted and refused: {refusal}", record.sanction in {
            Sanction.NONE,
            Sanction.DELETE,
        }
    most = escalate(outcome, record.strikes, settings).sanction
    if RANK[Sanction(record.sanction)] > RANK[most]:
        return f"DIFFERS: {record.strikes} strikes lead to {most} at the most", False
    once = "" if record.sanction == most else " (another message of the window was punished already)"
    return f"rebuilt: {wanted}, with {record.strikes} strikes {most}{once}", True
