"""/rule mentions, emoji, newlines, attachments: what a message is made of."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from app.features.moderation.commands.rule import Name, Severe, Shadow, rule, saved, split_list
from app.features.moderation.rules.editing import RuleEditing
from app.interactions.context import Call
from app.interactions.options import Option
from app.interactions.replies import Reply


class FileType(Enum):
    """Kinds of content."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


@rule.slash("mentions", "Catch messages that mention many")
async def mentions(
    call: Call,
    name: Name,
    consequence: Severe,
    most: Annotated[int, Option("Users and roles that may be mentioned", min_value=0, max_value=100)] = 5,
    everyone: Annotated[bool, Option("Also catch @everyone and @here")] = False,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against mass mentions."""
    settings = {"most": most, "everyone": everyone}
    stored = await editing.put(
        call.guild, "mentions", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("emoji", "Catch messages full of emoji")
async def emoji(
    call: Call,
    name: Name,
    consequence: Severe,
    most: Annotated[int, Option("Emoji that a message may have", min_value=0, max_value=500)] = 15,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against emoji."""
    stored = await editing.put(
        call.guild,
        "emoji",
        name,
        {"most": most},
        severity=consequence.severity,
        shadow=shadow,
        by=call.user.id,
    )
    return saved(stored)


@rule.slash("newlines", "Catch messages of very many lines")
async def newlines(
    call: Call,
    name: Name,
    consequence: Severe,
    most: Annotated[int, Option("Line breaks that a message may have", min_value=1, max_value=1000)] = 30,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against walls of lines."""
    stored = await editing.put(
        call.guild,
        "newlines",
        name,
        {"most": most},
        severity=consequence.severity,
        shadow=shadow,
        by=call.user.id,
    )
    return saved(stored)


@rule.slash("attachments", "Catch files by ending, type or number")
async def attachments(
    call: Call,
    name: Name,
    consequence: Severe,
    blocked: Annotated[
        str | None, Option("Endings, with commas; without: programs such as exe", max_length=1000)
    ] = None,
    allowed: Annotated[str | None, Option("The only endings that are allowed", max_length=1000)] = None,
    content: Annotated[FileType | None, Option("Also catch this type")] = None,
    most: Annotated[int | None, Option("Files that a message may have", min_value=0, max_value=10)] = None,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule about files."""
    settings: dict[str, Any] = {"allowed": split_list(allowed or ""), "most": most}
    if blocked is not None:
        settings["blocked"] = split_list(blocked)
    if content is not None:
        settings["types"] = [content.value]
    stored = await editing.put(
        call.guild,
        "attachments",
        name,
        settings,
        severity=consequence.severity,
        shadow=shadow,
        by=call.user.id,
    )
    return saved(stored)
