"""Application commands and the application itself over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox.instance import Sandbox
from sandbox.rest.command_rules import characters
from sandbox.rest.errors import invalid_form
from sandbox.world import Guild, World
from tests.fixtures.sandbox import Clock, problem

Valid = Callable[[str, Any], None]


def slash(name: str = "ping", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "Does something", "type": 1, **fields}


def option(name: str = "what", kind: int = 3, **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "An option", "type": kind, **fields}


@pytest.fixture
def path(world: World) -> str:
    return f"/applications/{world.application.id}/commands"


async def test_bulk_overwrite_keeps_ids_and_versions(
    http: httpx.AsyncClient, path: str, assert_discord_valid: Valid
) -> None:
    first = (await http.put(path, json=[slash(), slash("warn", options=[option(required=True)])])).json()
    for command in first:
        assert_discord_valid("ApplicationCommandResponse", command)
    second = (await http.put(path, json=[slash(), {"name": "Report this", "type": 3}])).json()
    ids = {command["name"]: command["id"] for command in first}
    assert [c["name"] for c in second] == ["ping", "Report this"]
    assert second[0]["id"] == ids["ping"]
    assert second[0]["version"] == first[0]["version"]
    assert second[1]["description"] == ""
    changed = (await http.put(path, json=[slash(description="Other")])).json()
    assert changed[0]["version"] != first[0]["version"]
    assert [c["name"] for c in (await http.get(path)).json()] == ["ping"]


async def test_single_commands(http: httpx.AsyncClient, path: str, guild: Guild, world: World) -> None:
    created = await http.post(path, json=slash(name_localizations={"de": "pingen"}))
    assert created.status_code == 201
    assert (await http.post(path, json=slash(description="Again"))).status_code == 200
    command_id = created.json()["id"]
    assert "name_localizations" not in (await http.get(path)).json()[0]
    localized = (await http.get(path, params={"with_localizations": "true"})).json()[0]
    assert "name_localizations" in localized
    assert (await http.patch(f"{path}/{command_id}", json={"nsfw": True})).json()["nsfw"] is True
    in_guild = f"/applications/{world.application.id}/guilds/{guild.id}/commands"
    assert (await http.post(in_guild, json=slash(contexts=[0]))).json()["contexts"] is None
    assert problem(await http.get(f"{in_guild}/{command_id}")) == (404, 10063)
    assert problem(await http.get(f"{in_guild}/{command_id}/permissions")) == (404, 10066)
    denied = await http.put(f"{in_guild}/{command_id}/permissions", json={"permissions": []})
    assert problem(denied) == (403, 20001)
    assert (await http.delete(f"{path}/{command_id}")).status_code == 204
    assert problem(await http.get(f"{path}/{command_id}")) == (404, 10063)
    assert problem(await http.get("/applications/123456789012345678/commands")) == (403, 20012)


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (slash("Ping"), "name"),
        (slash("has space"), "name"),
        (slash("x" * 33), "name"),
        ({"name": "nothing", "type": 1}, "description"),
        ({"name": "User info", "type": 2, "description": "no"}, "description"),
        (slash(options=[option(), option()]), "options"),
        (slash(options=[option("a"), option("b", required=True)]), "options"),
        (slash(options=[option(choices=[{"name": "n", "value": "v"}], autocomplete=True)]), "options"),
        (slash(options=[option(choices=[{"name": "n", "value": "v" * 101}])]), "options"),
        (slash(options=[option(kind=4, choices=[{"name": "n", "value": "one"}])]), "options"),
        (slash(options=[option(kind=4, min_value=5, max_value=1)]), "options"),
        (slash(options=[option(kind=1, options=[option("deep", 2)])]), "options"),
        (slash(options=[option(kind=1), option("b", 3)]), "options"),
        (slash(options=[option(str(n)) for n in range(26)]), "options"),
        (slash(name_localizations={"xx": "ping"}), "name_localizations"),
        (slash(name_localizations={"de": "Ping"}), "name_localizations"),
        (slash(default_member_permissions="all"), "default_member_permissions"),
    ],
)
async def test_refused_commands(
    http: httpx.AsyncClient, path: str, command: dict[str, Any], where: str
) -> None:
    response = await http.put(path, json=[slash("fine"), command])
    assert problem(response) == (400, 50035), response.text
    assert where in response.json()["errors"]["1"]
    assert problem(await http.post(path, json=command)) == (400, 50035)


async def test_too_large_and_duplicate(http: httpx.AsyncClient, path: str) -> None:
    choices = [{"name": f"{n:03}" + "n" * 90, "value": f"{n:03}" + "v" * 90} for n in range(25)]
    large = slash(options=[option(str(n), choices=choices) for n in range(2)])
    assert characters(large) > 8000
    response = await http.put(path, json=[large])
    assert response.json()["errors"]["0"]["_errors"][0]["code"] == "APPLICATION_COMMAND_TOO_LARGE"
    twice = await http.put(path, json=[slash(), slash()])
    assert twice.json()["errors"]["1"]["_errors"][0]["code"] == "APPLICATION_COMMANDS_DUPLICATE_NAME"


async def test_numbers_of_commands(http: httpx.AsyncClient, path: str, clock: Clock) -> None:
    assert (await http.put(path, json=[slash(f"c{n}") for n in range(100)])).status_code == 200
    assert problem(await http.put(path, json=[slash(f"c{n}") for n in range(101)])) == (400, 30032)
    assert problem(await http.post(path, json=slash("one-more"))) == (400, 30032)
    assert (await http.put(path, json=[slash(f"d{n}") for n in range(100)])).status_code == 200
    daily = await http.put(path, json=[slash("fresh")])
    assert problem(daily) == (429, 30034)
    assert daily.json()["retry_after"] > 0
    clock.forward(24 * 3600 + 1)
    assert (await http.put(path, json=[slash("fresh")])).status_code == 200
    many = [{"name": f"u{n}", "type": 2} for n in range(16)]
    assert problem(await http.put(path, json=many)) == (400, 30032)


async def test_endpoint_url_must_pass_the_check(
    http: httpx.AsyncClient, sandbox: Sandbox, world: World
) -> None:
    asked: list[str] = []

    async def check(url: str) -> None:
        asked.append(url)
        if "bad" in url:
            raise invalid_form("interactions_endpoint_url", code="X", message="no")

    sandbox.check_endpoint = check
    good = await http.patch(
        "/applications/@me", json={"interactions_endpoint_url": "http://localhost:1/good"}
    )
    assert good.json()["interactions_endpoint_url"] == "http://localhost:1/good"
    bad = await http.patch("/applications/@me", json={"interactions_endpoint_url": "http://localhost:1/bad"})
    assert problem(bad) == (400, 50035)
    assert world.application.interactions_endpoint_url == "http://localhost:1/good"
    assert asked == ["http://localhost:1/good", "http://localhost:1/bad"]
    removed = await http.patch("/applications/@me", json={"interactions_endpoint_url": ""})
    assert removed.json()["interactions_endpoint_url"] is None
    body = {"description": "New", "flags": 1 << 19, "event_webhooks_types": ["APPLICATION_AUTHORIZED"]}
    edited = (await http.patch("/applications/@me", json=body)).json()
    assert (edited["description"], edited["flags"] & 1 << 19) == ("New", 1 << 19)


async def test_role_connection_metadata(http: httpx.AsyncClient, world: World) -> None:
    path = f"/applications/{world.application.id}/role-connections/metadata"
    record = {"type": 2, "key": "level", "name": "Level", "description": "At least"}
    assert (await http.put(path, json=[record])).json() == [record]
    assert (await http.get(path)).json() == [record]
    assert problem(await http.put(path, json=[record] * 6)) == (400, 50035)
    assert problem(await http.put(path, json=[record, record])) == (400, 50035)
