"""POST /webhook-events: signed, stored once, acted on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import psycopg
import pytest

from tests.fixtures.web import Web

Rows = Callable[[str], list[Any]]


@pytest.fixture
def rows(database_url: str) -> Rows:
    def read(sql: str) -> list[Any]:
        with psycopg.connect(database_url) as conn:
            return conn.execute(sql).fetchall()  # type: ignore[call-overload]

    return read


def event(kind: str, timestamp: str = "2026-11-24T12:00:00.000000", **data: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "application_id": "1",
        "type": 1,
        "event": {"type": kind, "timestamp": timestamp, "data": data},
    }


def authorized(timestamp: str = "2026-11-24T12:00:00", **more: Any) -> dict[str, Any]:
    guild = {"id": "7", "name": "Wolves", "owner_id": "11", "preferred_locale": "de"}
    data = {"integration_type": 0, "user": {"id": "5"}, "scopes": ["bot"], "guild": guild} | more
    return event("APPLICATION_AUTHORIZED", timestamp, **data)


AUTHORIZATIONS = (
    "SELECT user_id, integration_type, guild_id, scopes FROM interactions.authorizations ORDER BY 2"
)
EVENTS = "SELECT type, user_id FROM interactions.webhook_events"
GUILDS = "SELECT guild_id, name, owner_id, locale, left_at FROM tenancy.guilds"


async def test_a_ping_is_204_with_a_content_type_and_no_body(web: Web) -> None:
    response = await web.caller.post({"version": 1, "application_id": "1", "type": 0}, "/webhook-events")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["content-type"] == "application/json"
    assert "content-length" not in response.headers


async def test_bad_signatures_are_401(web: Web) -> None:
    body = orjson.dumps(authorized())
    for headers in ({}, web.caller.headers(body + b" ")):
        response = await web.caller.client.post(f"{web.url}/webhook-events", content=body, headers=headers)
        assert response.status_code == 401


async def test_an_authorisation_for_a_server_is_stored_once_and_sets_the_server_up(
    web: Web, rows: Rows
) -> None:
    for _ in range(2):
        assert (await web.caller.post(authorized(), "/webhook-events")).status_code == 204
    assert rows(AUTHORIZATIONS) == [(5, 0, 7, ["bot"])]
    assert rows(EVENTS) == [("APPLICATION_AUTHORIZED", 5)]
    assert rows(GUILDS) == [(7, "Wolves", 11, "de", None)]


async def test_a_deauthorisation_deletes_what_was_kept_of_the_user(web: Web, rows: Rows) -> None:
    await web.caller.post(authorized(), "/webhook-events")
    await web.caller.post(authorized(integration_type=1, guild=None), "/webhook-events")
    await web.caller.post(authorized(user={"id": "6"}, integration_type=1, guild=None), "/webhook-events")
    gone = event("APPLICATION_DEAUTHORIZED", "2026-11-24T13:00:00", user={"id": "5"})
    assert (await web.caller.post(gone, "/webhook-events")).status_code == 204
    assert rows(AUTHORIZATIONS) == [(6, 1, 0, ["bot"])]
    assert sorted(rows(EVENTS)) == [("APPLICATION_AUTHORIZED", 6), ("APPLICATION_DEAUTHORIZED", 5)]


async def test_events_out_of_order_leave_the_newest_state(web: Web, rows: Rows) -> None:
    gone = event("APPLICATION_DEAUTHORIZED", "2026-11-24T13:00:00", user={"id": "5"})
    await web.caller.post(gone, "/webhook-events")
    await web.caller.post(authorized("2026-11-24T12:00:00"), "/webhook-events")
    assert rows(AUTHORIZATIONS) == []
    await web.caller.post(authorized("2026-11-24T15:00:00+01:00"), "/webhook-events")  # 14:00 UTC
    assert len(rows(AUTHORIZATIONS)) == 1


async def test_other_events_are_accepted_and_ignored(web: Web, rows: Rows) -> None:
    response = await web.caller.post(event("QUEST_USER_ENROLLMENT"), "/webhook-events")
    assert response.status_code == 204
    assert rows(EVENTS) == []


async def test_signed_but_malformed_is_400(web: Web) -> None:
    for body in (
        b"",
        b"[1]",
        {"type": "1"},
        {"type": 1},
        {"type": 1, "event": {"type": 7}},
        {"type": 1, "event": {"type": "APPLICATION_AUTHORIZED", "timestamp": "yesterday"}},
        event("APPLICATION_DEAUTHORIZED"),
        event("APPLICATION_DEAUTHORIZED", user={"id": "18446744073709551615"}),
        authorized(integration_type=True),
        authorized(scopes="bot"),
        authorized(guild={"id": "x"}),
    ):
        response = await web.caller.post(body, "/webhook-events")
        assert response.status_code == 400, body
        assert response.json()["message"]


async def test_what_postgresql_cannot_hold_is_left_out(web: Web, rows: Rows) -> None:
    odd = authorized(scopes=["bot\0", 7], guild={"id": "7", "name": "a\0b"})
    assert (await web.caller.post(odd, "/webhook-events")).status_code == 204
    assert rows(GUILDS) == [(7, "ab", None, None, None)]
