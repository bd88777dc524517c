"""People use the application: commands, autocompletion, buttons, selects, modals."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from sandbox.admin.context import ChannelRef, Context, Ctx, Id, UserRef
from sandbox.admin.errors import ERROR_ANSWERS, Refused
from sandbox.interactions.outcome import Outcome, outcome_of
from sandbox.interactions.selects import BUTTON, SELECTS, all_components
from sandbox.world import Channel
from sandbox.world.payloads import command_payload

router = APIRouter(tags=["Interactions"], responses=ERROR_ANSWERS)

Json = dict[str, Any]
Wait = Annotated[
    float,
    Field(0, ge=0, le=60, description="Also wait this many seconds for a deferred answer to be completed."),
]


class Acting(BaseModel):
    """Who acts, and in which language."""

    model_config = ConfigDict(populate_by_name=True)

    who: UserRef = Field(alias="as")
    locale: str | None = Field(None, description="The person's language; default: the account's.")


class Placed(Acting):
    """Where the person acts; without `channel` in the direct messages with the bot."""

    channel: ChannelRef | None = None


class RunCommand(Placed):
    """`name` with its sub-commands (`panel poll new`); options by name."""

    name: str = Field(min_length=1, max_length=120, examples=["ping"])
    type: int = Field(1, ge=1, le=3, description="1 chat input, 2 user, 3 message.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Ids as strings; a file as {filename, text or content_base64}.",
    )
    target: str | None = Field(
        None, description="For types 2 and 3: a user (id or username) or a message id."
    )
    wait_seconds: Wait


class Autocomplete(Placed):
    """Ask for choices while `focused` is being typed."""

    name: str = Field(min_length=1, max_length=120)
    focused: str
    options: dict[str, Any] = Field(default_factory=dict)


class Press(Acting):
    """Name the button by `custom_id`, or by the label that people see."""

    custom_id: str | None = None
    label: str | None = None
    wait_seconds: Wait


class Choose(Acting):
    """Name the select by `custom_id`; without it the only select of the message is meant."""

    custom_id: str | None = None
    values: list[str] = Field(max_length=25)
    wait_seconds: Wait


class SubmitModal(Acting):
    """Values by custom_id, or by the label that people see; what is left out keeps its preset."""

    values: dict[str, Any] = Field(default_factory=dict)
    wait_seconds: Wait


@router.get("/commands", summary="List the registered commands")
async def list_commands(
    ctx: Ctx,
    channel: ChannelRef | None = None,
    who: Annotated[UserRef | None, Query(alias="as", description="Only what this person is offered.")] = None,
) -> list[Json]:
    """With `as` (and `channel`, default: the direct messages) only what the client would show there."""
    if who is None:
        found = list(ctx.world.commands.values())
    else:
        user = ctx.user(who)
        found = ctx.people.offered(place(ctx, channel, user.id).id, user.id)
    return [command_payload(ctx.world, command) for command in found]


@router.post("/commands", summary="Run a command as somebody")
async def run_command(body: RunCommand, ctx: Ctx) -> Outcome:
    """Sends a signed interaction and waits for the first response (3 s); the answer says what the person sees."""
    user = ctx.user(body.who)
    return await ctx.people.run_command(
        body.name,
        user_id=user.id,
        channel_id=place(ctx, body.channel, user.id).id,
        type=body.type,
        options=body.options,
        target_id=_target(ctx, body),
        locale=body.locale,
        wait_seconds=body.wait_seconds,
    )


@router.post("/autocomplete", summary="Ask for an option's choices as somebody")
async def autocomplete(body: Autocomplete, ctx: Ctx) -> Outcome:
    """`options` holds what has been typed so far."""
    user = ctx.user(body.who)
    return await ctx.people.autocomplete(
        body.name,
        user_id=user.id,
        channel_id=place(ctx, body.channel, user.id).id,
        focused=body.focused,
        options=body.options,
        locale=body.locale,
    )


@router.post("/messages/{message_id}/press", summary="Press a button as somebody")
async def press(message_id: Id, body: Press, ctx: Ctx) -> Outcome:
    """Buttons that are disabled, or on somebody else's ephemeral message, cannot be pressed."""
    custom_id = body.custom_id or _button(ctx, message_id, body.label)
    return await ctx.people.press(
        message_id,
        custom_id,
        user_id=ctx.user(body.who).id,
        locale=body.locale,
        wait_seconds=body.wait_seconds,
    )


