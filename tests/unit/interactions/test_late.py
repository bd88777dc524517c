"""A handler took longer than 1.5 s: how its answer arrives after the deferral."""

from __future__ import annotations

from typing import Any

import pytest

from app.interactions.context import Call, Click
from app.interactions.custom_id import Bound
from app.interactions.declarations import Defer
from app.interactions.declare import button, slash
from app.interactions.interaction import Interaction
from app.interactions.late import LateCall
from app.interactions.replies import JobCall, Reply
from app.interactions.responses import Response
from tests.fixtures.interactions import Bot, command, message, parsed, press


@slash("slow", "Slow", defer=Defer.PUBLIC)
async def slow(call: Call) -> Reply:
    return Reply.public("done")


@button("slow.press", bound=Bound.ANYONE)
async def slow_press(click: Click) -> Reply:
    return Reply.nothing()


BOT = Bot(slow, slow_press)
COMMAND = parsed(command("slow"))
PRESS = parsed(press(BOT.custom_ids.sign(slow_press.to(), guild=COMMAND.guild_id, user=None), on=message()))


def late(reply: Reply, defer: Defer, interaction: Interaction = COMMAND) -> tuple[LateCall, ...]:
    renderer = BOT.dispatcher.renderer
    answer = renderer.respond(reply, renderer.audience(interaction), interaction, defer)
    return BOT.dispatcher.late_calls(renderer.waiting(defer), answer, interaction)


def test_the_declaration_says_how_it_is_deferred() -> None:
    def waiting(interaction: Interaction) -> Response | None:
        return BOT.dispatcher.deferral(BOT.dispatcher.route(interaction), interaction)

    made = waiting(COMMAND)
    assert made is not None
    assert made.body == b'{"type":5}'
    pressed = waiting(PRESS)
    assert pressed is not None
    assert pressed.body == b'{"type":6}'
    assert waiting(parsed({"type": 1})) is None
    assert waiting(parsed(command("slow", {"x": "y"}, focused="x"))) is None
    assert waiting(parsed(command("unknown"))) is None, "a refusal needs no time"


@pytest.mark.parametrize("defer", [Defer.PUBLIC, Defer.PRIVATE])
def test_an_answer_of_the_same_kind_edits_the_original(defer: Defer, assert_discord_valid: Any) -> None:
    reply = Reply.public("done") if defer is Defer.PUBLIC else Reply.private("done")
    (call,) = late(reply, defer)
    assert call.method == "edit"
    assert call.body == {"content": "done", "allowed_mentions": {"parse": []}}, (
        "ephemeral cannot be set by an edit"
    )
    assert_discord_valid("IncomingWebhookUpdateRequestPartial", call.body)


@pytest.mark.parametrize(
    ("defer", "reply"), [(Defer.PUBLIC, Reply.private("x")), (Defer.PRIVATE, Reply.public("x"))]
)
def test_an_answer_of_the_other_kind_replaces_the_thinking_message(
    defer: Defer, reply: Reply, assert_discord_valid: Any
) -> None:
    remove, answer = late(reply, defer)
    assert (remove.method, remove.body) == ("delete", None)
    assert answer.method == "follow_up"
    assert answer.body is not None
    assert bool(answer.body.get("flags", 0) & 64) is reply.ephemeral
    assert_discord_valid("IncomingWebhookRequestPartial", answer.body)


def test_after_a_silent_deferral_an_update_edits_and_a_message_follows(assert_discord_valid: Any) -> None:
    (edit,) = late(Reply.update("new"), Defer.UPDATE, PRESS)
    assert edit.method == "edit"
    assert_discord_valid("IncomingWebhookUpdateRequestPartial", edit.body)
    (follow_up,) = late(Reply.private("secret"), Defer.UPDATE, PRESS)
    assert follow_up.method == "follow_up"
    assert follow_up.body is not None
    assert follow_up.body["flags"] == 64
    assert late(Reply.nothing(), Defer.UPDATE, PRESS) == ()


def test_nothing_after_a_visible_deferral_removes_it() -> None:
    assert late(Reply.nothing(), Defer.PRIVATE, PRESS) == (LateCall("delete"),)


def test_a_job_keeps_the_deferral() -> None:
    assert late(Reply.defer(JobCall("x")), Defer.PUBLIC) == ()
    assert late(Reply.defer(JobCall("x")), Defer.UPDATE, PRESS) == ()


class Form:
    def render(self, rendering: Any) -> dict[str, Any]:
        return {"custom_id": "x", "title": "x", "components": [{"type": 10, "content": "x"}]}


def test_a_form_that_comes_too_late_is_explained() -> None:
    (call,) = late(Reply.modal(Form()), Defer.PRIVATE)
    assert call.body is not None
    assert "too long" in call.body["content"]
