"""Members, guilds, bans, the audit log, threads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from app.events.audit_log import MEMBER_UPDATE, AuditLogEntryCreated
from app.events.envelope import Envelope
from app.events.guilds import GuildAvailable, GuildLeft
from app.events.members import BanAdded, BanRemoved, MemberJoined, MemberLeft, MemberUpdated
from app.events.threads import ThreadCreated, ThreadUpdated

GUILD = "290926798626357999"
USER = {"id": "41", "username": "bob", "global_name": None, "bot": True}


def envelope(payload: Any, *, sequence: int = 7) -> Envelope:
    return Envelope("X", 0, "sid", sequence, int(GUILD), 0, orjson.dumps(payload))


def test_a_join_is_the_same_however_often_it_is_sent() -> None:
    payload = {"guild_id": GUILD, "user": USER, "roles": ["1"], "joined_at": "2026-11-24T20:57:00+00:00"}
    first, again = (MemberJoined.parse(envelope(payload, sequence=s)) for s in (1, 2))
    assert first.key == again.key
    assert first.user.bot
    later = MemberJoined.parse(envelope({**payload, "joined_at": "2026-11-24T20:58:00+00:00"}))
    assert later.key != first.key


def test_updates_leaves_and_bans_are_told_apart_by_their_place_in_the_session() -> None:
    payload = {
        "guild_id": GUILD,
        "user": USER,
        "roles": [],
        "communication_disabled_until": "2026-11-25T00:00:00Z",
    }
    for kind in (MemberUpdated, MemberLeft, BanAdded, BanRemoved):
        first, again = (kind.parse(envelope(payload, sequence=s)) for s in (1, 2))
        assert first.key != again.key
        assert first.user.id == 41
    updated = MemberUpdated.parse(envelope(payload))
    assert updated.member.timed_out_until == datetime(2026, 11, 25, tzinfo=UTC)


def test_a_guild_comes_with_its_roles_and_channels() -> None:
    event = GuildAvailable.parse(
        envelope(
            {
                "id": GUILD,
                "name": "Home",
                "owner_id": "5",
                "preferred_locale": "de",
                "member_count": 12,
                "roles": [{"id": GUILD, "name": "@everyone", "position": 0, "permissions": "1071698660929"}],
                "channels": [
                    {
                        "id": "7",
                        "type": 0,
                        "name": "general",
                        "permission_overwrites": [{"id": "9", "type": 1, "allow": "1024", "deny": "0"}],
                    }
                ],
            }
        )
    )
    assert event is not None
    assert (event.name, event.owner_id, event.preferred_locale, event.member_count) == ("Home", 5, "de", 12)
    assert event.roles[0].permissions == 1071698660929
    assert event.channels[0].overwrites[0].allow == 1024


def test_an_outage_is_neither_a_guild_nor_a_removal() -> None:
    assert GuildAvailable.parse(envelope({"id": GUILD, "unavailable": True})) is None
    assert GuildLeft.parse(envelope({"id": GUILD, "unavailable": True})) is None
    left = GuildLeft.parse(envelope({"id": GUILD}))
    assert left is not None
    assert left.guild_id == int(GUILD)


def test_a_timeout_by_hand_is_read_from_the_audit_log() -> None:
    event = AuditLogEntryCreated.parse(
        envelope(
            {
                "guild_id": GUILD,
                "id": "77",
                "action_type": MEMBER_UPDATE,
                "user_id": "5",
                "target_id": "41",
                "reason": "spam",
                "changes": [{"key": "communication_disabled_until", "new_value": "2026-11-25T00:00:00Z"}],
            }
        )
    )
    change = event.change("communication_disabled_until")
    assert change is not None
    assert (change.old, change.new) == (None, "2026-11-25T00:00:00Z")
    assert event.change("nick") is None
    assert (event.key, event.actor_id, event.target_id) == ("GUILD_AUDIT_LOG_ENTRY_CREATE:77", 5, 41)


def test_only_a_new_name_of_a_thread_is_news() -> None:
    payload = {"guild_id": GUILD, "id": "7", "parent_id": "6", "owner_id": "5", "name": "plans"}
    created = ThreadCreated.parse(envelope({**payload, "newly_created": True}))
    assert (created.name, created.parent_id, created.newly_created) == ("plans", 6, True)
    first, archived = (
        ThreadUpdated.parse(envelope({**payload, "thread_metadata": {"archived": a}})) for a in (0, 1)
    )
    assert first.key == archived.key
    assert ThreadUpdated.parse(envelope({**payload, "name": "other"})).key != first.key
