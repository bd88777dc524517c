"""What a review item looks like: an embed, and the buttons for what can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from app.features.moderation.models import Sanction, Severity
from app.features.moderation.review.act import RESULTS, Act, possible, undoable
from app.features.moderation.review.store import Item
from app.interactions.components import ActionRow, Button, ButtonStyle
from app.interactions.custom_id import Target
from app.interactions.embeds import Embed, Field
from app.locale.text import Text, joined, t

HEADINGS = {
    "verdict": t("Review {number}: automatic moderation"),
    "report": t("Review {number}: report"),
    "appeal": t("Review {number}: appeal"),
}
LABELS = {
    Act.APPROVE: (t("Approve"), ButtonStyle.SUCCESS),
    Act.DISMISS: (t("Dismiss"), ButtonStyle.SECONDARY),
    Act.DELETE: (t("Delete message"), ButtonStyle.DANGER),
    Act.TIMEOUT: (t("Timeout"), ButtonStyle.DANGER),
    Act.BAN: (t("Ban"), ButtonStyle.DANGER),
    Act.UPHOLD: (t("Let it stand"), ButtonStyle.SECONDARY),
    Act.OVERTURN: (t("Overturn"), ButtonStyle.SUCCESS),
}
SANCTIONS = {
    Sanction.WARN: t("Warning"),
    Sanction.DELETE: t("Message removed"),
    Sanction.TIMEOUT: t("Timeout"),
    Sanction.KICK: t("Kick"),
    Sanction.BAN: t("Ban"),
}
SEVERITIES = {
    Severity.WARN: t("1: warning"),
    Severity.DELETE: t("2: message removed"),
    Severity.TIMEOUT: t("3: timeout"),
    Severity.BAN: t("4: ban"),
}
COLOURS = {"open": 0xFEE75C, "resolved": 0x57F287, "undone": 0x80848E}
EXCERPT = 1000
"""Characters of the evidence that are shown."""

Decide: TypeAlias = Callable[[Item, Act], Target]


def embed_of(item: Item) -> Embed:
    """Show an item as an embed."""
    fields = [Field(t("Member"), f"<@{item.user_id}>", inline=True)]
    if item.channel_id is not None:
        link = f"<#{item.channel_id}>"
        if item.message_id is not None:
            link = f"https://discord.com/channels/{item.guild_id}/{item.channel_id}/{item.message_id}"
        fields.append(Field(t("Where"), link, inline=True))
    if item.severity:
        fields.append(Field(t("Severity"), SEVERITIES[Severity(item.severity)], inline=True))
    if item.reason:
        fields.append(Field(t("Why"), item.reason[:1000]))
    if item.reporters:
        shown = " ".join(f"<@{reporter}>" for reporter in item.reporters[:20])
        fields.append(Field(t("Reported by"), shown, inline=True))
    if item.case_number is not None:
        fields.append(Field(t("Done already"), t("Case {number}", number=str(item.case_number)), inline=True))
    elif item.proposed is not None:
        fields.append(Field(t("Proposed"), SANCTIONS[Sanction(item.proposed)], inline=True))
    if item.state == "open" and item.claimed_by is not None:
        fields.append(Field(t("Claimed by"), f"<@{item.claimed_by}>", inline=True))
    if item.resolution is not None:
        fields.append(Field(t("Outcome"), _outcome(item)))
    return Embed(
        title=HEADINGS[item.kind].filled(number=str(item.item_id)),
        description=_evidence(item.excerpt),
        fields=tuple(fields),
        colour=COLOURS[item.state],
        timestamp=item.opened_at,
    )


def rows_of(item: Item, *, decide: Decide, claim: Target, undo: Target) -> list[ActionRow]:
    """Return the buttons of an item; none when there is nothing left to do."""
    if item.state != "open":
        return [ActionRow(Button(undo, t("Undo"), ButtonStyle.DANGER))] if undoable(item) else []
    buttons = [Button(decide(item, act), *LABELS[act]) for act in possible(item)]
    claiming = t("Give it back") if item.claimed_by is not None else t("Claim")
    return [ActionRow(*buttons), ActionRow(Button(claim, claiming, ButtonStyle.PRIMARY))]


def _outcome(item: Item) -> Text:
    assert item.resolution is not None
    lines = [
        t("{what} by {member}", what=RESULTS[item.resolution], member=f"<@{item.resolved_by}>"),
    ]
    if item.resolution_case is not None:
        lines.append(t("Case {number}", number=str(item.resolution_case)))
    if item.state == "undone":
        lines.append(t("Undone"))
    return joined(lines, " · ")


def _evidence(text: str | None) -> Text | str:
    if text is None:
        return t("The text is not kept any more.")
    if not text.strip():
        return t("There is no text.")
    shown = text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
    return "\n".join(f"> {line}" for line in shown.splitlines() or [""])