@router.post("/messages/{message_id}/choose", summary="Choose in a select menu as somebody")
async def choose(message_id: Id, body: Choose, ctx: Ctx) -> Outcome:
    """`values` are option values, or ids for user, role, mentionable and channel selects."""
    custom_id = body.custom_id or _select(ctx, message_id)
    return await ctx.people.choose(
        message_id,
        custom_id,
        body.values,
        user_id=ctx.user(body.who).id,
        locale=body.locale,
        wait_seconds=body.wait_seconds,
    )


@router.post("/modals/{modal_id}/submit", summary="Submit a modal as the one who opened it")
async def submit_modal(modal_id: Id, body: SubmitModal, ctx: Ctx) -> Outcome:
    """`modal_id` is `modal.modal_id` of the outcome that opened it."""
    return await ctx.people.submit_modal(
        modal_id,
        _by_custom_id(ctx, modal_id, body.values),
        user_id=ctx.user(body.who).id,
        locale=body.locale,
        wait_seconds=body.wait_seconds,
    )


@router.get("/interactions/{interaction_id}", summary="See how an interaction stands now")
async def read_interaction(interaction_id: Id, ctx: Ctx) -> Outcome:
    """The first response as it is now, edits and follow-ups included."""
    invocation = ctx.interactions.invocations.by_id(interaction_id)
    if invocation is None:
        raise Refused("unknown_interaction", "no such interaction is remembered", status=404)
    return outcome_of(ctx.world, invocation)


def place(ctx: Context, channel: str | None, user_id: int) -> Channel:
    """The channel, or the direct messages between this person and the bot."""
    return ctx.channel(channel) if channel is not None else ctx.world.open_dm(user_id, ctx.world.bot_id)


def _target(ctx: Context, body: RunCommand) -> int | None:
    if body.target is None:
        return None
    if body.type == 2:
        return ctx.user(body.target).id
    if not body.target.isdecimal():
        raise Refused("invalid_target", "the target of a message command is a message id", status=400)
    return int(body.target)


def _button(ctx: Context, message_id: int, label: str | None) -> str:
    buttons = [
        one
        for one in all_components(ctx.world.find_message(message_id).components)
        if one["type"] == BUTTON and one.get("custom_id")
    ]
    for one in buttons:
        if label is not None and str(one.get("label", "")).casefold() == label.casefold():
            return str(one["custom_id"])
    known = ", ".join(repr(one.get("label") or "?") for one in buttons) or "none"
    raise Refused("unknown_button", f"no button labelled {label!r}; the message has: {known}", status=404)


def _select(ctx: Context, message_id: int) -> str:
    found = [
        one for one in all_components(ctx.world.find_message(message_id).components) if one["type"] in SELECTS
    ]
    if len(found) != 1:
        raise Refused("unknown_select", f"the message has {len(found)} selects; name one", status=400)
    return str(found[0]["custom_id"])


def _by_custom_id(ctx: Context, modal_id: int, values: dict[str, Any]) -> dict[str, Any]:
    invocation = ctx.interactions.invocations.by_id(modal_id)
    if invocation is None or invocation.callback is None:
        return values
    labels: dict[str, str] = {}
    for one in invocation.callback.data.get("components") or ():
        inner = [one["component"]] if "component" in one else one.get("components") or ()
        for leaf in inner:
            labels[str(one.get("label") or leaf.get("label") or "")] = str(leaf["custom_id"])
    return {labels.get(name, name): value for name, value in values.items()}
