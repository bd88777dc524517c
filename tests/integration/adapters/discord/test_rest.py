"""The client over real sockets: what arrives at the server, and what comes of its answers."""

from __future__ import annotations

import asyncio
import logging

import pytest

from app.adapters.discord import errors
from app.adapters.discord.caller import File
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.observability.metrics import DISCORD_MESSAGES_SENT, REGISTRY
from app.settings import Settings
from tests.fixtures.discord_server import ON_THE_WAY, DiscordServer, Rule, Scripted, serve

MESSAGES = Rule("POST", r"/channels/\d+/messages$", "m", 5, 0.5)
DELETES = Rule("DELETE", r"/channels/\d+/messages/\d+$", "d", 3, 0.4)
EDITS = Rule("PATCH", r"/channels/\d+/messages/\d+$", "m", 5, 0.5)
TOKEN = "aW50ZXJhY3Rpb24tc2VjcmV0LXRva2Vu"


@pytest.fixture
async def server():
    async with serve(DiscordServer((MESSAGES, DELETES, EDITS))) as running:
        yield running


def settings_for(server: DiscordServer, **more: str) -> Settings:
    environment = {
        "DISCORD_TOKEN": server.token,
        "DISCORD_APPLICATION_ID": "11",
        "DISCORD_API_BASE": server.url,
    }
    return Settings.from_environment(environment | more)


@pytest.fixture
async def rest(server, redis):
    async with DiscordRest.open(settings_for(server), redis) as opened:
        opened._sender.uniform = lambda _low, high: high / 100  # short pauses, drawn from the same range
        yield opened


async def test_a_request_arrives_as_discord_wants_it(rest, server) -> None:
    await rest.add_guild_ban(1, 2, delete_message_seconds=60, reason="Größe: 100 % spam")
    (received,) = server.requests
    assert (received.method, received.path) == ("PUT", "/guilds/1/bans/2")
    assert received.json == {"delete_message_seconds": 60}
    assert received.headers["authorization"] == f"Bot {server.token}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == settings_for(server).user_agent
    assert received.headers["x-audit-log-reason"] == "Gr%C3%B6%C3%9Fe%3A%20100%20%25%20spam"


async def test_an_answer_is_returned_parsed_and_an_empty_one_as_none(rest, server) -> None:
    sent = DISCORD_MESSAGES_SENT._value.get()
    assert await rest.create_message(1, {"content": "x"}) == {"id": "1"}
    assert DISCORD_MESSAGES_SENT._value.get() == sent + 1
    assert await rest.delete_message(1, 2) is None


async def test_queries_are_sent_without_what_is_not_given(rest, server) -> None:
    server.script(Scripted(body=[{"id": "5"}]))
    assert await rest.get_messages(1, before=9) == [{"id": "5"}]
    assert server.requests[0].query == {"before": "9", "limit": "50"}


async def test_files_travel_as_multipart_with_the_body_beside_them(rest, server) -> None:
    await rest.create_message(1, {"content": "log"}, files=[File("größe.txt", b"\x00\xff", "text/plain")])
    (received,) = server.requests
    assert received.headers["content-type"].startswith("multipart/form-data")
    for piece in (b'name="payload_json"', b'name="files[0]"', b"\x00\xff", b'"content":"log"', b'"id":"0"'):
        assert piece in received.body


async def test_calls_by_token_carry_no_bot_token(rest, server) -> None:
    await rest.create_interaction_response(5, TOKEN, {"type": 5})
    await rest.edit_original_response(TOKEN, {"content": "done"})
    await rest.create_followup(TOKEN, {"content": "more"})
    assert [r.path for r in server.requests] == [
        f"/interactions/5/{TOKEN}/callback",
        f"/webhooks/11/{TOKEN}/messages/@original",
        f"/webhooks/11/{TOKEN}",
    ]
    assert all("authorization" not in r.headers for r in server.requests)


async def test_a_bucket_is_kept_without_a_single_429(rest, server) -> None:
    calls = [rest.delete_message(channel, n) for n in range(6) for channel in (1, 2)]
    await asyncio.gather(*calls)
    assert len(server.served) == 12
    assert server.refusals.total() <= ON_THE_WAY


async def test_two_routes_in_one_bucket_share_it(rest, server) -> None:
    await rest.create_message(1, {"content": "x"})
    await rest.edit_message(1, 2, {"content": "y"})
    creates = [rest.create_message(1, {"content": "x"}) for _ in range(5)]
    edits = [rest.edit_message(1, 2, {"content": "y"}) for _ in range(5)]
    await asyncio.gather(*creates, *edits)
    assert server.refusals.total() <= ON_THE_WAY


