"""/rule regex, links, caps, zalgo: what a text says and how it looks."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from app.features.moderation.commands.rule import Name, Severe, Shadow, rule, saved, split_list
from app.features.moderation.rules.editing import RuleEditing
from app.interactions.context import Call
from app.interactions.options import Option
from app.interactions.replies import Reply


class LinkMode(Enum):
    """What listed domains mean."""

    BLOCK = "block"
    ALLOW = "allow"


@rule.slash("regex", "Catch a regular expression (RE2 syntax)")
async def regex(
    call: Call,
    name: Name,
    pattern: Annotated[str, Option("The expression; case does not matter", max_length=260)],
    consequence: Severe,
    add: Annotated[bool, Option("Add it to the rule's expressions")] = False,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a regular expression, or add one to a rule."""
    known: list[str] = []
    if add:
        found = await editing.find(call.guild, name)
        known = list(found.settings.get("patterns", ()))
    settings = {"patterns": list(dict.fromkeys([*known, pattern]))}
    stored = await editing.put(
        call.guild, "regex", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("links", "Catch links to blocked domains, or to all but allowed ones")
async def links(
    call: Call,
    name: Name,
    consequence: Severe,
    mode: Annotated[LinkMode, Option("Are the domains blocked, or the only allowed ones?")] = LinkMode.BLOCK,
    domains: Annotated[
        str | None, Option("With commas; =host for that host only, *.name for hosts below", max_length=4000)
    ] = None,
    lists: Annotated[str | None, Option("Imported lists, with commas", max_length=500)] = None,
    protect: Annotated[str | None, Option("Domains whose look-alikes are caught", max_length=1000)] = None,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule about links."""
    settings = {
        "mode": mode.value,
        "domains": split_list(domains or ""),
        "lists": split_list(lists or ""),
        "protected": split_list(protect or ""),
    }
    stored = await editing.put(
        call.guild, "links", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("caps", "Catch shouting in capital letters")
async def caps(
    call: Call,
    name: Name,
    consequence: Severe,
    percent: Annotated[int, Option("Capitals among the letters, in %", min_value=1, max_value=100)] = 80,
    least: Annotated[int, Option("Letters from which on it counts", min_value=1, max_value=1000)] = 12,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against shouting."""
    settings = {"percent": percent, "least": least}
    stored = await editing.put(
        call.guild, "caps", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("zalgo", "Catch letters under piles of marks")
async def zalgo(
    call: Call,
    name: Name,
    consequence: Severe,
    most: Annotated[int, Option("Marks that one letter may have", min_value=2, max_value=20)] = 4,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against stacked marks."""
    stored = await editing.put(
        call.guild,
        "zalgo",
        name,
        {"most": most},
        severity=consequence.severity,
        shadow=shadow,
        by=call.user.id,
    )
    return saved(stored)
