"""Moderation, members, roles, channels and guilds over REST: rules, rank, audit log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.instance import Sandbox
from sandbox.world import Channel, Guild, Permission, World, seed
from tests.fixtures.sandbox import Clock, named, problem, role_id

Valid = Callable[[str, Any], None]
P = Permission


def ahead(clock: Clock, **delta: float) -> str:
    return (datetime.fromtimestamp(clock.now / 1000, UTC) + timedelta(**delta)).isoformat()


async def test_reads_are_discords(
    http: httpx.AsyncClient, guild: Guild, general: Channel, assert_discord_valid: Valid
) -> None:
    base = f"/guilds/{guild.id}"
    assert_discord_valid(
        "GuildWithCountsResponse", (await http.get(base, params={"with_counts": "true"})).json()
    )
    for role in (await http.get(f"{base}/roles")).json():
        assert_discord_valid("GuildRoleResponse", role)
    for channel in (await http.get(f"{base}/channels")).json():
        assert_discord_valid("GuildChannelResponse", channel)
    for member in (await http.get(f"{base}/members", params={"limit": 1000})).json():
        assert_discord_valid("GuildMemberResponse", member)
    assert_discord_valid("GuildChannelResponse", (await http.get(f"/channels/{general.id}")).json())
    assert_discord_valid("UserPIIResponse", (await http.get("/users/@me")).json())
    for mine in (await http.get("/users/@me/guilds", params={"with_counts": "1"})).json():
        assert_discord_valid("MyGuildResponse", mine)
    assert_discord_valid("GatewayBotResponse", (await http.get("/gateway/bot")).json())
    assert_discord_valid("PrivateApplicationResponse", (await http.get("/applications/@me")).json())
    thread = await http.post(f"/channels/{general.id}/threads", json={"name": "aside", "type": 11})
    assert thread.status_code == 201
    assert_discord_valid("ThreadResponse", thread.json())


async def test_unknown_and_foreign_guilds(http: httpx.AsyncClient, guild: Guild, world: World) -> None:
    assert problem(await http.get("/guilds/123456789012345678")) == (404, 10004)
    assert problem(await http.get("/guilds/everything")) == (400, 50035)
    world.leave_member(guild.id, world.bot_id)
    assert problem(await http.get(f"/guilds/{guild.id}")) == (403, 50001)


@pytest.mark.parametrize("days", [28, 0.01])
async def test_timeout(
    http: httpx.AsyncClient, guild: Guild, clock: Clock, world: World, days: float
) -> None:
    path = f"/guilds/{guild.id}/members/{seed.SAM}"
    body = {"communication_disabled_until": ahead(clock, days=days)}
    response = await http.patch(path, json=body, headers={"X-Audit-Log-Reason": "shouting"})
    assert response.status_code == 200
    assert response.json()["communication_disabled_until"] is not None
    entry = guild.audit[-1]
    assert (entry.action_type, entry.reason) == (24, "shouting")
    assert entry.changes[0]["key"] == "communication_disabled_until"
    general = named(world, guild, "general")
    assert world.permissions_in(general, seed.SAM) == P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY
    lifted = await http.patch(path, json={"communication_disabled_until": None})
    assert lifted.json()["communication_disabled_until"] is None


async def test_timeouts_that_discord_refuses(http: httpx.AsyncClient, guild: Guild, clock: Clock) -> None:
    base = f"/guilds/{guild.id}/members"
    soon = {"communication_disabled_until": ahead(clock, hours=1)}
    too_long = {"communication_disabled_until": ahead(clock, days=29)}
    assert problem(await http.patch(f"{base}/{seed.SAM}", json=too_long)) == (400, 50035)
    assert problem(await http.patch(f"{base}/{seed.MAYA}", json=soon)) == (403, 50013)  # owner
    assert problem(await http.patch(f"{base}/{seed.TOMAS}", json=soon)) == (403, 50013)  # administrator
    assert problem(await http.patch(f"{base}/{seed.ROBIN}", json=soon)) == (404, 10007)
    assert problem(await http.patch(f"{base}/123456789012345678", json=soon)) == (404, 10013)
    nonsense = {"communication_disabled_until": "tomorrow"}
    assert problem(await http.patch(f"{base}/{seed.SAM}", json=nonsense)) == (400, 50035)


async def test_kick_ban_unban(http: httpx.AsyncClient, guild: Guild, general: Channel, world: World) -> None:
    spam = world.post_message(general.id, seed.DIEGO, "spam")
    assert (await http.delete(f"/guilds/{guild.id}/members/{seed.SAM}")).status_code == 204
    assert seed.SAM not in guild.members
    assert problem(await http.delete(f"/guilds/{guild.id}/members/{seed.MAYA}")) == (403, 50013)

    bans = f"/guilds/{guild.id}/bans"
    headers = {"X-Audit-Log-Reason": "spam"}
    body = {"delete_message_seconds": 3600}
    assert (await http.put(f"{bans}/{seed.DIEGO}", json=body, headers=headers)).status_code == 204
    assert spam.id not in world.messages[general.id]
    assert (await http.put(f"{bans}/{seed.ROBIN}", json={})).status_code == 204  # no member
    listed = (await http.get(bans)).json()
    assert [(b["user"]["id"], b["reason"]) for b in listed] == [
        (str(seed.DIEGO), "spam"),
        (str(seed.ROBIN), None),
    ]
    assert problem(await http.put(f"{bans}/{seed.TOMAS}", json={})) == (403, 50013)
    assert problem(await http.put(f"{bans}/{seed.SAM}", json={"delete_message_seconds": 604801})) == (
        400,
        50035,
    )
    assert (await http.delete(f"{bans}/{seed.DIEGO}")).status_code == 204
    assert problem(await http.delete(f"{bans}/{seed.DIEGO}")) == (404, 10026)


async def test_bulk_ban(http: httpx.AsyncClient, guild: Guild, assert_discord_valid: Valid) -> None:
    path = f"/guilds/{guild.id}/bulk-ban"
    users = [str(seed.SAM), str(seed.LENA), str(seed.MAYA), "123456789012345678"]
    answer = (await http.post(path, json={"user_ids": users})).json()
    assert answer == {"banned_users": users[:2], "failed_users": users[2:]}
    assert_discord_valid("BulkBanUsersResponse", answer)
    assert problem(await http.post(path, json={"user_ids": users})) == (400, 500000)
    assert problem(await http.post(path, json={"user_ids": ["1"] * 201})) == (400, 50035)


async def test_roles_by_rank(http: httpx.AsyncClient, guild: Guild) -> None:
    base = f"/guilds/{guild.id}/members/{seed.SAM}/roles"
    assert (await http.put(f"{base}/{role_id(guild, 'Muted')}")).status_code == 204
    assert role_id(guild, "Muted") in guild.members[seed.SAM].roles
    assert (await http.delete(f"{base}/{role_id(guild, 'Muted')}")).status_code == 204
    assert problem(await http.put(f"{base}/{role_id(guild, 'Admin')}")) == (403, 50013)  # above the bot
    assert problem(await http.put(f"{base}/{role_id(guild, 'Gatehouse')}")) == (400, 50028)  # managed
    assert problem(await http.put(f"{base}/123456789012345678")) == (404, 10011)
    made = (await http.post(f"/guilds/{guild.id}/roles", json={"name": "Guest", "color": 1})).json()
    assert guild.roles[int(made["id"])].position == 1
    greedy = {"name": "X", "permissions": str(int(P.ADMINISTRATOR))}
    assert problem(await http.post(f"/guilds/{guild.id}/roles", json=greedy)) == (403, 50013)


async def test_direct_messages(http: httpx.AsyncClient, world: World, sandbox: Sandbox, clock: Clock) -> None:
    async def write(user_id: int) -> httpx.Response:
        opened = await http.post("/users/@me/channels", json={"recipient_id": str(user_id)})
        return await http.post(f"/channels/{opened.json()['id']}/messages", json={"content": "hello"})

    assert (await write(seed.SAM)).status_code == 200
    world.user(seed.LENA).accepts_dms = False
    assert problem(await write(seed.LENA)) == (403, 50007)
    assert problem(await write(seed.ROBIN)) == (403, 50278)
    assert problem(await http.post("/users/@me/channels", json={"recipient_id": "1"})) == (400, 50033)
    strangers = [world.create_user(f"stranger{n}").id for n in range(20)]
    answers = [await http.post("/users/@me/channels", json={"recipient_id": str(u)}) for u in strangers]
    assert problem(answers[-1]) == (403, 40003)
    clock.forward(601)
    again = await http.post("/users/@me/channels", json={"recipient_id": str(strangers[-1])})
    assert again.status_code == 200


async def test_audit_log_pages(
    http: httpx.AsyncClient, guild: Guild, world: World, assert_discord_valid: Valid
) -> None:
    for user_id in (seed.SAM, seed.LENA, seed.DIEGO):
        world.kick_member(guild.id, user_id, actor=world.bot_id, reason="tidying")
    path = f"/guilds/{guild.id}/audit-logs"
    page = (await http.get(path, params={"limit": 2})).json()
    assert_discord_valid("GuildAuditLogResponse", page)
    assert [e["target_id"] for e in page["audit_log_entries"]] == [str(seed.DIEGO), str(seed.LENA)]
    after = (await http.get(path, params={"after": page["audit_log_entries"][1]["id"], "limit": 5})).json()
    assert [e["target_id"] for e in after["audit_log_entries"]] == [str(seed.DIEGO)]
    none = (await http.get(path, params={"action_type": 22})).json()
    assert none["audit_log_entries"] == []
    world.edit_role(guild.id, role_id(guild, "Gatehouse"), permissions=int(P.VIEW_CHANNEL))
    assert problem(await http.get(path)) == (403, 50013)


async def test_incident_actions(http: httpx.AsyncClient, guild: Guild, clock: Clock) -> None:
    path = f"/guilds/{guild.id}/incident-actions"
    body = {"invites_disabled_until": ahead(clock, hours=12)}
    assert (await http.put(path, json=body)).json()["invites_disabled_until"] is not None
    assert (await http.get(f"/guilds/{guild.id}")).json()["incidents_data"]["invites_disabled_until"]
    late = {"dms_disabled_until": ahead(clock, hours=25)}
    assert problem(await http.put(path, json=late)) == (400, 50035)
    assert (await http.put(path, json={"invites_disabled_until": None})).json()[
        "invites_disabled_until"
    ] is None


async def test_channels(http: httpx.AsyncClient, guild: Guild, general: Channel, world: World) -> None:
    slow = await http.patch(f"/channels/{general.id}", json={"rate_limit_per_user": 30})
    assert slow.json()["rate_limit_per_user"] == 30
    bad = await http.patch(f"/channels/{general.id}", json={"rate_limit_per_user": 21601})
    assert problem(bad) == (400, 50035)
    path = f"/channels/{general.id}/permissions/{guild.id}"
    deny = {"type": 0, "allow": "0", "deny": str(int(P.SEND_MESSAGES))}
    assert (await http.put(path, json=deny)).status_code == 204
    assert not world.permissions_in(general, seed.SAM) & P.SEND_MESSAGES
    assert (await http.delete(path)).status_code == 204
    assert world.permissions_in(general, seed.SAM) & P.SEND_MESSAGES
    greedy = {"type": 0, "allow": str(int(P.MANAGE_WEBHOOKS)), "deny": "0"}
    assert problem(await http.put(path, json=greedy)) == (403, 50013)
    made = await http.post(f"/guilds/{guild.id}/channels", json={"name": "New Place", "type": 0})
    assert (made.status_code, made.json()["name"]) == (201, "new-place")
    assert (await http.delete(f"/channels/{made.json()['id']}")).status_code == 200
    message = world.post_message(general.id, seed.SAM, "long story")
    threads = f"/channels/{general.id}/messages/{message.id}/threads"
    started = await http.post(threads, json={"name": "story"})
    assert started.json()["id"] == str(message.id)
    assert problem(await http.post(threads, json={"name": "story"})) == (400, 160004)
    assert (await http.get(f"/guilds/{guild.id}/threads/active")).json()["threads"][0]["name"] == "story"


async def test_members(http: httpx.AsyncClient, guild: Guild, world: World) -> None:
    base = f"/guilds/{guild.id}/members"
    assert len((await http.get(base)).json()) == 1
    found = (await http.get(f"{base}/search", params={"query": "le", "limit": 10})).json()
    assert [m["user"]["username"] for m in found] == ["lena"]
    assert problem(await http.get(f"{base}/search")) == (400, 50035)
    nick = await http.patch(f"{base}/{seed.SAM}", json={"nick": "Sammy"})
    assert nick.json()["nick"] == "Sammy"
    own = await http.patch(f"{base}/@me", json={"nick": "Gate"})
    assert own.json()["nick"] == "Gate"
    world.application.flags = 0
    assert problem(await http.get(base)) == (403, 50001)
