"""/moderation: how this server moderates. Each sub-command changes what belongs together and shows it."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Annotated, ClassVar

from pydantic import Field as Bounds

from app.errors import UserError
from app.features.moderation.commands.duration import parse_duration
from app.features.moderation.commands.moderation_view import embed_of
from app.features.moderation.models import Sanction, Severity
from app.features.moderation.settings import MAX_TIMEOUT_MINUTES, ModerationSettings, Step
from app.features.moderation.settings_editing import SettingsEditing
from app.interactions.context import Call, Submit
from app.interactions.declare import group
from app.interactions.modal_fields import TextField
from app.interactions.modal_schema import Form
from app.interactions.modals import modal
from app.interactions.options import Option
from app.interactions.payloads import Channel, ChannelType, Role
from app.interactions.permissions import Level
from app.interactions.replies import Reply
from app.locale.text import t
from app.snowflake import RoleId

TEXT_CHANNELS = (
    ChannelType.GUILD_TEXT,
    ChannelType.GUILD_ANNOUNCEMENT,
    ChannelType.PUBLIC_THREAD,
    ChannelType.PRIVATE_THREAD,
)

moderation = group("moderation", "How this server moderates", permission=Level.ADMIN)


class Consequence(Enum):
    """What policy may do for a severity, and a rung of the ladder."""

    NONE = "none"
    WARN = "warn"
    DELETE = "delete"
    TIMEOUT = "timeout"
    KICK = "kick"
    BAN = "ban"
    REVIEW = "review"


class HowBad(Enum):
    """Seed S4's severities."""

    WARN = "1"
    DELETE = "2"
    TIMEOUT = "3"
    BAN = "4"


class Category(Enum):
    """The moderation API's families of categories (seed S4 gives numbers for four of them)."""

    HATE = "hate"
    HARASSMENT = "harassment"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    SELF_HARM = "self-harm"
    ILLICIT = "illicit"
    OTHER = "other"


def changed(settings: ModerationSettings, *, machines: bool = True) -> Reply:
    """Show the settings as they are now."""
    return Reply.private(t("Changed. Now it is so:"), embeds=[embed_of(settings, machines=machines)])


@moderation.slash("view", "Show the settings")
async def view(call: Call, *, editing: SettingsEditing) -> Reply:
    """Show everything."""
    return Reply.private(embeds=[embed_of(await editing.get(call.guild), machines=editing.machines)])


