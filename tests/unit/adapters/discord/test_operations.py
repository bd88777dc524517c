"""What the operations send: right path, valid body, mentions off, reason and priority passed on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.adapters.discord.caller import File
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.discord.routes import ROUTES
from app.errors import ConfigurationError
from app.settings import Settings

APP, GUILD, CHANNEL, MESSAGE, USER, ROLE = 11, 22, 33, 44, 55, 66
UNTIL = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMAND = {"name": "warn", "description": "Warn a member", "type": 1, "options": [], "contexts": [0]}
TEXT = {"content": "hello"}
QUIET = {"parse": []}


class Recorder:
    """Takes the place of the sender and keeps the calls."""

    def __init__(self) -> None:
        self.calls = []

    async def send(self, call):
        self.calls.append(call)

    @property
    def last(self):
        return self.calls[-1]


@pytest.fixture
def sent() -> Recorder:
    return Recorder()


@pytest.fixture
def rest(sent) -> DiscordRest:
    settings = Settings.from_environment({"DISCORD_TOKEN": "t", "DISCORD_APPLICATION_ID": str(APP)})
    return DiscordRest(settings, sent)


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


async def test_mentions_stay_as_the_caller_wants_them(rest, sent) -> None:
    wanted = {"users": [str(USER)]}
    await rest.create_message(CHANNEL, TEXT | {"allowed_mentions": wanted})
    assert sent.last.exchange.json["allowed_mentions"] == wanted


async def test_a_nonce_is_enforced_and_makes_a_create_repeatable(rest, sent, assert_discord_valid) -> None:
    await rest.create_message(CHANNEL, TEXT)
    assert sent.last.idempotent is False
    await rest.create_message(CHANNEL, TEXT, nonce="n" * 25)
    assert sent.last.idempotent is True
    assert sent.last.exchange.json["nonce"] == "n" * 25
    assert sent.last.exchange.json["enforce_nonce"] is True
    assert_discord_valid("MessageCreateRequest", sent.last.exchange.json)


async def test_files_are_declared_beside_attachments_that_stay(rest, sent, assert_discord_valid) -> None:
    files = [File("a.txt", b"a"), File("b.png", b"b", "image/png", description="B", spoiler=True)]
    await rest.edit_message(CHANNEL, MESSAGE, {"attachments": [{"id": "77"}]}, files=files)
    assert sent.last.exchange.json["attachments"] == [
        {"id": "77"},
        {"id": "0", "filename": "a.txt"},
        {"id": "1", "filename": "b.png", "description": "B", "is_spoiler": True},
    ]
    assert sent.last.exchange.files == files
    assert_discord_valid("MessageEditRequestPartial", sent.last.exchange.json)


async def test_priority_deadline_and_reason_are_passed_on(rest, sent) -> None:
    await rest.remove_guild_member(GUILD, USER, reason="raid", priority=Priority.BULK, deadline=7.5)
    assert (sent.last.priority, sent.last.deadline, sent.last.exchange.reason) == (Priority.BULK, 7.5, "raid")
    await rest.remove_guild_member(GUILD, USER)
    assert (sent.last.priority, sent.last.deadline) == (Priority.MODERATION, None)


async def test_a_first_response_has_discords_deadline(rest, sent) -> None:
    await rest.create_interaction_response(7, "tok", {"type": 5})
    assert sent.last.deadline == 2.5
    assert sent.last.priority is Priority.INTERACTION


async def test_what_is_left_unchanged_is_not_sent(rest, sent) -> None:
    await rest.modify_guild_incident_actions(GUILD, invites_disabled_until=None)
    assert sent.last.exchange.json == {"invites_disabled_until": None}


async def test_a_time_keeps_its_zone_and_must_have_one(rest, sent) -> None:
    east = timezone(timedelta(hours=2))
    await rest.timeout_guild_member(GUILD, USER, until=datetime(2030, 1, 1, tzinfo=east))
    assert sent.last.exchange.json == {"communication_disabled_until": "2030-01-01T00:00:00+02:00"}
    with pytest.raises(ValueError, match="zone"):
        await rest.timeout_guild_member(GUILD, USER, until=datetime(2030, 1, 1))


REFUSED = [
    ("bulk_delete_messages", (CHANNEL, [1]), {}, "2 to 100"),
    ("bulk_delete_messages", (CHANNEL, [1, 1]), {}, "2 to 100"),
    ("bulk_delete_messages", (CHANNEL, range(101)), {}, "2 to 100"),
    ("bulk_guild_ban", (GUILD, []), {}, "1 to 200"),
    ("bulk_guild_ban", (GUILD, range(201)), {}, "1 to 200"),
    ("add_guild_ban", (GUILD, USER), {"delete_message_seconds": 604_801}, "604800"),
    ("create_message", (CHANNEL, TEXT), {"nonce": "n" * 26}, "25"),
    ("create_message", (CHANNEL, TEXT), {"nonce": ""}, "25"),
]


@pytest.mark.parametrize(("operation", "arguments", "keywords", "problem"), REFUSED)
async def test_what_discord_would_refuse_is_not_sent(
    rest, sent, operation, arguments, keywords, problem
) -> None:
    with pytest.raises(ValueError, match=problem):
        await getattr(rest, operation)(*arguments, **keywords)
    assert sent.calls == []


async def test_a_missing_token_or_application_id_is_named(sent) -> None:
    rest = DiscordRest(Settings.from_environment({}), sent)
    with pytest.raises(ConfigurationError, match="DISCORD_TOKEN"):
        await rest.get_current_user()
    with pytest.raises(ConfigurationError, match="DISCORD_APPLICATION_ID"):
        await rest.create_followup("tok", TEXT)
    await rest.create_interaction_response(7, "tok", {"type": 5})