async def test_two_clients_share_what_one_of_them_learnt(rest, server, redis) -> None:
    async with DiscordRest.open(settings_for(server), redis) as other:
        await rest.delete_message(1, 1)
        await asyncio.gather(*(client.delete_message(1, n) for n in range(6) for client in (rest, other)))
    assert len(server.served) == 13
    assert server.refusals.total() <= ON_THE_WAY


def too_many(retry_after: float, scope: str, **headers: str) -> Scripted:
    body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": scope == "global"}
    return Scripted(429, body, {"X-RateLimit-Scope": scope, "Retry-After": "9"} | headers)


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_429_is_obeyed_by_its_body_and_the_call_succeeds(rest, server, scope) -> None:
    before = REGISTRY.get_sample_value("discord_rate_limits_hit_total", {"scope": scope}) or 0
    server.script(too_many(0.3, scope))
    assert await rest.create_message(1, {"content": "x"}) == {"id": "2"}
    first, second = server.requests
    assert 0.3 <= second.at - first.at < 5
    assert REGISTRY.get_sample_value("discord_rate_limits_hit_total", {"scope": scope}) == before + 1


async def test_a_global_429_stops_the_other_processes_too(rest, server, redis) -> None:
    async with DiscordRest.open(settings_for(server), redis) as other:
        await other.get_user(1)
        server.script(too_many(0.5, "global"))
        first = asyncio.create_task(rest.create_message(1, {"content": "x"}))
        while len(server.requests) < 2 or server.requests[1].status != 429:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        await other.get_user(2)
        await first
    assert min(r.at for r in server.requests[2:]) - server.requests[1].at >= 0.5


async def test_a_429_beyond_the_deadline_fails_at_once(rest, server) -> None:
    server.script(too_many(60, "user"))
    with pytest.raises(errors.RateLimited) as caught:
        await rest.create_message(1, {"content": "x"}, deadline=5)
    assert caught.value.code == "E003"
    assert caught.value.wait == pytest.approx(60, abs=1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "trouble", [Scripted(502, "bad gateway"), Scripted(500, {"code": 0}), Scripted(drop=True)]
)
async def test_what_may_be_repeated_is_repeated(rest, server, trouble) -> None:
    server.script(trouble, trouble, trouble)
    assert await rest.edit_message(1, 2, {"content": "x"}) == {"id": "4"}
    assert len(server.requests) == 4


@pytest.mark.parametrize("trouble", [Scripted(502, "bad gateway"), Scripted(drop=True)])
async def test_a_create_is_repeated_only_with_a_nonce(rest, server, trouble) -> None:
    server.script(trouble)
    with pytest.raises(errors.DiscordUnreachable) as caught:
        await rest.create_message(1, {"content": "x"})
    assert caught.value.code == "E001"
    assert "may have been done" in str(caught.value)
    server.script(trouble)
    await rest.create_message(1, {"content": "x"}, nonce="job-1")
    assert [r.json.get("nonce") for r in server.requests] == [None, "job-1", "job-1"]


async def test_a_delete_whose_answer_was_lost_counts_as_done_when_it_is_gone(rest, server) -> None:
    unknown = Scripted(404, {"code": 10008, "message": "Unknown Message"})
    server.script(Scripted(drop=True), unknown)
    await rest.delete_message(1, 2)
    server.script(unknown)
    with pytest.raises(errors.NotFound):
        await rest.delete_message(1, 2)


async def test_nobody_listening_is_e001_after_retries_within_the_deadline(server, redis) -> None:
    async with DiscordRest.open(
        settings_for(server, DISCORD_API_BASE="http://127.0.0.1:9/api/v10"), redis
    ) as rest:
        rest._sender.uniform = lambda _low, _high: 0.0
        with pytest.raises(errors.DiscordUnreachable, match=r"POST /channels.*ConnectError.*8 times"):
            await rest.create_message(1, {"content": "x"})


async def test_a_slow_answer_ends_at_the_deadline(rest, server) -> None:
    server.script(Scripted(delay=5.0))
    with pytest.raises(errors.DiscordUnreachable, match="no time is left"):
        await rest.edit_message(1, 2, {"content": "x"}, deadline=0.3)


async def test_a_page_instead_of_json_is_trouble_on_the_way(rest, server) -> None:
    server.script(Scripted(200, "<html>welcome to the hotel network</html>"))
    assert await rest.get_guild(1) == {"id": "2"}


async def test_missing_permissions_are_e006_and_not_repeated(rest, server) -> None:
    server.script(Scripted(403, {"code": 50013, "message": "Missing Permissions"}))
    with pytest.raises(errors.PermissionsRefused) as caught:
        await rest.delete_message(1, 2)
    assert (caught.value.code, caught.value.discord_code) == ("E006", 50013)
    assert len(server.requests) == 1


