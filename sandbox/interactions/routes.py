"""The routes an application answers interactions by, no bot token needed (contract 1.8, 1.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.interactions.invocations import Invocation, State
from sandbox.interactions.outcome import find_message
from sandbox.interactions.replies import TooManyFollowUps
from sandbox.interactions.rules.callback import ResponseType
from sandbox.interactions.service import AlreadyAcknowledged, Interactions, TooLate
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, Route, route
from sandbox.rest.errors import refused
from sandbox.world.models import MESSAGE_FLAG_LOADING, Message
from sandbox.world.payloads import message_payload

if TYPE_CHECKING:
    from sandbox.rest.call import Call

CALLBACK = Bucket("interaction.callback", 5, 2.0)
FOLLOW_UP = Bucket("webhook.create", 5, 2.0)
READ = Bucket("webhook.message.get", 5, 1.0)
EDIT = Bucket("webhook.message.edit", 5, 2.0)
DELETE = Bucket("webhook.message.delete", 5, 1.0)
ORIGINAL = "@original"

_MESSAGE = "/webhooks/{webhook_id}/{token}/messages/{message}"


@route("POST", "/interactions/{interaction_id}/{token}/callback", bucket=CALLBACK, token_in_path=True)
async def create_interaction_response(call: Call) -> Answer:
    """204, or 200 with the resource for `?with_response=true`. Errors 40060 and 10062."""
    interactions = _interactions(call)
    invocation = interactions.invocations.by_id(call.id("interaction_id"))
    if invocation is None or invocation.token != call.text("token"):
        raise refused(10062)
    try:
        interactions.take_first_response(invocation, call.body, call.files)
    except AlreadyAcknowledged:
        raise refused(40060) from None
    except TooLate:
        raise refused(10062) from None
    if not call.flag("with_response"):
        return NO_CONTENT
    return Answer(200, callback_resource(interactions, invocation))


@route("POST", "/webhooks/{webhook_id}/{token}", bucket=FOLLOW_UP, token_in_path=True)
async def create_followup_message(call: Call) -> Answer:
    """`wait` is always true: the message comes back. Error 40094 after five of a user-installed application."""
    interactions, invocation = _answered(call)
    try:
        message = interactions.replies.follow_up(invocation, call.body or {}, call.files)
    except TooManyFollowUps:
        raise refused(40094) from None
    return Answer(200, message_payload(interactions.world, message))


@route("GET", _MESSAGE, bucket=READ, token_in_path=True)
async def get_response_message(call: Call) -> Answer:
    """The first response (`@original`) or a follow-up."""
    interactions, _, message = _message(call)
    return Answer(200, message_payload(interactions.world, message))


@route("PATCH", _MESSAGE, bucket=EDIT, token_in_path=True)
async def edit_response_message(call: Call) -> Answer:
    """Edit; completes a deferred answer."""
    interactions, invocation, message = _message(call)
    edited = interactions.replies.edit(invocation, message, call.body or {}, call.files)
    return Answer(200, message_payload(interactions.world, edited))


@route("DELETE", _MESSAGE, bucket=DELETE, token_in_path=True)
async def delete_response_message(call: Call) -> Answer:
    """Delete; works for ephemeral messages too."""
    interactions, invocation, message = _message(call)
    interactions.replies.delete(invocation, message)
    return NO_CONTENT


ROUTES: tuple[Route, ...] = (
    create_interaction_response,
    create_followup_message,
    get_response_message,
    edit_response_message,
    delete_response_message,
)


def callback_resource(interactions: Interactions, invocation: Invocation) -> dict[str, Any]:
    """The body of `?with_response=true`: `message` stands there for types 4 and 7 only."""
    callback = invocation.callback
    assert callback is not None
    about: dict[str, Any] = {"id": str(invocation.id), "type": int(invocation.type)}
    message = find_message(interactions.world, invocation.channel_id, invocation.original_id)
    if message is not None:
        about["response_message_id"] = str(message.id)
        about["response_message_loading"] = bool(message.flags & MESSAGE_FLAG_LOADING)
        about["response_message_ephemeral"] = message.ephemeral_for is not None
    answer: dict[str, Any] = {"interaction": about}
    if callback.type in {ResponseType.MESSAGE, ResponseType.UPDATE_MESSAGE} and message is not None:
        answer["resource"] = {
            "type": int(callback.type),
            "message": message_payload(interactions.world, message),
        }
    return answer


def _interactions(call: Call) -> Interactions:
    found: Interactions = call.sandbox.interactions
    return found


def _answered(call: Call) -> tuple[Interactions, Invocation]:
    """The interaction behind the token: 10015 for one that never was, 50027 for one that has expired."""
    interactions = _interactions(call)
    invocation = interactions.invocations.by_token(call.text("token"))
    if invocation is None or call.id("webhook_id") != interactions.world.application.id:
        raise refused(10015)
    if not interactions.token_is_alive(invocation):
        raise refused(50027)
    if invocation.state is not State.ANSWERED:
        raise refused(10015)
    return interactions, invocation


def _message(call: Call) -> tuple[Interactions, Invocation, Message]:
    """The message of the path, if it belongs to the interaction. Raises 10008."""
    interactions, invocation = _answered(call)
    name = call.text("message")
    if name == ORIGINAL:
        wanted = invocation.original_id
    elif name.isascii() and name.isdecimal():
        wanted = int(name)
    else:
        raise refused(10008)
    if wanted is None or wanted not in {invocation.original_id, *invocation.followup_ids}:
        raise refused(10008)
    message = find_message(interactions.world, invocation.channel_id, wanted)
    if message is None:
        raise refused(10008)
    return interactions, invocation, message
