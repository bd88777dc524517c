"""How panels look: one components-v2 container, in the language of the server and not of whoever presses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from app.features.panels.models import Choice, Kind, PollState
from app.interactions.components import ActionRow, Button, ButtonStyle
from app.interactions.custom_id import Target
from app.interactions.layout import Container, Separator, TextDisplay
from app.locale.text import Percent, Text, joined, t, tn

BAR = 12
"""Characters of a poll's longest bar: what fits beside a percentage on a phone."""
OPEN_COLOUR, CLOSED_COLOUR = 0x5865F2, 0x80848E
_ROW = 5

Pressed: TypeAlias = Callable[[Choice], Target]
"""Where the button of a choice leads."""


def show(state: PollState, now: datetime, *, pressed: Pressed, manage: Target) -> Container:
    """Return the message of a panel. A closed one has no buttons."""
    panel = state.panel
    is_open = panel.is_open(now)
    texts = [TextDisplay(f"## {panel.title}")]
    if panel.kind is Kind.POLL:
        texts.append(TextDisplay(joined([_line(choice, state) for choice in panel.choices])))
    texts.append(TextDisplay(Text("-# {text}", params={"text": _footer(state, is_open=is_open)})))
    rows: list[ActionRow] = []
    if is_open:
        buttons = [Button(pressed(choice), choice.label) for choice in panel.choices]
        rows = [ActionRow(*buttons[start : start + _ROW]) for start in range(0, len(buttons), _ROW)]
        rows.append(ActionRow(Button(manage, t("Manage"), emoji="⚙️")))
    return Container(
        *texts, *([Separator()] if rows else []), *rows, colour=OPEN_COLOUR if is_open else CLOSED_COLOUR
    )


def manage_buttons(edit: Target, close: Target) -> Sequence[Button]:
    """Return what an admin can do with a panel."""
    return (
        Button(edit, t("Edit"), ButtonStyle.PRIMARY),
        Button(close, t("Close it"), ButtonStyle.DANGER),
    )


def _line(choice: Choice, state: PollState) -> Text:
    votes = state.votes.get(choice.key, 0)
    share = votes / state.total if state.total else 0.0
    filled = round(share * BAR)
    bar = "█" * filled + "░" * (BAR - filled)
    values = {"label": choice.label, "bar": bar, "share": Percent(share), "votes": votes}
    return Text("**{label}**\n`{bar}` {share} ({votes})", params=values)


def _footer(state: PollState, *, is_open: bool) -> Text:
    panel = state.panel
    if panel.kind is Kind.ROLES:
        if not is_open:
            return t("This panel is closed.")
        if panel.only_one:
            return t(
                "Press a button to take a role; you can have one of them. Press it again to give it back."
            )
        return t("Press a button to take a role. Press it again to give it back.")
    votes = tn("{count} vote", "{count} votes", state.total)
    if not is_open:
        return t("{votes} · closed", votes=votes)
    if panel.closes_at is None:
        return t("{votes} · you can change yours at any time", votes=votes)
    return t("{votes} · closes {when}", votes=votes, when=f"<t:{int(panel.closes_at.timestamp())}:R>")
