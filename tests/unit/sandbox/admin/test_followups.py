"""The routes that an application answers by: callback, @original, follow-ups, and their error codes."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from tests.fixtures.scripted_app import ScriptedApp
from tests.unit.sandbox.admin.conftest import Api

RUN: dict[str, Any] = {"as_": "maya", "channel": "general", "name": "ping"}
HELLO: dict[str, Any] = {"type": 4, "data": {"content": "hello"}}


async def run(api: Api, app: ScriptedApp, answer: Any, **more: Any) -> dict[str, Any]:
    app.scripts["ping"] = lambda _: answer
    outcome: dict[str, Any] = await api.call("POST", "/commands", **RUN, **more)
    return outcome


def hook(api: Api, outcome: dict[str, Any], tail: str = "") -> str:
    return f"/webhooks/{api.sandbox.world.application.id}/{outcome['token']}{tail}"


def code(answer: Any) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


async def test_the_first_response_is_read_edited_and_deleted(api: Api, app: ScriptedApp) -> None:
    outcome = await run(api, app, {"type": 4, "data": {"content": "hello", "flags": 64}})
    original = hook(api, outcome, "/messages/@original")
    assert (await api.rest("GET", original)).json()["content"] == "hello"
    edited = await api.rest("PATCH", original, content="changed")
    assert (edited.status_code, edited.json()["content"], edited.json()["flags"]) == (200, "changed", 64)
    assert edited.json()["edited_timestamp"]
    assert code(await api.rest("PATCH", original, content="")) == (400, 50006)
    assert (await api.rest("DELETE", original)).status_code == 204
    assert code(await api.rest("GET", original)) == (404, 10008)


async def test_followups_are_messages_of_their_own(api: Api, app: ScriptedApp) -> None:
    outcome = await run(api, app, HELLO)
    public = (await api.rest("POST", hook(api, outcome), content="more")).json()
    hidden = (await api.rest("POST", hook(api, outcome), content="psst", flags=64)).json()
    assert public["message_reference"]["message_id"] == outcome["message_id"]
    assert public["webhook_id"] == public["application_id"] == str(api.sandbox.world.application.id)
    now = await api.call("GET", f"/interactions/{outcome['interaction_id']}")
    assert [m["content"] for m in now["followups"]] == ["more", "psst"]
    history = [m["content"] for m in await api.call("GET", "/channels/general/messages")]
    assert "more" in history
    assert "psst" not in history
    assert "psst" in [m["content"] for m in await api.call("GET", "/channels/general/messages?as=maya")]
    edited = await api.rest("PATCH", hook(api, outcome, f"/messages/{hidden['id']}"), content="pssst")
    assert edited.json()["content"] == "pssst"
    foreign = await api.call("POST", "/messages", as_="maya", channel="general", content="mine")
    assert code(await api.rest("PATCH", hook(api, outcome, f"/messages/{foreign['id']}"), content="x")) == (
        404,
        10008,
    )


async def test_a_user_installed_application_gets_five_followups(api: Api, app: ScriptedApp) -> None:
    await api.call("DELETE", "/guilds/The Reading Room/bot")
    refused = await api.raw("POST", "/commands", **RUN)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    await api.raw("POST", "/users/maya/install")
    outcome = await run(api, app, HELLO)
    assert set(app.received[-1]["authorizing_integration_owners"]) == {"1"}
    for _ in range(5):
        assert (await api.rest("POST", hook(api, outcome), content="x")).status_code == 200
    assert code(await api.rest("POST", hook(api, outcome), content="x")) == (400, 40094)


async def test_tokens_that_never_were_or_are_over(api: Api, app: ScriptedApp) -> None:
    outcome = await run(api, app, HELLO)
    nobody = f"/webhooks/{api.sandbox.world.application.id}/nonsense"
    assert code(await api.rest("POST", nobody, content="x")) == (404, 10015)
    assert code(await api.rest("POST", hook(api, outcome).replace("/8", "/7"), content="x")) == (404, 10015)
    await api.call("PATCH", "/trouble/interactions", token_life_seconds=0.001)
    assert code(await api.rest("POST", hook(api, outcome), content="x")) == (401, 50027)


async def test_a_failed_interaction_takes_nothing_any_more(api: Api, app: ScriptedApp) -> None:
    outcome = await run(api, app, Response(status_code=500))
    assert outcome["error"]["message"] == "The application did not respond"
    callback = f"/interactions/{outcome['interaction_id']}/{outcome['token']}/callback"
    assert code(await api.rest("POST", callback, **HELLO)) == (404, 10062)
    assert code(await api.rest("POST", hook(api, outcome), content="x")) == (404, 10015)


async def test_the_callback_route_answers_once(api: Api, app: ScriptedApp) -> None:
    seen: list[Any] = []

    async def by_callback(payload: dict[str, Any]) -> Response:
        path = f"/interactions/{payload['id']}/{payload['token']}/callback"
        seen.append(await api.rest("POST", f"/interactions/{payload['id']}/wrong/callback", **HELLO))
        seen.append(await api.rest("POST", path, type=7, data={"content": "no"}))
        seen.append(await api.rest("POST", f"{path}?with_response=true", **HELLO))
        seen.append(await api.rest("POST", path, **HELLO))
        return Response(status_code=202)

    app.scripts["ping"] = by_callback
    outcome = await api.call("POST", "/commands", **RUN)
    assert (outcome["state"], outcome["message"]["content"]) == ("answered", "hello")
    wrong_token, wrong_type, taken, again = seen
    assert code(wrong_token) == (404, 10062)
    assert code(wrong_type) == (400, 50035)
    assert wrong_type.json()["errors"]["type"]["_errors"][0]["code"] == "BASE_TYPE_CHOICES"
    assert taken.json()["interaction"] == {
        "id": outcome["interaction_id"],
        "type": 2,
        "response_message_id": outcome["message_id"],
        "response_message_loading": False,
        "response_message_ephemeral": False,
    }
    assert taken.json()["resource"]["message"]["content"] == "hello"
    assert code(again) == (400, 40060)


async def test_files_come_with_the_callback_and_are_served(api: Api, app: ScriptedApp) -> None:
    async def with_file(payload: dict[str, Any]) -> Response:
        body = (
            '{"type": 4, "data": {"content": "see", "attachments": '
            '[{"id": 0, "filename": "report.txt", "description": "The report"}]}}'
        )
        answer = await api.http.post(
            f"/api/v10/interactions/{payload['id']}/{payload['token']}/callback",
            data={"payload_json": body},
            files={"files[0]": ("x.txt", b"all quiet", "text/plain")},
            headers={"User-Agent": "DiscordBot (https://example.org, 1)"},
        )
        assert answer.status_code == 204, answer.text
        return Response(status_code=202)

    app.scripts["ping"] = with_file
    outcome = await api.call("POST", "/commands", **RUN)
    (file,) = outcome["message"]["attachments"]
    assert (file["filename"], file["size"], file["description"]) == ("report.txt", 9, "The report")
    path = "/" + file["url"].split("/", 3)[3]
    served = await api.http.get(path)
    assert (served.content, served.headers["x-content-type-options"]) == (b"all quiet", "nosniff")


@pytest.mark.parametrize("loading", [True, False])
async def test_a_deferred_answer_is_waited_for(api: Api, app: ScriptedApp, loading: bool) -> None:
    outcome = await run(api, app, {"type": 5, "data": {"flags": 64}})
    assert (outcome["loading"], outcome["ephemeral"]) == (True, True)
    if not loading:
        await api.rest("POST", hook(api, outcome), content="late", flags=0)  # completes it, as it used to
        now = await api.call("GET", f"/interactions/{outcome['interaction_id']}")
        assert (now["message"]["content"], now["loading"], now["ephemeral"]) == ("late", False, True)
        assert now["followups"] == []


async def test_rest_calls_are_recorded_with_query_body_and_answer(api: Api, app: ScriptedApp) -> None:
    outcome = await run(api, app, {"type": 4, "data": {"content": "x"}})
    path = f"{hook(api, outcome)}?wait=true&token=secret"
    await api.rest("POST", path, content="see", flags=64)
    (call,) = (await api.call("GET", "/rest?limit=1"))["calls"]
    assert call["query"] == {"wait": "true", "token": "[secret]"}
    assert call["request"] == {"content": "see", "flags": 64}
    assert call["response"]["content"] == "see"
    assert (await api.call("GET", f"/rest?after={call['id']}"))["calls"] == []
