"""The watch over everything that tests send to Discord sees what is wrong, each time, at every place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from app.adapters.discord import routes
from app.adapters.discord.rest import DiscordRest
from app.adapters.discord.routes import ROUTES, Route
from app.interactions.responses import Response
from app.settings import Settings
from tests.fixtures.discord_server import DiscordServer, serve
from tests.fixtures.openapi import SHARED
from tests.fixtures.sent_payloads import SentPayloads

pytestmark = pytest.mark.skipif(
    not (SHARED / "discord-openapi.json").exists(), reason="Discord's OpenAPI document is not at hand"
)

ROW = {"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "a" * 100}]}


def message(**data: Any) -> dict[str, Any]:
    return {"type": 4, "data": data}


class Unsent:
    """Takes the place of the sender."""

    async def send(self, call: Any) -> None: ...


@pytest.fixture
def rest() -> DiscordRest:
    return DiscordRest(Settings.from_environment({"DISCORD_TOKEN": "t"}), Unsent())  # type: ignore[arg-type]


def test_every_test_is_watched(request: pytest.FixtureRequest) -> None:
    assert "everything_sent_is_valid" in request.fixturenames


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        (message(contents="x"), "contents"),
        (message(content="x" * 2001), "$.data.content: maxLength"),
        (message(embeds=[{"title": 5}]), "$.data.embeds[0].title"),
        (message(embeds=[{"title": "x", "url": "not an address"}]), "$.data.embeds[0].url"),
        (message(embeds=[{"title": "x", "timestamp": "yesterday"}]), "$.data.embeds[0].timestamp"),
        (message(flags="64"), "$.data.flags"),
        (message(content="x", components=[{**ROW, "components": []}]), "$.data.components[0]"),
        ({"type": 8, "data": {"choices": [{"name": "x", "value": "x" * 101}]}}, "$.data.choices[0]"),
        ({"type": 9, "data": {"custom_id": "x", "title": "x", "components": []}}, "$.data.components"),
        ({"type": 2}, "$.type"),
        ([], "$.type"),
    ],
)
def test_a_wrong_reply_fails_its_test_and_every_further_one(
    sent_payloads: SentPayloads, payload: Any, where: str
) -> None:
    for _ in range(2):
        with pytest.raises(AssertionError) as failed, sent_payloads.must_be_valid():
            Response(orjson.dumps(payload))
        assert where in str(failed.value)


def test_what_was_right_before_hides_nothing(sent_payloads: SentPayloads) -> None:
    """Bodies that differ in ids alone are checked once: their lengths still count."""

    def shown(custom_id: str) -> bytes:
        row = {**ROW, "components": [ROW["components"][0] | {"custom_id": custom_id}]}  # type: ignore[index]
        return orjson.dumps(message(components=[row]))

    Response(shown("a" * 100))
    assert sent_payloads.document is not None
    looked = sent_payloads.document.checked
    Response(shown("b" * 100))
    assert sent_payloads.document.checked == looked
    with pytest.raises(AssertionError), sent_payloads.must_be_valid():
        Response(shown("a" * 101))


@pytest.mark.parametrize(
    ("route", "query", "body", "where"),
    [
        (routes.CREATE_MESSAGE, None, {"contents": "x"}, "contents"),
        (routes.CREATE_MESSAGE, None, None, "a body is required"),
        (routes.EDIT_ORIGINAL_RESPONSE, None, {"content": 5}, "$.content"),
        (routes.CREATE_INTERACTION_RESPONSE, None, {"type": 4, "data": {"flag": 1}}, "flag"),
        (routes.BULK_DELETE_MESSAGES, None, {"messages": ["1"]}, "$.messages"),
        (routes.MODIFY_GUILD_MEMBER, None, {"communication_disabled_until": "tomorrow"}, "$.communication"),
        (routes.EDIT_CHANNEL_PERMISSIONS, None, {"allow": "0", "type": 7}, "$.type"),
        (routes.TRIGGER_TYPING, None, {"x": 1}, "takes no JSON body"),
        (routes.GET_MESSAGES, {"limit": 101}, None, "query limit: 101 does not fit"),
        (routes.GET_MESSAGES, {"most": 5}, None, "query most"),
        (routes.SEARCH_GUILD_MEMBERS, {"limit": 5}, None, "query query: is required"),
        (Route("POST", "/guilds/{guild_id}/nothing", routes.LOGS), None, {}, "no such operation"),
    ],
)
async def test_a_wrong_call_fails_its_test(
    sent_payloads: SentPayloads, rest: DiscordRest, route: Route, query: Any, body: Any, where: str
) -> None:
    target = route.at(**dict.fromkeys(route.placeholders, 1))
    with pytest.raises(AssertionError) as failed, sent_payloads.must_be_valid():
        await rest.request(target, query=query, json=body)
    assert where in str(failed.value)


async def test_a_right_call_passes(sent_payloads: SentPayloads, rest: DiscordRest) -> None:
    with sent_payloads.must_be_valid():
        await rest.get_messages(1, before=5, limit=100)
        await rest.remove_guild_ban(1, 2)
        await rest.create_message(1, {"content": "x"})
        await rest.edit_channel_permissions(1, 2, kind="role", deny=2048)


async def test_a_wrong_call_of_another_process_fails_the_test_that_receives_it(
    sent_payloads: SentPayloads,
) -> None:
    async with serve(DiscordServer()) as server, httpx.AsyncClient() as client:
        path, token = f"{server.url}/webhooks/1/{'t' * 60}", {"Authorization": f"Bot {server.token}"}
        with sent_payloads.must_be_valid():
            await client.post(path, json={"content": "x"})
            await client.get(f"{server.url}/guilds/1/audit-logs?limit=5&action_type=24", headers=token)
        with pytest.raises(AssertionError, match="contents") as failed, sent_payloads.must_be_valid():
            await client.post(path, json={"contents": "x"})
    assert "ttttt" not in str(failed.value)


@dataclass
class Recording:
    """A running system's sandbox, as far as it is asked."""

    page: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    exchanges: list[dict[str, Any]] = field(default_factory=list)

    def admin(self, method: str, path: str) -> Any:
        kind, _, query = path.partition("?")
        after = int(query.rpartition("=")[2])
        if kind == "/rest":
            return {"calls": [call for call in self.calls if call["id"] > after]}
        return [exchange for exchange in self.exchanges if exchange["number"] > after]


