"""/rule flood, repeat, account: what members do over time, and since when they are there."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from app.features.moderation.commands.rule import Name, Severe, Shadow, rule, saved
from app.features.moderation.rules.editing import RuleEditing
from app.interactions.context import Call
from app.interactions.options import Option
from app.interactions.replies import Reply


class Containing(Enum):
    """Which messages of newcomers are caught."""

    LINKS = "links"
    FILES = "files"
    ANYTHING = "anything"


@rule.slash("flood", "Catch many messages in a short time")
async def flood(
    call: Call,
    name: Name,
    consequence: Severe,
    most: Annotated[int, Option("Messages that are allowed", min_value=1, max_value=200)] = 6,
    seconds: Annotated[int, Option("In how many seconds", min_value=1, max_value=3600)] = 5,
    per_channel: Annotated[bool, Option("Count every channel by itself")] = False,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against floods."""
    settings = {"most": most, "seconds": seconds, "per_channel": per_channel}
    stored = await editing.put(
        call.guild, "flood", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("repeat", "Catch the same content again and again")
async def repeat(
    call: Call,
    name: Name,
    consequence: Severe,
    most: Annotated[int, Option("Times that are allowed", min_value=1, max_value=100)] = 3,
    seconds: Annotated[int, Option("In how many seconds", min_value=1, max_value=86400)] = 60,
    together: Annotated[bool, Option("Count all members together: copied spam")] = False,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against repetition."""
    settings = {"most": most, "seconds": seconds, "together": together}
    stored = await editing.put(
        call.guild, "repeat", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("account", "Catch what new accounts and new members write")
async def account(
    call: Call,
    name: Name,
    consequence: Severe,
    account_hours: Annotated[
        int | None, Option("Accounts younger than so many hours", min_value=1, max_value=8760)
    ] = None,
    member_hours: Annotated[
        int | None, Option("Members for less than so many hours", min_value=1, max_value=8760)
    ] = None,
    containing: Annotated[Containing, Option("Only messages with")] = Containing.LINKS,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule about newcomers."""
    settings = {
        "account_hours": account_hours,
        "member_hours": member_hours,
        "containing": containing.value,
    }
    stored = await editing.put(
        call.guild, "account", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)
