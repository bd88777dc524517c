"""The admin API: acting as people, looking at what happened, trouble, and clear errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nacl.signing import VerifyKey

from sandbox.interactions.signing import RequestSigner
from tests.fixtures.scripted_app import ScriptedApp
from tests.unit.sandbox.admin.conftest import Api

ROOM = "/guilds/The Reading Room"


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_credentials_are_ready_for_the_environment(api: Api) -> None:
    found = await api.call("GET", "/credentials")
    application = api.sandbox.world.application
    assert found == {
        "DISCORD_TOKEN": application.token,
        "DISCORD_APPLICATION_ID": str(application.id),
        "DISCORD_PUBLIC_KEY": application.public_key,
        "DISCORD_API_BASE": "http://127.0.0.1:8080/api/v10",
    }
    headers = RequestSigner(application.signing_seed).headers(b"{}")
    signed = headers["X-Signature-Timestamp"].encode() + b"{}"
    key = VerifyKey(bytes.fromhex(found["DISCORD_PUBLIC_KEY"]))
    key.verify(signed, bytes.fromhex(headers["X-Signature-Ed25519"]))


async def test_no_answer_holds_a_secret_but_credentials_and_outcomes(api: Api, app: ScriptedApp) -> None:
    app.scripts["ping"] = lambda _: {"type": 4, "data": {"content": "x"}}
    outcome = await api.call("POST", "/commands", as_="maya", channel="general", name="ping")
    application = api.sandbox.world.application
    paths = [
        "/world",
        "/view?as=maya",
        "/application",
        "/exchanges",
        "/rest",
        "/gateway",
        "/sent",
        "/trouble",
    ]
    for path in paths:
        text = json.dumps(await api.call("GET", path))
        for secret in (application.token, application.signing_seed, outcome["token"]):
            assert secret not in text, path


async def test_people_write_edit_reply_forward_and_delete(api: Api) -> None:
    first = await api.call("POST", "/messages", as_="Maya", channel="#general", content="hi <@&1>")
    reply = await api.call(
        "POST", "/messages", as_="lena", channel="general", content="hello", reply_to=first["id"]
    )
    assert (reply["type"], reply["referenced_message"]["id"]) == (19, first["id"])
    assert [u["username"] for u in reply["mentions"]] == ["maya"]
    forward = await api.call(
        "POST", "/messages", as_="lena", channel="recommendations", forward={"message_id": first["id"]}
    )
    assert forward["message_reference"]["type"] == 1
    assert forward["message_snapshots"][0]["message"]["content"] == "hi <@&1>"
    edited = await api.call("PATCH", f"/messages/{reply['id']}", as_="lena", content="hello!")
    assert edited["edited_timestamp"]
    assert error(await api.raw("PATCH", f"/messages/{reply['id']}", as_="maya", content="x")) == (
        403,
        "not_the_author",
    )
    assert error(await api.raw("DELETE", f"/messages/{first['id']}?as=lena")) == (403, "missing_permissions")
    assert (await api.raw("DELETE", f"/messages/{reply['id']}?as=priya")).status_code == 204
    (entry,) = await api.call("GET", f"{ROOM}/audit-log?action_type=72")
    assert (entry["user"], entry["target"]) == ("Priya", "Lena")


async def test_what_discord_does_not_let_people_write_is_refused(api: Api) -> None:
    async def post(**body: Any) -> tuple[int, str]:
        return error(await api.raw("POST", "/messages", **body))

    assert await post(as_="lena", channel="rules", content="x") == (403, "missing_permissions")
    assert await post(as_="robin", channel="general", content="x") == (403, "not_a_member")
    assert await post(as_="lena", channel="general", content=" ") == (400, "empty_message")
    assert await post(as_="nobody", channel="general", content="x") == (404, "unknown_user")
    assert await post(as_="lena", channel="nowhere", content="x") == (404, "unknown_channel")
    assert await post(as_="lena", channel="general", content="x" * 2001) == (422, "invalid_request")
    await api.call("PATCH", "/channels/general", rate_limit_per_user=60)
    await api.call("POST", "/messages", as_="lena", channel="general", content="one")
    assert await post(as_="lena", channel="general", content="two") == (429, "slow_mode")
    await api.call("PUT", f"{ROOM}/members/lena/timeout", as_="priya", seconds=60)
    assert await post(as_="lena", channel="recommendations", content="x") == (403, "timed_out")


async def test_people_moderate_one_another_within_their_rights(api: Api) -> None:
    world = api.sandbox.world
    events: list[str] = []
    world.subscribe(lambda event, data, guild_id: events.append(event))
    timed_out = await api.call("PUT", f"{ROOM}/members/lena/timeout", as_="priya", seconds=60, reason="Calm")
    assert timed_out["communication_disabled_until"]
    assert error(await api.raw("PUT", f"{ROOM}/members/tomas/timeout", as_="priya", seconds=60)) == (
        403,
        "hierarchy",
    )
    assert error(await api.raw("POST", f"{ROOM}/members/lena/kick", as_="sam.okafor")) == (
        403,
        "missing_permissions",
    )
    assert (await api.raw("POST", f"{ROOM}/members/lena/kick", as_="priya", reason="Bye")).status_code == 204
    await api.raw("PUT", f"{ROOM}/bans/diego", as_="priya", delete_message_seconds=60)
    assert error(await api.raw("POST", f"{ROOM}/members", user="diego")) == (403, "banned")
    await api.raw("DELETE", f"{ROOM}/bans/diego?as=priya")
    await api.call("POST", f"{ROOM}/members", user="diego")
    renamed = await api.call("PATCH", f"{ROOM}/members/diego", as_="maya", nick="Chef", roles=["Bookworm"])
    assert renamed["nick"] == "Chef"
    assert len(renamed["roles"]) == 1
    assert [e["action_type"] for e in await api.call("GET", f"{ROOM}/audit-log")] == [25, 24, 23, 22, 20, 24]
    for wanted in ("GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE"):
        assert wanted in events
    burst = await api.call("POST", f"{ROOM}/join-burst", count=5, per_second=1000)
    assert burst["joined"] == 5
    assert events.count("GUILD_MEMBER_ADD") == 6


async def test_a_new_server_and_its_parts(api: Api) -> None:
    guild = await api.call("POST", "/guilds", name="Night Owls", owner="robin")
    assert guild["has_bot"]
    channel = await api.call("POST", "/guilds/Night Owls/channels", name="moon", topic="Only at night")
    assert channel["topic"] == "Only at night"
    role = await api.call("POST", "/guilds/Night Owls/roles", name="Owl", permissions="8")
    await api.call("POST", "/guilds/Night Owls/members", user="newbie", roles=["Owl"])
    view = await api.call("GET", "/view?as=newbie")
    (mine,) = view["guilds"]
    assert int(mine["permissions"]) & 8
    assert role["id"] in mine["members"][-1]["roles"]
    await api.call("POST", "/messages", as_="newbie", channel="Night Owls/moon", content="hoo")
    assert [m["content"] for m in await api.call("GET", f"/channels/{channel['id']}/messages")] == ["hoo"]


async def test_components_by_label_and_modals_by_label(api: Api, app: ScriptedApp) -> None:
    form = {
        "type": 9,
        "data": {
            "custom_id": "f",
            "title": "T",
            "components": [
                {
                    "type": 18,
                    "label": "Your reason",
                    "component": {"type": 4, "custom_id": "x9", "style": 1},
                }
            ],
        },
    }
    button = {"type": 2, "style": 1, "label": "Explain", "custom_id": "opaque"}
    app.scripts |= {
        "form": lambda _: {
            "type": 4,
            "data": {"content": "?", "components": [{"type": 1, "components": [button]}]},
        },
        "opaque": lambda _: form,
        "modal:f": lambda p: {
            "type": 7,
            "data": {"content": p["data"]["components"][0]["component"]["value"], "components": []},
        },
    }
    posted = await api.call("POST", "/commands", as_="maya", channel="general", name="form")
    pressed = await api.call("POST", f"/messages/{posted['message_id']}/press", as_="maya", label="explain")
    missing = await api.raw("POST", f"/modals/{pressed['modal']['modal_id']}/submit", as_="maya")
    assert error(missing) == (400, "invalid_input")
    assert missing.json()["error"]["problems"] == {"x9": "is required"}
    done = await api.call(
        "POST",
        f"/modals/{pressed['modal']['modal_id']}/submit",
        as_="maya",
        values={"Your reason": "because"},
    )
    assert (done["response"], done["message"]["content"]) == ("update_message", "because")
    assert done["message_id"] == posted["message_id"]
    unknown = await api.raw("POST", f"/messages/{posted['message_id']}/press", as_="maya", label="Explain")
    assert error(unknown) == (404, "unknown_button")


async def test_what_was_sent_is_listed_by_place(api: Api, app: ScriptedApp) -> None:
    app.scripts["ping"] = lambda _: {"type": 4, "data": {"content": "pong", "flags": 64}}
    await api.call("POST", "/commands", as_="lena", channel="general", name="ping")
    await api.call("POST", "/commands", as_="lena", name="ping")
    world = api.sandbox.world
    lena = next(user for user in world.users.values() if user.username == "lena")
    channel = next(c for c in world.channels.values() if c.name == "general")
    world.post_message(channel.id, world.bot_id, "in public")
    world.post_message(world.open_dm(lena.id, world.bot_id).id, world.bot_id, "in private")
    sent = await api.call("GET", "/sent?user=lena")
    assert [m["content"] for m in sent["dms"][str(lena.id)]] == ["in private"]
    assert len(sent["interactions"]) == 2
    sent = await api.call("GET", "/sent?channel=general")
    assert [m["content"] for m in sent["channels"][str(channel.id)]] == ["in public"]
    assert [o["message"]["content"] for o in sent["interactions"].values()] == ["pong"]


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        ("/commands", {"name": "nope"}, (404, "not_found")),
        ("/commands", {"name": "ping", "options": {"x": 1}}, (400, "invalid_input")),
        ("/commands", {"name": "ping", "channel": "moderators"}, (403, "not_allowed")),
        ("/commands", {"name": "Report", "type": 3}, (400, "invalid_input")),
        ("/commands", {"name": "Report", "type": 3, "target": "5"}, (404, "unknown_message")),
        ("/autocomplete", {"name": "ping", "focused": "x"}, (400, "invalid_input")),
        ("/messages/5/press", {"custom_id": "x"}, (404, "unknown_message")),
        ("/modals/5/submit", {}, (404, "not_found")),
        ("/commands", {}, (422, "invalid_request")),
    ],
)
async def test_impossible_actions_say_why(
    api: Api, app: ScriptedApp, path: str, body: dict[str, Any], wanted: tuple[int, str]
) -> None:
    given = {"as_": "lena", **({"channel": "general"} if "messages" not in path else {}), **body}
    answer = await api.raw("POST", path, **given)
    assert error(answer) == wanted
    assert answer.json()["error"]["message"]
    assert not app.received


async def test_trouble_load_and_reset(api: Api) -> None:
    made = await api.call("POST", "/trouble/rest", kind="server_error", count=1)
    assert [s["id"] for s in (await api.call("GET", "/trouble"))["switches"]] == [made["id"]]
    bad = await api.raw("PATCH", "/trouble/interactions", lost_answer_percent=900)
    assert error(bad) == (400, "invalid_switch")
    assert error(await api.raw("PATCH", "/trouble/interactions", nonsense=1)) == (400, "unknown_switch")
    await api.raw("DELETE", "/trouble")
    assert (await api.call("GET", "/trouble"))["switches"] == []
    load = await api.call(
        "POST", "/load", messages=30, per_second=0, guild="Kitchen Table", contents=["number {n}"]
    )
    assert load["posted"] == 30
    found = [
        m.content
        for h in api.sandbox.world.messages.values()
        for m in h.values()
        if m.content.startswith("number ")
    ]
    assert sorted(found) == sorted(f"number {n}" for n in range(1, 31))
    assert (await api.raw("POST", "/reset")).status_code == 204
    everything = [m.content for h in api.sandbox.world.messages.values() for m in h.values()]
    assert "number 1" not in everything
    assert len(api.sandbox.world.commands) == 3
    limits = await api.call("PUT", "/limits", global_per_second=7, scale=2)
    assert limits == {"global_per_second": 7, "scale": 2.0}


async def test_every_operation_is_documented(api: Api) -> None:
    spec = (await api.http.get("/sandbox/openapi.json")).json()
    tags = {tag["name"] for tag in spec["tags"]}
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert set(operation["tags"]) <= tags, (method, path)
    docs = (await api.http.get("/sandbox/docs")).text
    assert "http://" not in docs
    assert "https://" not in docs


async def test_the_page_and_its_files_are_served_with_a_strict_policy(api: Api) -> None:
    page = await api.http.get("/")
    assert "Gatehouse" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("js/main.js", "css/base.css", "vendor/marked.esm.js", "icon.svg", "docs.js"):
        served = await api.http.get(f"/page/{name}")
        assert served.status_code == 200, name
        assert served.headers["x-content-type-options"] == "nosniff"
    assert (await api.http.get("/page/../routes.py")).status_code == 404