def test_what_a_running_system_sent_fails_the_test_that_made_it(sent_payloads: SentPayloads) -> None:
    system = Recording("http://nowhere.test:1")

    def call(body: Any) -> None:
        number = len(system.calls) + 1
        where = {"method": "POST", "route": "/channels/{channel_id}/messages"}
        system.calls.append({"id": number, **where, "query": {}, "request": body})

    def exchange(kind: str, status: int, response: Any) -> None:
        number = len(system.exchanges) + 1
        system.exchanges.append({"number": number, "kind": kind, "status": status, "response": response})

    call({"content": "x"})
    exchange("ping", 200, {"type": 1})
    exchange("probe", 401, "no")
    exchange("webhook-event", 204, "")
    exchange("interaction", 200, message(content="x"))
    with sent_payloads.must_be_valid():
        sent_payloads.recorded(system)
    exchange("interaction", 200, message(contents="x"))
    with pytest.raises(AssertionError, match="contents"), sent_payloads.must_be_valid():
        sent_payloads.recorded(system)
    call({"content": 1})
    with pytest.raises(AssertionError, match="content"), sent_payloads.must_be_valid():
        sent_payloads.recorded(system)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_is_an_operation_of_the_document(sent_payloads: SentPayloads, route: Route) -> None:
    assert sent_payloads.document is not None
    assert sent_payloads.document.knows(route.method, route.template)
