"""Messages over REST: shapes, limits, permissions, idempotency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox.instance import Sandbox
from sandbox.world import Channel, Guild, Overwrite, Permission, World, seed
from sandbox.world.snowflakes import at
from tests.fixtures.sandbox import Clock, named, problem

Valid = Callable[[str, Any], None]
P = Permission


async def test_created_message_is_discords(
    http: httpx.AsyncClient, general: Channel, world: World, assert_discord_valid: Valid
) -> None:
    body = {
        "content": f" hi <@{seed.MAYA}> @everyone ",
        "embeds": [{"title": "T", "description": "D", "fields": [{"name": "n", "value": "v"}]}],
        "components": [
            {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}
        ],
        "allowed_mentions": {"parse": ["users"]},
    }
    response = await http.post(f"/channels/{general.id}/messages", json=body)
    message = response.json()
    assert response.status_code == 200, message
    assert_discord_valid("MessageResponse", message)
    assert message["content"] == f"hi <@{seed.MAYA}> @everyone"
    assert [user["id"] for user in message["mentions"]] == [str(seed.MAYA)]
    assert message["mention_everyone"] is False
    listed = (await http.get(f"/channels/{general.id}/messages", params={"limit": 1})).json()
    assert listed[0] == message
    assert world.history(general.id)[-1].id == int(message["id"])


async def test_pages_of_messages(http: httpx.AsyncClient, general: Channel, world: World) -> None:
    ids = [world.post_message(general.id, seed.JONAS, str(n)).id for n in range(10)]

    async def page(**params: int) -> list[int]:
        found = (await http.get(f"/channels/{general.id}/messages", params=params)).json()
        return [int(message["id"]) for message in found]

    assert await page(limit=3) == ids[-1:-4:-1]
    assert await page(limit=3, before=ids[5]) == ids[4:1:-1]
    assert await page(limit=3, after=ids[5]) == ids[8:5:-1]
    assert await page(limit=3, around=ids[5]) == ids[6:3:-1]
    response = await http.get(f"/channels/{general.id}/messages", params={"limit": 101})
    assert problem(response) == (400, 50035)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, 50006, None),
        ({"content": "   "}, 50006, None),
        ({"content": "x" * 2001}, 50035, "content"),
        ({"content": 5}, 50035, "content"),
        ({"content": "x", "nonce": "n" * 26}, 50035, "nonce"),
        ({"content": "x", "embeds": [{"title": "t" * 257}]}, 50035, "embeds"),
        ({"embeds": [{"description": "d" * 3500}] * 2}, 50035, "embeds"),
        (
            {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            50035,
            "allowed_mentions",
        ),
        ({"content": "x", "components": [{"type": 9}]}, 50035, "components"),
        ({"content": "x", "message_reference": {"message_id": "1"}}, 50035, "message_reference"),
    ],
)
async def test_refused_messages(
    http: httpx.AsyncClient,
    general: Channel,
    body: dict[str, Any],
    code: int,
    field: str | None,
    assert_discord_valid: Valid,
) -> None:
    response = await http.post(f"/channels/{general.id}/messages", json=body)
    assert problem(response) == (400, code), response.text
    if field is not None:
        assert field in response.json()["errors"]
    # The document gives nested errors numeric codes; the written docs, which win, show names.
    assert_discord_valid("ErrorResponse", {k: v for k, v in response.json().items() if k != "errors"})


async def test_bad_json_and_bad_content_type(http: httpx.AsyncClient, general: Channel) -> None:
    path = f"/channels/{general.id}/messages"
    bad = await http.post(path, content=b"{", headers={"Content-Type": "application/json"})
    assert problem(bad) == (400, 50109)
    odd = await http.post(path, content=b"<xml/>", headers={"Content-Type": "text/xml"})
    assert problem(odd) == (400, 50035)


async def test_files(http: httpx.AsyncClient, general: Channel, sandbox: Sandbox) -> None:
    payload = '{"attachments": [{"id": 0, "description": "a cat"}]}'
    files = [
        ("files[0]", ("cat.png", b"\x89PNG cat", "image/png")),
        ("files[1]", ("b.txt", b"text", "text/plain")),
    ]
    response = await http.post(
        f"/channels/{general.id}/messages", data={"payload_json": payload}, files=files
    )
    first, second = response.json()["attachments"]
    assert (first["filename"], first["description"], first["size"]) == ("cat.png", "a cat", 8)
    assert second["filename"] == "b.txt"
    kept = sandbox.files.get(int(second["id"]))
    assert kept is not None
    assert kept.content == b"text"


async def test_enforced_nonce_returns_the_first_message(
    http: httpx.AsyncClient, general: Channel, clock: Clock
) -> None:
    path = f"/channels/{general.id}/messages"
    body = {"content": "once", "nonce": "job-17", "enforce_nonce": True}
    first = (await http.post(path, json=body)).json()
    second = (await http.post(path, json=body | {"content": "again"})).json()
    assert second["id"] == first["id"]
    assert second["content"] == "once"
    unenforced = (await http.post(path, json={"content": "again", "nonce": "job-17"})).json()
    assert unenforced["id"] != first["id"]
    clock.forward(6 * 60)
    later = (await http.post(path, json=body)).json()
    assert later["id"] != first["id"]


async def test_reply_pings_unless_told_otherwise(
    http: httpx.AsyncClient, general: Channel, world: World
) -> None:
    asked = world.post_message(general.id, seed.JONAS, "anybody?")
    path, reference = f"/channels/{general.id}/messages", {"message_id": str(asked.id)}
    loud = (await http.post(path, json={"content": "yes", "message_reference": reference})).json()
    assert loud["type"] == 19
    assert loud["referenced_message"]["id"] == str(asked.id)
    assert [u["id"] for u in loud["mentions"]] == [str(seed.JONAS)]
    body = {"content": "yes", "message_reference": reference, "allowed_mentions": {"parse": []}}
    assert (await http.post(path, json=body)).json()["mentions"] == []
    gone = {"message_id": "1", "fail_if_not_exists": False}
    assert (await http.post(path, json={"content": "x", "message_reference": gone})).json()["type"] == 0


async def test_forward(
    http: httpx.AsyncClient, guild: Guild, general: Channel, world: World, assert_discord_valid: Valid
) -> None:
    source = world.post_message(named(world, guild, "recommendations").id, seed.SAM, "read this")
    reference = {"type": 1, "message_id": str(source.id), "channel_id": str(source.channel_id)}
    made = (await http.post(f"/channels/{general.id}/messages", json={"message_reference": reference})).json()
    assert made["message_snapshots"][0]["message"]["content"] == "read this"
    assert "author" not in made["message_snapshots"][0]["message"]
    # The document knows no reference of type 1; the written docs do.
    assert_discord_valid("MessageResponse", {k: v for k, v in made.items() if k != "message_reference"})


async def test_edit_own_and_others(http: httpx.AsyncClient, general: Channel, world: World) -> None:
    own = world.post_message(general.id, world.bot_id, "old")
    other = world.post_message(general.id, seed.SAM, "theirs")
    path = f"/channels/{general.id}/messages"
    edited = (await http.patch(f"{path}/{own.id}", json={"content": "new"})).json()
    assert edited["content"] == "new"
    assert edited["edited_timestamp"] is not None
    assert problem(await http.patch(f"{path}/{own.id}", json={"content": ""})) == (400, 50006)
    assert problem(await http.patch(f"{path}/{other.id}", json={"content": "x"})) == (403, 50005)
    suppressed = (await http.patch(f"{path}/{other.id}", json={"flags": 4})).json()
    assert suppressed["flags"] & 4
    assert suppressed["edited_timestamp"] is None


async def test_without_permission(
    http: httpx.AsyncClient, guild: Guild, general: Channel, world: World
) -> None:
    path = f"/channels/{general.id}/messages"
    theirs = world.post_message(general.id, seed.SAM, "theirs")
    mine = world.post_message(general.id, world.bot_id, "mine")
    deny = int(P.SEND_MESSAGES | P.MANAGE_MESSAGES)
    world.set_overwrite(general.id, Overwrite(world.bot_id, 1, deny=deny))
    assert problem(await http.post(path, json={"content": "x"})) == (403, 50013)
    assert problem(await http.delete(f"{path}/{theirs.id}")) == (403, 50013)
    assert (await http.delete(f"{path}/{mine.id}")).status_code == 204
    world.set_overwrite(general.id, Overwrite(world.bot_id, 1, deny=int(P.VIEW_CHANNEL)))
    assert problem(await http.get(path)) == (403, 50001)
    assert problem(await http.get(f"/channels/{guild.id}1/messages")) == (404, 10003)
    category = named(world, guild, "Community")
    assert problem(await http.post(f"/channels/{category.id}/messages", json={"content": "x"})) == (
        400,
        50008,
    )


async def test_delete_leaves_reason_in_the_audit_log(
    http: httpx.AsyncClient, guild: Guild, general: Channel, world: World
) -> None:
    path = f"/channels/{general.id}/messages"
    first = world.post_message(general.id, seed.SAM, "one")
    second = world.post_message(general.id, seed.SAM, "two")
    for message in (first, second):
        headers = {"X-Audit-Log-Reason": "rule%202%3A%20caf%C3%A9"}
        assert (await http.delete(f"{path}/{message.id}", headers=headers)).status_code == 204
    entry = guild.audit[-1]
    assert (entry.action_type, entry.reason, entry.target_id) == (72, "rule 2: café", seed.SAM)
    assert entry.options == {"channel_id": str(general.id), "count": "2"}
    assert problem(await http.delete(f"{path}/{first.id}")) == (404, 10008)
    long = {"X-Audit-Log-Reason": "x" * 513}
    assert problem(await http.delete(f"{path}/{second.id}", headers=long)) == (400, 50035)


async def test_bulk_delete(http: httpx.AsyncClient, general: Channel, world: World, clock: Clock) -> None:
    path = f"/channels/{general.id}/messages/bulk-delete"
    ids = [str(world.post_message(general.id, seed.SAM, str(n)).id) for n in range(3)]
    old = str(at(clock.now - 15 * 24 * 3600 * 1000))
    assert problem(await http.post(path, json={"messages": ids[:1]})) == (400, 50016)
    assert problem(await http.post(path, json={"messages": [str(n) for n in range(101)]})) == (400, 50016)
    assert problem(await http.post(path, json={"messages": [*ids, old]})) == (400, 50034)
    assert problem(await http.post(path, json={"messages": [ids[0], ids[0]]})) == (400, 50035)
    assert len(world.history(general.id)) >= 3
    unknown = str(at(clock.now, 77))
    assert (await http.post(path, json={"messages": [*ids, unknown]})).status_code == 204
    assert not {int(i) for i in ids} & {m.id for m in world.history(general.id)}


async def test_pins_need_their_own_permission(
    http: httpx.AsyncClient, general: Channel, world: World
) -> None:
    message = world.post_message(general.id, seed.SAM, "keep this")
    path = f"/channels/{general.id}/messages/pins"
    assert (await http.put(f"{path}/{message.id}")).status_code == 204
    assert [i["message"]["id"] for i in (await http.get(path)).json()["items"]] == [str(message.id)]
    world.set_overwrite(general.id, Overwrite(world.bot_id, 1, deny=int(P.PIN_MESSAGES)))
    assert problem(await http.delete(f"{path}/{message.id}")) == (403, 50013)


async def test_content_is_hidden_without_the_intent(
    http: httpx.AsyncClient, general: Channel, world: World
) -> None:
    theirs = world.post_message(general.id, seed.SAM, "private")
    pinging = world.post_message(general.id, seed.SAM, f"hey <@{world.bot_id}>")
    world.application.flags = 0
    path = f"/channels/{general.id}/messages"
    assert (await http.get(f"{path}/{theirs.id}")).json()["content"] == ""
    assert (await http.get(f"{path}/{pinging.id}")).json()["content"] != ""


async def test_reactions(http: httpx.AsyncClient, general: Channel, world: World) -> None:
    message = world.post_message(general.id, seed.SAM, "nice?")
    path = f"/channels/{general.id}/messages/{message.id}/reactions"
    assert (await http.put(f"{path}/👍/@me")).status_code == 204
    assert problem(await http.put(f"{path}/nonsense/@me")) == (400, 10014)
    assert [u["id"] for u in (await http.get(f"{path}/👍")).json()] == [str(world.bot_id)]
    assert (await http.delete(f"{path}/👍/@me")).status_code == 204
    assert message.reactions == []
