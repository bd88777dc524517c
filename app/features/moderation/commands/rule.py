"""/rule: what automatic moderation looks for. One sub-command per kind of rule, and some to look after them."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated, Any

from app.errors import UserError
from app.features.moderation.commands.moderation_view import SANCTIONS
from app.features.moderation.models import Sanction, Severity
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.kind import kinds
from app.features.moderation.rules.store import Rule
from app.interactions.context import Autocomplete, Call
from app.interactions.declare import autocomplete, group
from app.interactions.embeds import Embed, Field
from app.interactions.options import Option, label_of
from app.interactions.permissions import Level, Permission
from app.interactions.replies import Reply
from app.locale.text import Text, joined, t, tn

LIST_SHOWN = 3_000
"""Characters of the list of rules, in English: an embed's description holds 4096 in any language."""

rule = group("rule", "What automatic moderation looks for", permission=Level.ADMIN)


class Consequence(Enum):
    """How bad a match is (seed S4's severities)."""

    WARN = "warn"
    DELETE = "delete"
    TIMEOUT = "timeout"
    BAN = "ban"

    @property
    def severity(self) -> Severity:
        """The severity that policy turns into a sanction."""
        return Severity[self.name]


class Switch(Enum):
    """How a rule works. In shadow it records and does nothing."""

    ON = "on"
    OFF = "off"
    SHADOW = "shadow"


Name = Annotated[str, Option("What the rule is called in this server", min_length=1, max_length=50)]
Severe = Annotated[Consequence, Option("What happens to whom it catches")]
Shadow = Annotated[bool, Option("Only record what it would do, to try it out")]


@autocomplete
async def rule_names(typing: Autocomplete, *, editing: RuleEditing) -> Reply:
    """Offer the names of the server's rules."""
    found = [rule.name for rule in await editing.all(typing.guild)]
    return Reply.choices([name for name in found if typing.typed.lower() in name.lower()])


Known = Annotated[str, Option("Which rule", max_length=50, autocomplete=rule_names)]


def saved(stored: Rule) -> Reply:
    """Say that a rule is in force, everywhere and at once, or why it is not."""
    if not stored.enabled:
        return Reply.private(
            t("“{name}” is saved and stays off. `/rule switch` switches it on.", name=stored.name)
        )
    if stored.shadow:
        return Reply.private(t("“{name}” is saved in shadow: it records and does nothing.", name=stored.name))
    return Reply.private(t("“{name}” is in force.", name=stored.name))


def split_list(text: str) -> tuple[str, ...]:
    """Split what people type as a list: by commas and line ends."""
    return tuple(part.strip() for part in re.split(r"[,\n;]+", text) if part.strip())


def server_id(text: str) -> int:
    """Read a server's id. Raises UserError."""
    if not (text.isascii() and text.isdecimal() and 15 <= len(text) <= 20):
        raise UserError(t("“{text}” is no server id: they have 17 to 20 digits.", text=text[:50]))
    return int(text)


