"""What callers may leave out, what is added for them, and what is refused before it is sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from app.adapters.discord.caller import File
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.errors import ConfigurationError
from app.settings import Settings

GUILD, CHANNEL, MESSAGE, USER = 22, 33, 44, 55
TEXT = {"content": "hello"}


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