@moderation.slash("channels", "Where cases are logged and reviews are posted")
async def channels(
    call: Call,
    log: Annotated[Channel | None, Option("Every case is logged there", channel_types=TEXT_CHANNELS)] = None,
    review: Annotated[
        Channel | None, Option("What people must decide is posted there", channel_types=TEXT_CHANNELS)
    ] = None,
    log_off: Annotated[bool, Option("Log no more")] = False,
    review_off: Annotated[bool, Option("Post no reviews; /review still shows them")] = False,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Set the channels; what is not named stays."""
    wanted: dict[str, int | None] = {}
    if log is not None or log_off:
        wanted["log_channel"] = None if log is None else int(log.id)
    if review is not None or review_off:
        wanted["review_channel"] = None if review is None else int(review.id)
    _require(wanted)
    return changed(await editing.change(call.guild, lambda _: dict(wanted), by=call.user.id))


@moderation.slash("moderators", "Let the members of a role moderate")
async def moderators(
    call: Call,
    role: Annotated[Role, Option("Which role")],
    moderates: Annotated[bool, Option("No takes it back")] = True,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Add or remove a moderator role."""
    if role.id == RoleId(call.guild):
        raise UserError(t("Everybody has that role. Choose another one."))
    return changed(await editing.moderator_role(call.guild, role.id, moderates=moderates, by=call.user.id))


@moderation.slash("exempt", "Leave a role or a channel out of automatic moderation")
async def exempt(
    call: Call,
    role: Annotated[Role | None, Option("Whose members are left alone")] = None,
    channel: Annotated[Channel | None, Option("Where nothing is judged")] = None,
    exempted: Annotated[bool, Option("No takes it back")] = True,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Exempt a role, a channel or both, or not any more."""
    if role is None and channel is None:
        raise UserError(t("Name what is to be changed."))

    def without(known: tuple[int, ...], key: int) -> tuple[int, ...]:
        others = tuple(one for one in known if one != key)
        return (*others, key) if exempted else others

    def change(old: ModerationSettings) -> dict[str, object]:
        wanted: dict[str, object] = {}
        if role is not None:
            wanted["exempt_roles"] = without(old.exempt_roles, int(role.id))
        if channel is not None:
            wanted["exempt_channels"] = without(old.exempt_channels, int(channel.id))
        return wanted

    return changed(await editing.change(call.guild, change, by=call.user.id))


@moderation.slash("policy", "What happens for each severity")
async def policy(
    call: Call,
    severity: Annotated[HowBad, Option("How bad it is")],
    consequence: Annotated[Consequence, Option("What happens")],
    weight: Annotated[int | None, Option("How many strikes it counts", min_value=0, max_value=100)] = None,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Set the sanction of a severity."""
    level, sanction = Severity(int(severity.value)), Sanction(consequence.value)

    def change(old: ModerationSettings) -> dict[str, object]:
        wanted: dict[str, object] = {"sanctions": {**old.sanctions, level: sanction}}
        if weight is not None:
            wanted["strike_weights"] = {**old.strike_weights, level: weight}
        return wanted

    return changed(await editing.change(call.guild, change, by=call.user.id))


@moderation.slash("ladder", "What happens from a number of strikes on")
async def ladder(
    call: Call,
    strikes: Annotated[int, Option("From how many strikes on", min_value=1, max_value=1000)],
    consequence: Annotated[Consequence, Option("What happens; none takes the step away")],
    duration: Annotated[str | None, Option("For how long: 30m, 2h, 7d", max_length=50)] = None,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Set, change or remove a step of the ladder."""
    sanction = Sanction(consequence.value)
    minutes = None if duration is None else _minutes(duration)
    if sanction is Sanction.TIMEOUT and minutes is None:
        raise UserError(t("A timeout needs a duration."))
    if minutes is not None and sanction not in {Sanction.TIMEOUT, Sanction.BAN}:
        raise UserError(t("Only a timeout and a ban can have a duration."))

    def change(old: ModerationSettings) -> dict[str, object]:
        steps = [step for step in old.ladder if step.strikes != strikes]
        if sanction is not Sanction.NONE:
            steps.append(Step(strikes=strikes, sanction=sanction, minutes=minutes))
        return {"ladder": tuple(sorted(steps, key=lambda step: step.strikes))}

    return changed(await editing.change(call.guild, change, by=call.user.id))


@moderation.slash("thresholds", "From which score on the moderation API's categories count")
async def thresholds(
    call: Call,
    category: Annotated[Category, Option("Which category")],
    score: Annotated[float, Option("From 0.01 (strict) to 1 (lenient)", min_value=0.01, max_value=1)],
    *,
    editing: SettingsEditing,
) -> Reply:
    """Set a threshold."""

    def change(old: ModerationSettings) -> dict[str, object]:
        if category is Category.OTHER:
            return {"other_threshold": score}
        return {"thresholds": {**old.thresholds, category.value: score}}

    return changed(await editing.change(call.guild, change, by=call.user.id))


@moderation.slash("options", "Timeouts, strikes, messages to members, bots, data")
async def options(
    call: Call,
    timeout: Annotated[
        str | None, Option("How long a timeout of policy lasts: 30m, 2h", max_length=50)
    ] = None,
    strike_days: Annotated[
        int | None, Option("After how many days a strike is forgotten", min_value=1, max_value=3650)
    ] = None,
    notify: Annotated[bool | None, Option("Tell members by direct message")] = None,
    appeals: Annotated[bool | None, Option("Let members appeal")] = None,
    moderate_bots: Annotated[bool | None, Option("Moderate other bots too")] = None,
    retention_days: Annotated[
        int | None, Option("After how many days texts are forgotten", min_value=1, max_value=365)
    ] = None,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Change what is named; the rest stays."""
    given = {
        "timeout_minutes": None if timeout is None else _minutes(timeout),
        "strike_days": strike_days,
        "notify_members": notify,
        "appeals": appeals,
        "moderate_bots": moderate_bots,
        "retention_days": retention_days,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    _require(wanted)
    return changed(await editing.change(call.guild, lambda _: dict(wanted), by=call.user.id))


@moderation.slash("ai", "Whether messages are judged by the moderation API and the agent")
async def ai(
    call: Call,
    provider: Annotated[bool | None, Option("Stage 2: the moderation API's scores")] = None,
    agent: Annotated[bool | None, Option("Stage 3: a model judges unclear cases by your policy")] = None,
    *,
    editing: SettingsEditing,
) -> Reply:
    """Switch stages 2 and 3."""
    given = {"provider_enabled": provider, "agent_enabled": agent}
    wanted = {name: value for name, value in given.items() if value is not None}
    _require(wanted)
    settings = await editing.change(call.guild, lambda _: dict(wanted), by=call.user.id)
    return changed(settings, machines=editing.machines)


class PolicyForm(Form):
    """The server's own rules, in its own words."""

    title: ClassVar = t("Policy of this server")
    text: Annotated[
        str,
        TextField(t("What is not allowed here?"), t("The agent of stage 3 judges by it."), paragraph=True),
        Bounds(max_length=4000),
    ] = ""


@moderation.slash("policy-text", "Write down what is not allowed here, for the agent")
async def policy_text(call: Call, *, editing: SettingsEditing) -> Reply:
    """Open the form, filled in."""
    settings = await editing.get(call.guild)
    return Reply.modal(policy_written.open(entries={"text": settings.policy_text}))


@modal("moderation.policy", permission=Level.ADMIN)
async def policy_written(submit: Submit, form: PolicyForm, *, editing: SettingsEditing) -> Reply:
    """Keep the policy's text."""
    text = form.text.strip()
    return changed(await editing.change(submit.guild, lambda _: {"policy_text": text}, by=submit.user.id))


def _minutes(text: str) -> int:
    lasting = parse_duration(text, longest=timedelta(minutes=MAX_TIMEOUT_MINUTES))
    return max(1, int(lasting.total_seconds() // 60))


def _require(wanted: object) -> None:
    if not wanted:
        raise UserError(t("Name what is to be changed."))
