"""What can be done with a review item."""

from __future__ import annotations

from enum import Enum

from app.features.moderation.models import Sanction
from app.features.moderation.review.store import Item
from app.locale.text import t


class Act(Enum):
    """A resolution, in the words of the table."""

    APPROVE = "approve"
    """What was done stands; if nothing was done yet, what policy proposes is done."""
    DISMISS = "dismiss"
    """Nothing is wrong; what was done already is lifted."""
    DELETE = "delete"
    TIMEOUT = "timeout"
    BAN = "ban"
    UPHOLD = "uphold"
    """Of an appeal: the case stands."""
    OVERTURN = "overturn"
    """Of an appeal: the case is lifted."""


SANCTIONS = {Act.DELETE: Sanction.DELETE, Act.TIMEOUT: Sanction.TIMEOUT, Act.BAN: Sanction.BAN}

RESULTS = {
    "approve": t("Approved"),
    "dismiss": t("Dismissed"),
    "delete": t("Message removed"),
    "timeout": t("Timeout"),
    "ban": t("Ban"),
    "uphold": t("The decision stands"),
    "overturn": t("Overturned"),
}
"""How each resolution is called once it is made."""


def sanction_of(item: Item, act: Act) -> Sanction | None:
    """Return what the act does to the member anew; None: nothing, or it lifts."""
    if act is Act.APPROVE:
        return Sanction(item.proposed) if item.case_number is None and item.proposed else None
    return SANCTIONS.get(act)


def lifts(item: Item, act: Act) -> bool:
    """Tell whether the act lifts the case that the item is about."""
    return item.case_number is not None and act in {Act.DISMISS, Act.OVERTURN}


def possible(item: Item) -> tuple[Act, ...]:
    """Return what may be done with an open item."""
    if item.kind == "appeal":
        return (Act.UPHOLD, Act.OVERTURN)
    first = (Act.APPROVE,) if item.case_number is not None or item.proposed else ()
    removable = (Act.DELETE,) if item.message_id is not None and item.case_number is None else ()
    return (*first, Act.DISMISS, *removable, Act.TIMEOUT, Act.BAN)


def undoable(item: Item) -> bool:
    """Tell whether a resolved item has something that undo lifts."""
    if item.state != "resolved" or item.resolution in {"overturn", "uphold", "dismiss"}:
        return False
    return item.resolution_case is not None or item.case_number is not None


def case_to_undo(item: Item) -> int | None:
    """Return the case that undo lifts: what the resolution did, else what it approved."""
    return item.resolution_case if item.resolution_case is not None else item.case_number
