"""Handlers that are slow: deferred for in time, answered by REST, cut off when the process stops."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fixtures.discord_server import DiscordServer, Scripted
from tests.fixtures.sample_feature import option
from tests.fixtures.web import Web


def fast_deferral(web: Web) -> None:
    """Tests need not wait for the real 1.5 s."""
    web.endpoint.flights.defer_seconds = 0.05


async def test_a_slow_handler_is_deferred_for_and_its_answer_edits_the_message(
    web: Web, discord: DiscordServer, wait_until: Any, assert_discord_valid: Any
) -> None:
    fast_deferral(web)
    payload = web.caller.command("slow")
    assert await web.caller.send(payload) == {"type": 5, "data": {"flags": 64}}
    assert await web.caller.send(payload) == {"type": 5, "data": {"flags": 64}}  # a repeat, meanwhile
    assert not discord.requests
    web.effects.go.set()
    await wait_until(lambda: discord.requests)
    (edit,) = discord.requests
    assert (edit.method, edit.path) == (
        "PATCH",
        f"/webhooks/{web.settings.discord_application_id}/{payload['token']}/messages/@original",
    )
    assert edit.json["content"] == "at last"
    assert_discord_valid("IncomingWebhookUpdateRequestPartial", edit.json)


async def test_a_public_deferral_stays_public(web: Web, discord: DiscordServer, wait_until: Any) -> None:
    fast_deferral(web)
    assert await web.caller.send(web.caller.command("slow-public")) == {"type": 5}
    web.effects.go.set()
    await wait_until(lambda: discord.requests)
    assert discord.requests[0].json["content"] == "at last"


async def test_an_answer_that_automod_blocks_is_replaced_by_a_hint(
    web: Web, discord: DiscordServer, wait_until: Any
) -> None:
    fast_deferral(web)
    discord.script(Scripted(400, {"code": 200000, "message": "blocked by AutoMod"}))
    await web.caller.send(web.caller.command("slow"))
    web.effects.go.set()
    await wait_until(lambda: len(discord.requests) == 2)
    assert "AutoMod" in discord.requests[1].json["content"]


async def test_a_slow_autocompletion_gets_no_choices_in_time(web: Web, discord: DiscordServer) -> None:
    typing = web.caller.command("pick", option("name", "hang", focused=True)) | {"type": 4}
    assert await web.caller.send(typing) == {"type": 8, "data": {"choices": []}}
    web.effects.go.set()
    assert not discord.requests


async def test_stopping_waits_for_late_answers(web: Web, discord: DiscordServer) -> None:
    fast_deferral(web)
    await web.caller.send(web.caller.command("slow"))
    discord.delay = 0.3
    stopping = asyncio.create_task(web.stop())
    await asyncio.sleep(0.1)
    web.effects.go.set()
    await stopping
    assert [request.json["content"] for request in discord.requests] == ["at last"]


async def test_a_handler_that_is_cut_off_says_so(web: Web, discord: DiscordServer) -> None:
    fast_deferral(web)
    await web.caller.send(web.caller.command("slow"))
    await web.stop()  # nobody lets it go on
    assert ["restarted" in request.json["content"] for request in discord.requests] == [True]
