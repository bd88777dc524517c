"""/rule exempt, adjust, load, keep, test: looking after rules."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Annotated, Any

from app.errors import UserError
from app.features.moderation.commands.duration import parse_duration
from app.features.moderation.commands.moderation_view import SANCTIONS
from app.features.moderation.commands.rule import Consequence, Known, rule, saved
from app.features.moderation.models import Sanction, Severity
from app.features.moderation.rules.domains.fetching import fetch
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.messages.backtest import MOST_MESSAGES, Backtest, Backtests
from app.features.moderation.rules.messages.keeping import KeptMessages
from app.features.moderation.settings_editing import SettingsEditing
from app.interactions.context import Call
from app.interactions.embeds import Embed, Field
from app.interactions.options import Option
from app.interactions.payloads import Attachment, Channel, Role
from app.interactions.permissions import Permission
from app.interactions.replies import Reply
from app.jobs.declare import Work, job
from app.locale.text import Text, joined, t, tn
from app.snowflake import UserId

LONGEST = timedelta(days=366)
MAX_EXEMPT = 50
MAX_FILE = 256 << 10
"""5,000 words of 50 characters."""


class Override(Enum):
    """What a rule does instead of what its severity says."""

    SEVERITY = "by severity"
    NONE = "none"
    WARN = "warn"
    DELETE = "delete"
    TIMEOUT = "timeout"
    KICK = "kick"
    BAN = "ban"
    REVIEW = "review"


class Holds(Enum):
    """Permissions that can exempt."""

    MANAGE_MESSAGES = "manage messages"
    MENTION_EVERYONE = "mention everyone"
    ATTACH_FILES = "attach files"
    EMBED_LINKS = "embed links"
    MANAGE_THREADS = "manage threads"
    CREATE_INSTANT_INVITE = "create invite"


@rule.slash("exempt", "Leave a role, a channel or a permission alone")
async def exempt(
    call: Call,
    name: Known,
    role: Annotated[Role | None, Option("Members with this role")] = None,
    channel: Annotated[Channel | None, Option("Messages in this channel")] = None,
    permission: Annotated[Holds | None, Option("Members with this permission")] = None,
    remove: Annotated[bool, Option("End the exemption")] = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Add or remove an exemption."""
    stored = await editing.find(call.guild, name)
    if role is None and channel is None and permission is None:
        raise UserError(t("Name a role, a channel or a permission."))
    changed: dict[str, Any] = {}
    if role is not None:
        changed["exempt_roles"] = _with(stored.exempt_roles, role.id, remove=remove)
    if channel is not None:
        changed["exempt_channels"] = _with(stored.exempt_channels, channel.id, remove=remove)
    if permission is not None:
        bit = Permission[permission.name].value
        bits = stored.exempt_permissions
        changed["exempt_permissions"] = bits & ~bit if remove else bits | bit
    await editing.change(call.guild, name, by=call.user.id, **changed)
    return Reply.private(t("“{name}” is changed. `/rule view` shows its exemptions.", name=name))


def _with(known: Any, one: int, *, remove: bool) -> list[int]:
    found = [value for value in known if value != one]
    if not remove:
        found.append(one)
    if len(found) > MAX_EXEMPT:
        raise UserError(t("A rule can have {count} exemptions of a kind.", count=MAX_EXEMPT))
    return found


@rule.slash("adjust", "Change how hard a rule is, what it does, until when")
async def adjust(
    call: Call,
    name: Known,
    consequence: Annotated[Consequence | None, Option("How bad it is")] = None,
    action: Annotated[Override | None, Option("What it does, whatever its severity")] = None,
    expires: Annotated[str | None, Option("Ends after: 2h, 7d; “never” ends that", max_length=50)] = None,
    *,
    editing: RuleEditing,
) -> Reply:
    """Change a rule without touching what it looks for."""
    changed: dict[str, Any] = {}
    if consequence is not None:
        changed["severity"] = Severity(consequence.severity)
    if action is not None:
        changed["sanction"] = None if action is Override.SEVERITY else Sanction[action.name]
    if expires is not None:
        never = expires.strip().lower() == "never"
        changed["expires_at"] = None if never else call.now + parse_duration(expires, longest=LONGEST)
    if not changed:
        raise UserError(t("Say what to change: the consequence, the action or when it expires."))
    return saved(await editing.change(call.guild, name, by=call.user.id, **changed))


