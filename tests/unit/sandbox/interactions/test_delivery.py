"""What goes to the application, and what its answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandbox.interactions.options import InvalidInput
from sandbox.interactions.people import People
from sandbox.interactions.service import AlreadyAcknowledged, Interactions, TooLate
from sandbox.world import Channel, Guild, World
from tests.fixtures.scripted_app import ScriptedApp

Act = Callable[..., Any]

SAY = {"type": 4, "data": {"content": "hello"}}
BUTTON = {"type": 2, "style": 1, "label": "Go", "custom_id": "go"}


def button_message(*components: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {
        "type": 4,
        "data": {"content": "pick", "components": [{"type": 1, "components": list(components)}], **data},
    }


async def test_a_command_is_signed_complete_and_answered(
    act: Act, app: ScriptedApp, world: World, guild: Guild, general: Channel
) -> None:
    app.scripts["ping"] = lambda _: SAY
    outcome = await act("ping", locale="de")
    assert (outcome.state, outcome.response, outcome.ephemeral) == ("answered", "message", False)
    assert outcome.message["content"] == "hello"
    assert outcome.message["type"] == 20
    assert outcome.message["interaction_metadata"]["name"] == "ping"
    sent = app.received[0]
    assert sent["type"] == 2
    assert sent["version"] == 1
    assert sent["locale"] == "de"
    assert sent["guild_locale"] == "en-US"
    assert sent["guild"] == {"id": str(guild.id), "locale": "en-US", "features": guild.features}
    assert sent["context"] == 0
    assert sent["authorizing_integration_owners"] == {"0": str(guild.id)}
    assert sent["member"]["user"]["id"] == str(guild.owner_id)
    assert int(sent["member"]["permissions"]) & 8
    assert sent["channel"]["id"] == sent["channel_id"] == str(general.id)
    assert int(sent["app_permissions"]) == int(world.permissions_in(general, world.bot_id))
    assert sent["entitlements"] == []
    assert sent["attachment_size_limit"] == 10 * 1024 * 1024
    assert "user" not in sent
    assert "message" not in sent


async def test_in_a_direct_message_the_user_stands_alone(
    people: People, app: ScriptedApp, world: World, ordinary: int
) -> None:
    app.scripts["ping"] = lambda _: SAY
    channel = world.open_dm(ordinary, world.bot_id)
    await people.run_command("ping", user_id=ordinary, channel_id=channel.id)
    sent = app.received[0]
    assert sent["user"]["id"] == str(ordinary)
    assert sent["context"] == 1
    assert sent["authorizing_integration_owners"] == {"0": "0"}
    assert not {"member", "guild", "guild_id", "guild_locale"} & set(sent)


async def test_every_option_type_arrives_typed_and_resolved(
    act: Act, app: ScriptedApp, guild: Guild, general: Channel, ordinary: int
) -> None:
    app.scripts["warn"] = lambda _: SAY
    role = next(r for r in guild.roles.values() if r.name == "Moderator")
    await act(
        "warn",
        options={
            "member": ordinary,
            "reason": "spam",
            "points": 3,
            "weight": 1.5,
            "quiet": True,
            "where": str(general.id),
            "role": role.id,
            "whom": role.id,
            "proof": {"filename": "a.png", "content_base64": "iVBORw0KGgo="},
        },
    )
    data = app.received[0]["data"]
    values = {o["name"]: (o["type"], o["value"]) for o in data["options"]}
    attachment_id = values["proof"][1]
    assert values == {
        "member": (6, str(ordinary)),
        "reason": (3, "spam"),
        "points": (4, 3),
        "weight": (10, 1.5),
        "quiet": (5, True),
        "where": (7, str(general.id)),
        "role": (8, str(role.id)),
        "whom": (9, str(role.id)),
        "proof": (11, attachment_id),
    }
    resolved = data["resolved"]
    assert set(resolved) == {"users", "members", "channels", "roles", "attachments"}
    assert not {"user", "deaf", "mute"} & set(resolved["members"][str(ordinary)])
    assert resolved["channels"][str(general.id)]["permissions"].isdecimal()
    assert resolved["attachments"][attachment_id]["content_type"] == "image/png"


@pytest.mark.parametrize(
    ("options", "about"),
    [
        ({"reason": "x"}, "member: is required"),
        ({"member": 1, "reason": "x"}, "unknown user"),
        ({"member": "MEMBER", "reason": "x" * 21}, "between 1 and 20"),
        ({"member": "MEMBER", "reason": "x", "points": 9}, "between 1 and 5"),
        ({"member": "MEMBER", "reason": "x", "points": 1.5}, "whole number"),
        ({"member": "MEMBER", "reason": "x", "quiet": "yes"}, "true or false"),
        ({"member": "MEMBER", "reason": "x", "colour": 1}, "no such option"),
        ({"member": "MEMBER", "reason": "x", "proof": {"filename": "a.txt", "text": "x"}}, "file types"),
    ],
)
async def test_options_that_a_client_would_not_send_are_refused(
    act: Act, app: ScriptedApp, ordinary: int, options: dict[str, Any], about: str
) -> None:
    filled = {k: ordinary if v == "MEMBER" else v for k, v in options.items()}
    with pytest.raises(InvalidInput, match=about):
        await act("warn", options=filled)
    assert not app.received


async def test_sub_commands_nest_and_autocomplete_marks_the_focused_option(
    people: People, app: ScriptedApp, guild: Guild, general: Channel
) -> None:
    app.scripts["auto:panel poll new"] = lambda _: {
        "type": 8,
        "data": {"choices": [{"name": "Cats", "value": "cats"}]},
    }
    outcome = await people.autocomplete(
        "panel poll new",
        user_id=guild.owner_id,
        channel_id=general.id,
        focused="topic",
        options={"topic": "c"},
    )
    assert outcome.choices == [{"name": "Cats", "value": "cats"}]
    group = app.received[0]["data"]["options"][0]
    assert (group["name"], group["type"]) == ("poll", 2)
    assert group["options"][0]["options"] == [{"name": "topic", "type": 3, "value": "c", "focused": True}]
    with pytest.raises(InvalidInput, match="needs a sub-command"):
        await people.run_command("panel", user_id=guild.owner_id, channel_id=general.id)


async def test_who_may_not_see_a_command_cannot_run_it(act: Act, app: ScriptedApp, ordinary: int) -> None:
    with pytest.raises(InvalidInput, match="MODERATE_MEMBERS"):
        await act("warn", user_id=ordinary, options={})


async def test_user_and_message_commands_carry_their_target(
    act: Act, app: ScriptedApp, world: World, general: Channel, ordinary: int
) -> None:
    app.scripts |= {"Report": lambda _: SAY, "Warn history": lambda _: SAY}
    message = world.post_message(general.id, ordinary, "secret text")
    outcome = await act("Report", type=3, target_id=message.id)
    assert app.received[0]["data"]["resolved"]["messages"][str(message.id)]["content"] == "secret text"
    assert outcome.message["type"] == 23
    await act("Warn history", type=2, target_id=ordinary)
    assert app.received[1]["data"]["target_id"] == str(ordinary)
    assert str(ordinary) in app.received[1]["data"]["resolved"]["members"]


async def test_ephemeral_answers_are_seen_by_the_invoker_only(
    act: Act, people: People, app: ScriptedApp, world: World, general: Channel, ordinary: int
) -> None:
    app.scripts["ping"] = lambda _: button_message(BUTTON, flags=64)
    app.scripts["go"] = lambda _: {"type": 7, "data": {"content": "done", "components": []}}
    outcome = await act("ping")
    message_id = int(outcome.message_id)
    assert outcome.ephemeral
    assert message_id not in {m.id for m in world.history(general.id)}
    with pytest.raises(InvalidInput, match="somebody else"):
        await people.press(message_id, "go", user_id=ordinary)
    pressed = await people.press(message_id, "go", user_id=outcome_user(outcome))
    assert (pressed.response, pressed.message["content"]) == ("update_message", "done")
    assert app.received[1]["message"]["id"] == outcome.message_id
    assert app.received[1]["data"] == {"custom_id": "go", "component_type": 2, "id": 2}


def outcome_user(outcome: Any) -> int:
    return int(outcome.message["interaction_metadata"]["user"]["id"])


async def test_select_values_are_checked_and_resolved(
    act: Act, people: People, app: ScriptedApp, guild: Guild, ordinary: int
) -> None:
    app.scripts["ping"] = lambda _: button_message({"type": 5, "custom_id": "who", "max_values": 2})
    app.scripts["who"] = lambda _: {"type": 6}
    message_id = int((await act("ping")).message_id)
    outcome = await people.choose(message_id, "who", [ordinary, guild.owner_id], user_id=ordinary)
    assert outcome.response == "deferred_update"
    data = app.received[1]["data"]
    assert data["values"] == [str(ordinary), str(guild.owner_id)]
    assert set(data["resolved"]["users"]) == set(data["values"])
    with pytest.raises(InvalidInput, match="choose 1 to 2"):
        await people.choose(message_id, "who", [], user_id=ordinary)


MODAL = {
    "type": 9,
    "data": {
        "custom_id": "form",
        "title": "Report",
        "components": [
            {"type": 10, "content": "Please fill in"},
            {
                "type": 18,
                "label": "Why",
                "component": {"type": 4, "custom_id": "why", "style": 2, "min_length": 3, "value": "preset"},
            },
            {
                "type": 18,
                "label": "How bad",
                "component": {
                    "type": 21,
                    "custom_id": "bad",
                    "required": False,
                    "options": [{"label": "a", "value": "a"}, {"label": "b", "value": "b"}],
                },
            },
            {
                "type": 18,
                "label": "Tick",
                "component": {
                    "type": 22,
                    "custom_id": "ticks",
                    "options": [{"label": "x", "value": "x"}, {"label": "y", "value": "y", "default": True}],
                },
            },
            {"type": 18, "label": "File", "component": {"type": 19, "custom_id": "file", "required": False}},
        ],
    },
}


async def test_a_modal_is_mirrored_back_with_what_was_filled_in(
    act: Act, people: People, app: ScriptedApp, guild: Guild
) -> None:
    app.scripts["ping"] = lambda _: MODAL
    app.scripts["modal:form"] = lambda _: {"type": 4, "data": {"content": "thanks", "flags": 64}}
    opened = await act("ping")
    assert opened.modal["title"] == "Report"
    modal_id = int(opened.modal["modal_id"])
    with pytest.raises(InvalidInput, match=r"between 3 and"):
        await people.submit_modal(modal_id, {"why": "x"}, user_id=guild.owner_id)
    done = await people.submit_modal(
        modal_id, {"file": {"filename": "n.txt", "text": "hi"}}, user_id=guild.owner_id
    )
    assert done.message["content"] == "thanks"
    data = app.received[1]["data"]
    assert data["components"][0] == {"type": 10, "id": 1}
    leaves = [label["component"] for label in data["components"][1:]]
    assert all("component_type" not in leaf for leaf in leaves)
    assert leaves[0]["value"] == "preset"
    assert leaves[1]["value"] is None
    assert leaves[2]["values"] == ["y"]
    assert list(data["resolved"]["attachments"]) == leaves[3]["values"]
    with pytest.raises(InvalidInput, match="already submitted"):
        await people.submit_modal(modal_id, {}, user_id=guild.owner_id)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: Response(status_code=500), "HTTP 500"),
        (lambda _: PlainTextResponse('{"type":4,"data":{"content":"x"}}'), "Content-Type"),
        (lambda _: Response("{", media_type="application/json"), "not JSON"),
        (lambda _: {"type": 6}, "Invalid Form Body"),
        (lambda _: {"type": 4, "data": {"content": " "}}, "empty message"),
        (lambda _: {"type": 12}, "Activity"),
        (lambda _: JSONResponse(["no"]), "Invalid Form Body"),
    ],
)
async def test_answers_that_discord_refuses_fail_with_the_reason(
    act: Act, app: ScriptedApp, interactions: Interactions, answer: Callable[[Any], Any], reason: str
) -> None:
    app.scripts["ping"] = answer
    outcome = await act("ping")
    assert outcome.state == "failed"
    assert outcome.error.message == "The application did not respond"
    assert reason in outcome.error.reason
    with pytest.raises(TooLate):
        interactions.take_first_response(interactions.invocations.by_id(int(outcome.interaction_id)), SAY, ())


async def test_too_late_is_too_late(act: Act, app: ScriptedApp, interactions: Interactions) -> None:
    async def slow(_: Any) -> Any:
        await asyncio.sleep(5)
        return SAY

    interactions.trouble.deadline_seconds = 0.05
    app.scripts["ping"] = slow
    outcome = await act("ping")
    assert outcome.error.reason == "no answer within 0.05 s" or "no answer" in outcome.error.reason
    assert outcome.message is None


async def test_a_deferred_answer_is_completed_by_an_edit(
    act: Act, app: ScriptedApp, interactions: Interactions, world: World
) -> None:
    app.scripts["ping"] = lambda _: {"type": 5, "data": {"flags": 64}}
    outcome = await act("ping")
    assert outcome.loading
    assert outcome.ephemeral
    invocation = interactions.invocations.by_id(int(outcome.interaction_id))
    message = world.message(invocation.channel_id, invocation.original_id)
    interactions.replies.edit(
        invocation, message, {"flags": 32768, "components": [{"type": 10, "content": "ready"}]}, ()
    )
    assert not message.flags & 128
    assert message.flags & 32768
    assert message.ephemeral_for == invocation.user_id
    assert message.edited_ms is None
    assert invocation.finished.is_set()


async def test_202_needs_a_callback(act: Act, app: ScriptedApp, interactions: Interactions) -> None:
    def by_callback(payload: Any) -> Response:
        invocation = interactions.invocations.by_id(int(payload["id"]))
        interactions.take_first_response(invocation, SAY, ())
        with pytest.raises(AlreadyAcknowledged):
            interactions.take_first_response(invocation, SAY, ())
        return Response(status_code=202)

    app.scripts["ping"] = by_callback
    assert (await act("ping")).message["content"] == "hello"
    interactions.trouble.deadline_seconds = 0.2
    app.scripts["ping"] = lambda _: Response(status_code=202)
    outcome = await act("ping")
    assert "no callback" in outcome.error.reason or "no answer" in outcome.error.reason


async def test_without_an_endpoint_the_gateway_is_asked(
    act: Act, interactions: Interactions, world: World
) -> None:
    seen: list[Any] = []

    def bot(event: str, data: dict[str, Any], guild_id: int | None) -> None:
        if event == "INTERACTION_CREATE":
            seen.append(guild_id)
            interactions.take_first_response(interactions.invocations.by_token(data["token"]), SAY, ())

    world.subscribe(bot)
    assert (await act("ping")).message["content"] == "hello"
    assert len(seen) == 1


async def test_duplicates_are_the_same_bytes_and_change_nothing(
    act: Act, app: ScriptedApp, interactions: Interactions, world: World, general: Channel, wait_until: Any
) -> None:
    app.scripts["ping"] = lambda _: SAY
    interactions.trouble.duplicate_percent = 100
    before = len(world.history(general.id))
    await act("ping")
    await wait_until(lambda: [e for e in interactions.exchanges if e.kind == "duplicate" and e.status])
    assert len(app.received) == 2
    assert app.received[0] == app.received[1]
    assert len(world.history(general.id)) == before + 1


async def test_a_lost_answer_fails_for_the_person(
    act: Act, app: ScriptedApp, interactions: Interactions
) -> None:
    app.scripts["ping"] = lambda _: SAY
    interactions.trouble.lost_answer_percent = 100
    assert "lost" in (await act("ping")).error.reason


async def test_records_hide_the_token(act: Act, app: ScriptedApp, interactions: Interactions) -> None:
    app.scripts["ping"] = lambda _: SAY
    outcome = await act("ping")
    shown = [e.as_json() for e in interactions.exchanges if e.kind == "interaction"]
    assert outcome.token not in str(shown)
    assert shown[0]["verdict"] == "answered"
    assert shown[0]["request_headers"]["X-Signature-Ed25519"]