async def test_a_refused_token_is_checked_once_and_then_stops_all_processes(rest, server, redis) -> None:
    async with DiscordRest.open(settings_for(server), redis) as other:
        await other.get_user(1)
        server.token = "reset"
        results = await asyncio.gather(*(rest.get_user(n) for n in range(5)), return_exceptions=True)
        assert all(isinstance(result, errors.LoggedOut) for result in results)
        assert results[0].code == "E002"
        asked = len(server.requests)
        with pytest.raises(errors.LoggedOut):
            await rest.get_guild(1)
        assert len(server.requests) == asked
        # The other process had seen the token work: it checks once for itself, then stops as well.
        for _ in range(3):
            with pytest.raises(errors.LoggedOut):
                await other.get_guild(1)
        assert [r.path for r in server.requests[asked:]] == ["/users/@me"]
        await rest.edit_original_response(TOKEN, {"content": "tokens in the path still work"})


async def test_a_passing_401_is_forgiven_after_the_check(rest, server) -> None:
    server.script(Scripted(401, {"code": 0, "message": "401: Unauthorized"}))
    assert await rest.get_guild(1) == {"id": "3"}
    assert [r.path for r in server.requests] == ["/guilds/1", "/users/@me", "/guilds/1"]


async def test_a_token_that_works_again_is_found_by_a_new_process(rest, server, redis) -> None:
    good, server.token = server.token, "reset"
    with pytest.raises(errors.LoggedOut):
        await rest.get_guild(1)
    server.token = good
    async with DiscordRest.open(settings_for(server), redis) as fresh:
        assert await fresh.get_guild(1)
        assert await rest.get_guild(1)


async def test_a_dead_webhook_is_not_asked_again(rest, server) -> None:
    server.script(Scripted(404, {"code": 10015, "message": "Unknown Webhook"}))
    for _ in range(3):
        with pytest.raises(errors.UnknownWebhook):
            await rest.create_followup(TOKEN, {"content": "x"})
    assert len(server.requests) == 1
    await rest.create_followup("another", {"content": "x"})


async def test_tokens_appear_in_no_error_and_no_log(rest, server, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(
        Scripted(404, {"code": 10015, "message": "Unknown Webhook"}),
        Scripted(drop=True),
        Scripted(500, "oops"),
        Scripted(400, {"code": 50035, "message": "Invalid Form Body"}),
        path="/webhooks/",
    )
    texts = []
    for number in range(4):
        with pytest.raises(Exception) as caught:  # whatever it is, it must not tell
            await rest.create_followup(f"{TOKEN}{number}", {"content": "x"})
        texts += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
        assert caught.value.__cause__ is None
    server.token = "reset"
    with pytest.raises(errors.LoggedOut) as caught:
        await rest.get_guild(1)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    texts += [str(caught.value), *ours]
    assert TOKEN not in "\n".join(texts)
    assert "t0ken" not in "\n".join(texts)


async def test_moderation_goes_before_bulk(rest, server) -> None:
    await rest.delete_message(1, 0)
    bulk = [asyncio.create_task(rest.delete_message(1, n, priority=Priority.BULK)) for n in range(1, 12)]
    while len(server.requests) < 4:
        await asyncio.sleep(0.005)
    await rest.delete_message(1, 99)
    place = [r.path for r in server.requests].index("/channels/1/messages/99")
    assert place < 12 - 2
    await asyncio.gather(*bulk)
    assert server.refusals.total() <= ON_THE_WAY


async def test_cancelling_a_call_that_learns_a_bucket_frees_the_next(rest, server) -> None:
    server.script(Scripted(delay=30.0))
    first = asyncio.create_task(rest.delete_message(1, 1))
    while not server.requests:
        await asyncio.sleep(0.005)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await rest.delete_message(1, 2, deadline=5)


async def test_metrics_tell_waits_latency_and_the_budget_for_bad_answers(rest, server) -> None:
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    route = "DELETE /channels/{channel_id}/messages/{message_id}"
    waits = value("discord_slot_wait_ms_count", priority="moderation")
    answers = value("discord_api_latency_ms_count", route=route, status="204")
    await rest.delete_message(1, 1)
    assert value("discord_slot_wait_ms_count", priority="moderation") == waits + 1
    assert value("discord_api_latency_ms_count", route=route, status="204") == answers + 1
    server.script(Scripted(403, {"code": 50013, "message": "Missing Permissions"}))
    with pytest.raises(errors.PermissionsRefused):
        await rest.delete_message(1, 1)
    await rest.delete_message(1, 1)
    assert value("discord_bad_answers_left") == 4_999
