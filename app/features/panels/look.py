"""The message of a panel with its buttons."""

from __future__ import annotations

from datetime import datetime

from app.features.panels.buttons import toggle, vote
from app.features.panels.manage import manage
from app.features.panels.models import Choice, Kind, PollState
from app.features.panels.view import show
from app.interactions.custom_id import Target
from app.interactions.layout import Container
from app.snowflake import RoleId


def look(state: PollState, now: datetime) -> Container:
    """Return the message as it is at that time."""
    panel = state.panel

    def pressed(choice: Choice) -> Target:
        if panel.kind is Kind.POLL:
            return vote.to(panel=panel.panel_id, version=panel.version, choice=choice.key)
        return toggle.to(panel=panel.panel_id, version=panel.version, role=RoleId(choice.key))

    return show(state, now, pressed=pressed, manage=manage.to(panel=panel.panel_id))
