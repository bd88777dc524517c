"""What the operations send: right path, valid body, mentions off, reason and priority passed on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.adapters.discord.routes import ROUTES

APP, GUILD, CHANNEL, MESSAGE, USER, ROLE = 11, 22, 33, 44, 55, 66
UNTIL = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMAND = {"name": "warn", "description": "Warn a member", "type": 1, "options": [], "contexts": [0]}
TEXT = {"content": "hello"}
QUIET = {"parse": []}


WRITES = [
    # operation, arguments, request, schema, body
    (
        "create_message",
        (CHANNEL, TEXT),
        "POST /channels/33/messages",
        "MessageCreateRequest",
        TEXT | {"allowed_mentions": QUIET},
    ),
    (
        "edit_message",
        (CHANNEL, MESSAGE, TEXT),
        "PATCH /channels/33/messages/44",
        "MessageEditRequestPartial",
        TEXT | {"allowed_mentions": QUIET},
    ),
    (
        "edit_message",
        (CHANNEL, MESSAGE, {"flags": 4}),
        "PATCH /channels/33/messages/44",
        "MessageEditRequestPartial",
        {"flags": 4},
    ),
    (
        "bulk_delete_messages",
        (CHANNEL, [1, 2, 2]),
        "POST /channels/33/messages/bulk-delete",
        "bulk_delete_messages",
        {"messages": ["1", "2"]},
    ),
    (
        "modify_channel",
        (CHANNEL, {"rate_limit_per_user": 10}),
        "PATCH /channels/33",
        "update_channel",
        {"rate_limit_per_user": 10},
    ),
    (
        "start_thread_from_message",
        (CHANNEL, MESSAGE),
        "POST /channels/33/messages/44/threads",
        "create_thread_from_message",
        {"name": "t"},
    ),
    (
        "edit_channel_permissions",
        (CHANNEL, ROLE),
        "PUT /channels/33/permissions/66",
        "set_channel_permission_overwrite",
        {"allow": "0", "deny": "2048", "type": 0},
    ),
    (
        "modify_guild_incident_actions",
        (GUILD,),
        "PUT /guilds/22/incident-actions",
        "GuildIncidentActionsRequest",
        {"invites_disabled_until": "2030-01-02T03:04:05+00:00", "dms_disabled_until": None},
    ),
    (
        "timeout_guild_member",
        (GUILD, USER),
        "PATCH /guilds/22/members/55",
        "update_guild_member",
        {"communication_disabled_until": "2030-01-02T03:04:05+00:00"},
    ),
    (
        "modify_guild_member",
        (GUILD, USER, {"nick": None}),
        "PATCH /guilds/22/members/55",
        "update_guild_member",
        {"nick": None},
    ),
    (
        "add_guild_ban",
        (GUILD, USER),
        "PUT /guilds/22/bans/55",
        "BanUserFromGuildRequest",
        {"delete_message_seconds": 60},
    ),
    (
        "bulk_guild_ban",
        (GUILD, [1, 2, 1]),
        "POST /guilds/22/bulk-ban",
        "BulkBanUsersRequest",
        {"user_ids": ["1", "2"], "delete_message_seconds": 0},
    ),
    ("create_dm", (USER,), "POST /users/@me/channels", "CreatePrivateChannelRequest", {"recipient_id": "55"}),
    (
        "create_interaction_response",
        (7, "tok", {"type": 4, "data": TEXT}),
        "POST /interactions/7/tok/callback",
        "create_interaction_response",
        {"type": 4, "data": TEXT | {"allowed_mentions": QUIET}},
    ),
    (
        "create_interaction_response",
        (7, "tok", {"type": 5, "data": {"flags": 64}}),
        "POST /interactions/7/tok/callback",
        "create_interaction_response",
        {"type": 5, "data": {"flags": 64}},
    ),
    (
        "create_interaction_response",
        (7, "tok", {"type": 7, "data": {"content": "x"}}),
        "POST /interactions/7/tok/callback",
        "create_interaction_response",
        {"type": 7, "data": {"content": "x", "allowed_mentions": QUIET}},
    ),
    (
        "create_interaction_response",
        (7, "tok", {"type": 6}),
        "POST /interactions/7/tok/callback",
        "create_interaction_response",
        {"type": 6},
    ),
    (
        "edit_original_response",
        ("tok", TEXT),
        "PATCH /webhooks/11/tok/messages/@original",
        "IncomingWebhookUpdateRequestPartial",
        TEXT | {"allowed_mentions": QUIET},
    ),
    (
        "create_followup",
        ("tok", TEXT | {"flags": 64}),
        "POST /webhooks/11/tok",
        "IncomingWebhookRequestPartial",
        TEXT | {"flags": 64, "allowed_mentions": QUIET},
    ),
    (
        "edit_followup",
        ("tok", MESSAGE, TEXT),
        "PATCH /webhooks/11/tok/messages/44",
        "IncomingWebhookUpdateRequestPartial",
        TEXT | {"allowed_mentions": QUIET},
    ),
    (
        "execute_webhook",
        (99, "tok", TEXT),
        "POST /webhooks/99/tok",
        "IncomingWebhookRequestPartial",
        TEXT | {"allowed_mentions": QUIET},
    ),
    (
        "bulk_overwrite_commands",
        ([COMMAND],),
        "PUT /applications/11/commands",
        "bulk_set_application_commands",
        [COMMAND],
    ),
    (
        "bulk_overwrite_commands",
        ([COMMAND], GUILD),
        "PUT /applications/11/guilds/22/commands",
        "bulk_set_guild_application_commands",
        [COMMAND],
    ),
    (
        "edit_current_application",
        ({"interactions_endpoint_url": "https://example.org/i"},),
        "PATCH /applications/@me",
        "ApplicationFormPartial",
        {"interactions_endpoint_url": "https://example.org/i"},
    ),
    (
        "set_role_connection_metadata",
        ([{"type": 2, "key": "cases", "name": "Cases", "description": "How many"}],),
        "PUT /applications/11/role-connections/metadata",
        "update_application_role_connections_metadata",
        [{"type": 2, "key": "cases", "name": "Cases", "description": "How many"}],
    ),
]
KEYWORDS = {
    "start_thread_from_message": {"name": "t"},
    "edit_channel_permissions": {"kind": "role", "deny": 2048},
    "modify_guild_incident_actions": {"invites_disabled_until": UNTIL, "dms_disabled_until": None},
    "timeout_guild_member": {"until": UNTIL},
    "add_guild_ban": {"delete_message_seconds": 60},
}


@pytest.mark.parametrize(("operation", "arguments", "request_line", "schema", "body"), WRITES)
async def test_writes_send_valid_bodies(
    rest, sent, assert_discord_valid, operation, arguments, request_line, schema, body
) -> None:
    await getattr(rest, operation)(*arguments, **KEYWORDS.get(operation, {}))
    exchange = sent.last.exchange
    assert f"{exchange.target.route.method} {exchange.target.path}" == request_line
    assert exchange.json == body
    if operation == "edit_channel_permissions":
        # The document says integers here; the written docs, which win, have decimal strings as everywhere else.
        body = body | {"allow": int(body["allow"]), "deny": int(body["deny"])}
    assert_discord_valid(schema, body)


READS = [
    # operation, arguments, request, query
    (
        "get_messages",
        (CHANNEL,),
        {"before": 9, "limit": 100},
        "GET /channels/33/messages",
        {"before": 9, "limit": 100},
    ),
    ("get_message", (CHANNEL, MESSAGE), {}, "GET /channels/33/messages/44", {}),
    ("get_channel", (CHANNEL,), {}, "GET /channels/33", {}),
    ("get_guild", (GUILD,), {"with_counts": True}, "GET /guilds/22", {"with_counts": "true"}),
    ("get_guild_channels", (GUILD,), {}, "GET /guilds/22/channels", {}),
    ("get_guild_roles", (GUILD,), {}, "GET /guilds/22/roles", {}),
    ("get_invite", ("abc",), {}, "GET /invites/abc", {}),
    (
        "get_guild_audit_log",
        (GUILD,),
        {"action_type": 22, "limit": 5},
        "GET /guilds/22/audit-logs",
        {"action_type": 22, "limit": 5},
    ),
    ("get_current_user_guilds", (), {"after": 5}, "GET /users/@me/guilds", {"after": 5, "limit": 200}),
    ("get_guild_member", (GUILD, USER), {}, "GET /guilds/22/members/55", {}),
    ("list_guild_members", (GUILD,), {"after": 3}, "GET /guilds/22/members", {"after": 3, "limit": 1000}),
    (
        "search_guild_members",
        (GUILD, "ann"),
        {},
        "GET /guilds/22/members/search",
        {"query": "ann", "limit": 25},
    ),
    ("get_guild_bans", (GUILD,), {}, "GET /guilds/22/bans", {"limit": 1000}),
    ("get_guild_ban", (GUILD, USER), {}, "GET /guilds/22/bans/55", {}),
    ("get_current_user", (), {}, "GET /users/@me", {}),
    ("get_user", (USER,), {}, "GET /users/55", {}),
    ("get_original_response", ("tok",), {}, "GET /webhooks/11/tok/messages/@original", {}),
    ("get_followup", ("tok", MESSAGE), {}, "GET /webhooks/11/tok/messages/44", {}),
    ("get_commands", (), {}, "GET /applications/11/commands", {"with_localizations": "true"}),
    ("get_commands", (GUILD,), {}, "GET /applications/11/guilds/22/commands", {"with_localizations": "true"}),
    (
        "get_guild_command_permissions",
        (GUILD,),
        {},
        "GET /applications/11/guilds/22/commands/permissions",
        {},
    ),
    ("get_current_application", (), {}, "GET /applications/@me", {}),
    ("get_role_connection_metadata", (), {}, "GET /applications/11/role-connections/metadata", {}),
    ("get_gateway_bot", (), {}, "GET /gateway/bot", {}),
    ("delete_message", (CHANNEL, MESSAGE), {}, "DELETE /channels/33/messages/44", {}),
    ("pin_message", (CHANNEL, MESSAGE), {}, "PUT /channels/33/messages/pins/44", {}),
    ("unpin_message", (CHANNEL, MESSAGE), {}, "DELETE /channels/33/messages/pins/44", {}),
    (
        "create_reaction",
        (CHANNEL, MESSAGE, "👍"),
        {},
        "PUT /channels/33/messages/44/reactions/%F0%9F%91%8D/@me",
        {},
    ),
    ("trigger_typing", (CHANNEL,), {}, "POST /channels/33/typing", {}),
    ("delete_channel_permission", (CHANNEL, ROLE), {}, "DELETE /channels/33/permissions/66", {}),
    ("delete_channel", (CHANNEL,), {}, "DELETE /channels/33", {}),
    ("leave_guild", (GUILD,), {}, "DELETE /users/@me/guilds/22", {}),
    ("remove_guild_member", (GUILD, USER), {}, "DELETE /guilds/22/members/55", {}),
    ("remove_guild_ban", (GUILD, USER), {}, "DELETE /guilds/22/bans/55", {}),
    ("add_guild_member_role", (GUILD, USER, ROLE), {}, "PUT /guilds/22/members/55/roles/66", {}),
    ("remove_guild_member_role", (GUILD, USER, ROLE), {}, "DELETE /guilds/22/members/55/roles/66", {}),
    ("delete_original_response", ("tok",), {}, "DELETE /webhooks/11/tok/messages/@original", {}),
    ("delete_followup", ("tok", MESSAGE), {}, "DELETE /webhooks/11/tok/messages/44", {}),
]


@pytest.mark.parametrize(("operation", "arguments", "keywords", "request_line", "query"), READS)
async def test_calls_without_a_body_go_to_the_right_place(
    rest, sent, operation, arguments, keywords, request_line, query
) -> None:
    await getattr(rest, operation)(*arguments, **keywords)
    exchange = sent.last.exchange
    assert f"{exchange.target.route.method} {exchange.target.path}" == request_line
    assert exchange.json is None
    assert {k: v for k, v in (exchange.query or {}).items() if v is not None} == query


def test_every_route_has_an_operation_in_these_tables() -> None:
    lines = [line for *_, line, _, _ in WRITES] + [line for *_, line, _ in READS]
    named = {route.name for route in ROUTES for line in lines if _matches(route, line)}
    assert named == {route.name for route in ROUTES}


def _matches(route, line) -> bool:
    pattern = route.name.split("/")
    given = line.split("/")
    return len(pattern) == len(given) and all(
        p == g or p.startswith("{") for p, g in zip(pattern, given, strict=True)
    )