@job("moderation.load_rule", seconds=120)
async def load_entries(work: Work, name: str, url: str, replace: bool, *, editing: RuleEditing) -> Reply:
    """Put the lines of a file into a rule."""
    assert work.guild is not None
    text = await fetch(url, trusted=True, max_bytes=MAX_FILE)
    lines = [line.strip() for line in text.splitlines()]
    entries = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    stored = await editing.find(work.guild, name)
    field = "patterns" if stored.kind == "regex" else "words"
    known = [] if replace else list(stored.settings.get(field, ()))
    settings = {**stored.settings, field: list(dict.fromkeys([*known, *entries]))}
    await editing.put(
        work.guild,
        stored.kind,
        name,
        settings,
        severity=Severity(stored.severity),
        sanction=None if stored.sanction is None else Sanction(stored.sanction),
        shadow=stored.shadow,
        expires_at=stored.expires_at,
        by=UserId(work.user),
    )
    count = len(settings[field])
    return Reply.private(
        tn("“{name}” has {count} entry now.", "“{name}” has {count} entries now.", count=count, name=name)
    )


@rule.slash("load", "Load words or expressions from a file, one per line")
async def load(
    call: Call,
    name: Known,
    file: Annotated[Attachment, Option("A text file", file_types=[".txt", ".csv", ".list"])],
    replace: Annotated[bool, Option("Instead of what the rule has")] = False,
    *,
    editing: RuleEditing,
) -> Reply:
    """Load a rule's entries from a file."""
    stored = await editing.find(call.guild, name)
    if stored.kind not in {"words", "regex"}:
        raise UserError(t("Only word lists and regular expressions can be loaded from a file."))
    if file.size > MAX_FILE:
        raise UserError(t("The file is larger than {size} KB.", size=MAX_FILE >> 10))
    return Reply.defer(load_entries.job(name=name, url=file.url, replace=replace))


@rule.slash("keep", "Keep messages for a while, so that rules can be tried")
async def keep(
    call: Call,
    on: Annotated[bool, Option("Off also forgets what was kept")],
    *,
    settings: SettingsEditing,
    kept: KeptMessages,
) -> Reply:
    """Say whether messages are kept."""
    changed = await settings.change(call.guild, lambda _old: {"keep_messages": on}, by=call.user.id)
    if not on:
        gone = await kept.forget_all(call.guild)
        return Reply.private(
            tn("Nothing is kept any more; {count} message was forgotten.",
               "Nothing is kept any more; {count} messages were forgotten.", count=gone)
        )  # fmt: skip
    return Reply.private(
        t("Messages are kept for {days} days from now on. `/rule test` tries a rule on them.",
          days=changed.retention_days)
    )  # fmt: skip


@job("moderation.backtest", seconds=600)
async def run_backtest(
    work: Work, name: str, newest: int, *, editing: RuleEditing, backtests: Backtests
) -> Reply:
    """Replay kept messages."""
    assert work.guild is not None
    stored = await editing.find(work.guild, name)

    async def progress(done: int, total: int) -> None:
        await work.progress(t("{done} of {total} messages …", done=done, total=total))

    found = await backtests.run(work.guild, stored, progress, newest=newest)
    return Reply.private(_summary(found, name), embeds=_embeds(found, work.guild))


@rule.slash("test", "Try a rule on the messages that were kept")
async def try_out(
    call: Call,
    name: Known,
    newest: Annotated[
        int, Option("How many of the newest messages", min_value=1, max_value=MOST_MESSAGES)
    ] = MOST_MESSAGES,
    *,
    editing: RuleEditing,
    kept: KeptMessages,
) -> Reply:
    """Say what a rule would have done."""
    await editing.find(call.guild, name)
    if not await kept.count(call.guild):
        raise UserError(t("No messages are kept yet. `/rule keep` starts that."))
    return Reply.defer(run_backtest.job(name=name, newest=newest))


def _summary(found: Backtest, name: str) -> Text:
    return t(
        "“{name}” catches {hits} of {messages} messages, of {members} members.",
        name=name,
        hits=found.hits,
        messages=found.messages,
        members=len(found.members),
    )


def _embeds(found: Backtest, guild: int) -> list[Embed]:
    if not found.hits:
        return []
    sanctions = joined(
        [
            Text("{what}: {count}", params={"what": SANCTIONS[Sanction(sanction)], "count": count})
            for sanction, count in found.sanctions.most_common()
        ]
    )
    examples = "\n".join(
        f"https://discord.com/channels/{guild}/{one.channel_id}/{one.message_id} "
        f"<@{one.user_id}>: {one.excerpt.replace('`', chr(39))}"
        for one in found.examples
    )
    fields = (Field(t("Would have done"), sanctions),)
    return [Embed(title=t("Examples"), description=examples[:4000] or None, fields=fields)]