@rule.slash("words", "Catch listed words, also when they are disguised")
async def words(
    call: Call,
    name: Name,
    listed: Annotated[str, Option("The words, with commas; word* also catches longer ones", max_length=4000)],
    consequence: Severe,
    exceptions: Annotated[
        str | None, Option("Words that are allowed although they contain one", max_length=2000)
    ] = None,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a word list."""
    settings = {"words": split_list(listed), "exceptions": split_list(exceptions or "")}
    stored = await editing.put(
        call.guild, "words", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("invites", "Catch invitations to other servers; your own may be posted")
async def invites(
    call: Call,
    name: Name,
    consequence: Severe,
    allowed: Annotated[
        str | None, Option("Invite codes that may be posted, with commas", max_length=1000)
    ] = None,
    partners: Annotated[
        str | None, Option("Ids of servers whose invites may be posted, with commas", max_length=2000)
    ] = None,
    shadow: Shadow = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Save a rule against invites."""
    settings = {
        "allowed_codes": [code.rsplit("/", 1)[-1] for code in split_list(allowed or "")],
        "allowed_guilds": [server_id(part) for part in split_list(partners or "")],
    }
    stored = await editing.put(
        call.guild, "invites", name, settings, severity=consequence.severity, shadow=shadow, by=call.user.id
    )
    return saved(stored)


@rule.slash("list", "Show the rules of this server")
async def list_rules(call: Call, *, editing: RuleEditing) -> Reply:
    """Show every rule in a line."""
    found = await editing.all(call.guild)
    if not found:
        return Reply.private(t("This server has no rules yet. `/rule words` makes the first."))
    lines: list[Text] = []
    length = 0
    for rule in found:
        parts = [_plain(f"**{rule.name}**"), _plain(f"`{rule.kind}`"), _consequence(rule), *_marks(rule)]
        line = joined(parts, " · ")
        length += len(str(line)) + 1
        if length > LIST_SHOWN:
            lines.append(tn("… and {count} more", "… and {count} more", len(found) - len(lines)))
            break
        lines.append(line)
    return Reply.private(embeds=[Embed(title=t("Rules"), description=joined(lines))])


def _plain(text: str) -> Text:
    """A part of a line that has no language."""
    return Text("{text}", params={"text": text})


def _consequence(stored: Rule) -> Text:
    found = Severity(stored.severity)
    known = found.name in Consequence.__members__
    return label_of(Consequence[found.name]) if known else _plain(str(int(found)))


def _marks(stored: Rule) -> list[Text]:
    marks = [] if stored.sanction is None else [SANCTIONS[Sanction(stored.sanction)]]
    marks += [] if stored.enabled else [label_of(Switch.OFF)]
    marks += [label_of(Switch.SHADOW)] if stored.shadow else []
    if stored.expires_at is not None:
        marks.append(_plain(f"<t:{int(stored.expires_at.timestamp())}:R>"))
    return marks


@rule.slash("view", "Show a rule")
async def view(call: Call, name: Known, *, editing: RuleEditing) -> Reply:
    """Show a rule with its settings."""
    stored = await editing.find(call.guild, name)
    sentence: Text | str = kinds()[stored.kind].sentence if stored.kind in kinds() else stored.kind
    lines = [_setting(key, value) for key, value in stored.settings.items()]
    title = joined([_plain(stored.name), *_marks(stored)], " · ")
    embed = Embed(title=title, description=joined(lines) if lines else None, fields=exemptions_of(stored))
    return Reply.private(sentence, embeds=[embed])


def _setting(key: str, value: Any) -> Text:
    """A line of a rule's settings; a list of thousands of words is cut."""
    if isinstance(value, bool):
        shown = t("yes") if value else t("no")
    elif isinstance(value, list):
        shown = _plain(", ".join(str(one) for one in value)[:300]) if value else t("none")
    else:
        shown = t("none") if value is None else _plain(str(value)[:300])
    return Text("{key}: {value}", params={"key": f"`{key}`", "value": shown})


def exemptions_of(stored: Rule) -> tuple[Field, ...]:
    """Show whom and what a rule leaves alone."""
    permissions = Permission(stored.exempt_permissions)
    shown = [
        *(f"<@&{role}>" for role in stored.exempt_roles),
        *(f"<#{channel}>" for channel in stored.exempt_channels),
        *(f"`{one.name.lower()}`" for one in Permission if one in permissions and one.name),
    ]
    return (Field(t("Exempt"), " ".join(shown)[:1024]),) if shown else ()


@rule.slash("remove", "Remove a rule")
async def remove(call: Call, name: Known, *, editing: RuleEditing) -> Reply:
    """Remove a rule; decisions that it made stay explainable."""
    await editing.remove(call.guild, name, by=call.user.id)
    return Reply.private(t("“{name}” is removed.", name=name))


@rule.slash("switch", "Switch a rule on or off, or to shadow")
async def switch(
    call: Call,
    name: Known,
    to: Annotated[Switch, Option("on, off or shadow")],
    *,
    editing: RuleEditing,
) -> Reply:
    """Change how a rule works without touching what it looks for."""
    stored = await editing.change(
        call.guild, name, by=call.user.id, enabled=to is not Switch.OFF, shadow=to is Switch.SHADOW
    )
    if not stored.enabled:
        return Reply.private(t("“{name}” is off.", name=name))
    return saved(stored)
