"""What a person sees after an action, with what a developer wants to know about it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from sandbox.interactions.invocations import Invocation, State
from sandbox.interactions.modals import numbered
from sandbox.interactions.rules.callback import ResponseType
from sandbox.world.models import MESSAGE_FLAG_LOADING, Message
from sandbox.world.payloads import message_payload
from sandbox.world.world import World

Json = dict[str, Any]

DID_NOT_RESPOND = "The application did not respond"
"""What Discord shows for every first response that is missing, late or not valid."""


class Failure(BaseModel):
    """Why an interaction failed."""

    message: str = Field(description="What the person sees.")
    reason: str = Field(description="Why, for the developer.")
    problems: list[str] = Field(default_factory=list, description="`path: sentence` for each broken rule.")


class Outcome(BaseModel):
    """The result of a command, autocompletion, press, choice or modal submission."""

    interaction_id: str
    token: str = Field(description="The interaction token, for trying the follow-up routes by hand.")
    type: int = Field(description="2 command, 3 component, 4 autocomplete, 5 modal submit.")
    state: Literal["pending", "answered", "failed"]
    response_type: int | None = Field(None, description="Discord's number of the first response.")
    response: str | None = Field(
        None,
        description="message, deferred_message, deferred_update, update_message, choices, modal.",
    )
    reply: Json | None = Field(None, description="`data` of the first response as the application sent it.")
    message_id: str | None = None
    message: Json | None = Field(None, description="The first response as it stands now.")
    ephemeral: bool = False
    loading: bool = Field(False, description="Whether the person still sees «thinking».")
    followups: list[Json] = Field(default_factory=list, description="Follow-up messages that still exist.")
    modal: Json | None = Field(None, description="The opened modal, with `modal_id` for submitting it.")
    choices: list[Json] | None = None
    error: Failure | None = None
    http_status: int | None = None
    elapsed_ms: float | None = None


def outcome_of(world: World, invocation: Invocation) -> Outcome:
    """Describe how the interaction stands now."""
    outcome = Outcome(
        interaction_id=str(invocation.id),
        token=invocation.token,
        type=int(invocation.type),
        state=invocation.state.value,
        http_status=invocation.http_status,
        elapsed_ms=invocation.elapsed_ms,
    )
    if invocation.state is State.FAILED:
        outcome.error = Failure(
            message=DID_NOT_RESPOND,
            reason=invocation.failure or "the answer was not valid",
            problems=invocation.problems,
        )
    callback = invocation.callback
    if callback is None:
        return outcome
    outcome.response_type = int(callback.type)
    outcome.response = callback.type.name.lower()
    outcome.reply = callback.data
    if callback.type is ResponseType.MODAL:
        outcome.modal = opened_modal(invocation)
    if callback.type is ResponseType.CHOICES:
        outcome.choices = list(callback.data.get("choices") or [])
    message = find_message(world, invocation.channel_id, invocation.original_id)
    if message is not None:
        outcome.message_id = str(message.id)
        outcome.message = message_payload(world, message)
        outcome.ephemeral = message.ephemeral_for is not None
        outcome.loading = bool(message.flags & MESSAGE_FLAG_LOADING)
    for message_id in invocation.followup_ids:
        followup = find_message(world, invocation.channel_id, message_id)
        if followup is not None:
            outcome.followups.append(message_payload(world, followup))
    return outcome


def opened_modal(invocation: Invocation) -> Json:
    """The modal that an interaction was answered with, its components numbered."""
    assert invocation.callback is not None
    data = invocation.callback.data
    return {
        "modal_id": str(invocation.id),
        "custom_id": data["custom_id"],
        "title": data["title"],
        "components": numbered(data["components"]),
    }


def find_message(world: World, channel_id: int, message_id: int | None) -> Message | None:
    """A message of the channel, ephemeral ones included, or None when it is gone."""
    if message_id is None:
        return None
    return world.messages.get(channel_id, {}).get(message_id) or world.ephemeral.get(message_id)
