"""What /moderation shows: every setting, in one embed."""

from __future__ import annotations

from datetime import timedelta

from app.features.moderation.models import Sanction, Severity
from app.features.moderation.settings import ModerationSettings, Step
from app.interactions.embeds import Embed, Field
from app.locale.text import Text, joined, t, tn

SANCTIONS = {
    Sanction.NONE: t("nothing"),
    Sanction.WARN: t("warning"),
    Sanction.DELETE: t("message removed"),
    Sanction.TIMEOUT: t("timeout"),
    Sanction.KICK: t("kick"),
    Sanction.BAN: t("ban"),
    Sanction.REVIEW: t("people decide"),
}
POLICY_SHOWN = 300
"""Characters of the policy's text that are shown."""


def embed_of(settings: ModerationSettings, *, machines: bool = True) -> Embed:
    """Show the settings. `machines`: there is a key for stages 2 and 3."""
    roles = " ".join(f"<@&{role}>" for role in settings.moderator_roles[:20])
    exempt = " ".join(
        [
            *(f"<@&{role}>" for role in settings.exempt_roles[:20]),
            *(f"<#{channel}>" for channel in settings.exempt_channels[:20]),
        ]
    )
    policy = settings.policy_text
    shown = policy if len(policy) <= POLICY_SHOWN else policy[: POLICY_SHOWN - 1] + "…"
    return Embed(
        title=t("Moderation"),
        fields=(
            Field(t("Log channel"), _channel(settings.log_channel), inline=True),
            Field(t("Review channel"), _channel(settings.review_channel), inline=True),
            Field(t("Moderator roles"), roles or t("by permission only"), inline=True),
            Field(t("Left out of automatic moderation"), exempt or t("nothing")),
            Field(t("By severity"), joined([_severity(settings, one) for one in list(Severity)[1:]])),
            Field(t("Ladder"), _ladder(settings.ladder)),
            Field(t("Thresholds"), _thresholds(settings)),
            Field(t("Options"), _options(settings)),
            Field(t("Stages 2 and 3"), _stages(settings, machines)),
            Field(t("Policy of this server"), shown or t("none")),
        ),
    )


def _channel(channel: int | None) -> Text | str:
    return t("none") if channel is None else f"<#{channel}>"


def _yes(value: bool) -> Text:
    return t("yes") if value else t("no")


def _stages(settings: ModerationSettings, machines: bool) -> Text:
    said = t(
        "Moderation API: {provider} · agent: {agent}",
        provider=_yes(settings.provider_enabled),
        agent=_yes(settings.agent_enabled),
    )
    if machines or not (settings.provider_enabled or settings.agent_enabled):
        return said
    return joined([said, t("This bot has no `OPENAI_API_KEY`: only rules judge.")])


def _severity(settings: ModerationSettings, severity: Severity) -> Text:
    weight = settings.strike_weights.get(severity, 1)
    return t(
        "{severity}: {sanction} · {strikes}",
        severity=str(int(severity)),
        sanction=SANCTIONS[settings.sanctions.get(severity, Sanction.NONE)],
        strikes=tn("{count} strike", "{count} strikes", count=weight),
    )


def _ladder(steps: tuple[Step, ...]) -> Text:
    if not steps:
        return t("none")
    lines = []
    for step in steps[:15]:
        strikes = tn("from {count} strike", "from {count} strikes", count=step.strikes)
        if step.minutes is None:
            lines.append(t("{strikes}: {sanction}", strikes=strikes, sanction=SANCTIONS[step.sanction]))
        else:
            lines.append(
                t(
                    "{strikes}: {sanction}, {duration}",
                    strikes=strikes,
                    sanction=SANCTIONS[step.sanction],
                    duration=timedelta(minutes=step.minutes),
                )
            )
    return joined(lines)


def _thresholds(settings: ModerationSettings) -> Text:
    named = [
        Text("{name} {score}", params={"name": Text(name.capitalize()), "score": score})
        for name, score in sorted(settings.thresholds.items())[:20]
    ]
    return joined([*named, t("others {score}", score=settings.other_threshold)], " · ")


def _options(settings: ModerationSettings) -> Text:
    return joined(
        [
            t("Timeouts of policy last {duration}", duration=timedelta(minutes=settings.timeout_minutes)),
            tn(
                "Strikes are forgotten after {count} day",
                "Strikes are forgotten after {count} days",
                count=settings.strike_days,
            ),
            t("Members are told: {yes}", yes=_yes(settings.notify_members)),
            t("Members may appeal: {yes}", yes=_yes(settings.appeals)),
            t("Other bots are moderated: {yes}", yes=_yes(settings.moderate_bots)),
            tn(
                "Texts are forgotten after {count} day",
                "Texts are forgotten after {count} days",
                count=settings.retention_days,
            ),
        ]
    )
