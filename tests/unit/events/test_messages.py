"""Reading messages: full ones as Discord sends them, and everything else it may send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.envelope import Envelope
from app.events.event import Event, MalformedEvent
from app.events.message import message_of
from app.events.messages import MessageCreated, MessageDeleted, MessagesBulkDeleted, MessageUpdated
from app.events.wanted import WANTED_EVENTS

GUILD = 290926798626357999


def envelope(name: str, payload: Any, *, sequence: int = 7) -> Envelope:
    return Envelope(name, 0, "session", sequence, GUILD, 1_795_000_000_000, orjson.dumps(payload))


def message(**changes: Any) -> dict[str, Any]:
    return {
        "type": 0,
        "tts": False,
        "timestamp": "2026-11-24T20:57:00.123000+00:00",
        "pinned": False,
        "mentions": [{"id": "11", "username": "ann", "member": {"roles": []}}],
        "mention_roles": ["21"],
        "mention_everyone": True,
        "member": {
            "roles": ["31", "32"],
            "nick": "Nick",
            "joined_at": "2024-01-02T03:04:05+00:00",
            "communication_disabled_until": None,
            "pending": False,
            "flags": 128,
            "mute": False,
            "deaf": False,
        },
        "id": "1000",
        "flags": 0,
        "embeds": [],
        "edited_timestamp": None,
        "content": "hello",
        "components": [],
        "channel_id": "2000",
        "author": {"id": "41", "username": "bob", "global_name": "Bob", "discriminator": "0", "avatar": "a1"},
        "attachments": [],
        "guild_id": str(GUILD),
        **changes,
    }


def test_a_message_is_read_with_its_author_and_member() -> None:
    event = MessageCreated.parse(envelope("MESSAGE_CREATE", message()))
    found = event.message
    assert (found.id, found.channel_id, found.guild_id, found.content) == (1000, 2000, GUILD, "hello")
    assert found.author is not None
    assert (found.author.id, found.author.username, found.author.bot) == (41, "bob", False)
    assert found.member is not None
    assert found.member.roles == (31, 32)
    assert found.member.joined_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found.mentions == (11,)
    assert found.mention_roles == (21,)
    assert found.mention_everyone
    assert found.by_person
    assert found.deletable
    assert not found.partial
    assert event.key == "MESSAGE_CREATE:1000"


@pytest.mark.parametrize(
    "changes",
    [
        {"author": {"id": "41", "username": "b", "bot": True}},
        {"author": {"id": "41", "username": "b", "system": True}},
        {"webhook_id": "41"},
    ],
)
def test_bots_webhooks_and_the_system_are_not_persons(changes: dict[str, Any]) -> None:
    assert not message_of(message(**changes)).by_person


@pytest.mark.parametrize(
    ("changes", "deletable"), [({"type": 21}, False), ({"flags": 64}, False), ({"type": 19}, True)]
)
def test_some_messages_cannot_be_deleted(changes: dict[str, Any], deletable: bool) -> None:
    assert message_of(message(**changes)).deletable is deletable


def test_every_text_that_a_reader_sees_is_found() -> None:
    embed = {
        "type": "rich",
        "title": "embed title",
        "description": "embed description",
        "url": "https://embed.example",
        "author": {"name": "embed author"},
        "footer": {"text": "embed footer"},
        "fields": [{"name": "field name", "value": "field value"}],
    }
    components = [
        {
            "type": 17,
            "components": [
                {
                    "type": 9,
                    "components": [{"type": 10, "content": "section text"}],
                    "accessory": {"type": 2, "label": "button"},
                },
                {"type": 12, "items": [{"description": "media description"}]},
            ],
        },
        {
            "type": 1,
            "components": [
                {"type": 3, "placeholder": "pick", "options": [{"label": "o1", "description": "o2"}]}
            ],
        },
    ]
    file = {
        "id": "5",
        "filename": "file name",
        "title": "file title",
        "description": "file text",
        "size": 3,
        "url": "u",
    }
    found = message_of(
        message(
            content="content",
            embeds=[embed],
            components=components,
            attachments=[file],
            message_snapshots=[
                {
                    "message": {
                        "content": "forwarded",
                        "embeds": [{"title": "forwarded embed"}],
                        "attachments": [],
                        "components": [{"type": 10, "content": "forwarded display"}],
                    }
                }
            ],
            message_reference={"type": 1, "message_id": "1", "channel_id": "2"},
            poll={
                "question": {"text": "question"},
                "answers": [{"answer_id": 1, "poll_media": {"text": "answer"}}],
            },
            sticker_items=[{"id": "1", "name": "sticker", "format_type": 1}],
            thread={"id": "9", "name": "thread"},
        )
    )
    assert set(found.texts()) == {
        "content", "embed title", "embed description", "https://embed.example", "embed author", "embed footer",
        "field name", "field value", "section text", "button", "media description", "pick", "o1", "o2",
        "forwarded", "forwarded embed", "forwarded display", "question", "answer", "file name", "file title",
        "file text", "sticker", "thread",
    }  # fmt: skip
    assert found.reference is not None
    assert (found.reference.type, found.reference.message_id, found.reference.guild_id) == (1, 1, None)


def test_a_partial_update_says_so() -> None:
    unfurled = {"id": "1000", "channel_id": "2000", "guild_id": str(GUILD), "embeds": [{"title": "t"}]}
    event = MessageUpdated.parse(envelope("MESSAGE_UPDATE", unfurled))
    assert event.message.partial
    assert event.message.author is None
    assert not event.message.by_person
    assert list(event.message.texts()) == ["t"]


def test_an_edit_an_unfurl_and_a_duplicate_are_told_apart() -> None:
    def key(**changes: Any) -> str:
        return MessageUpdated.parse(envelope("MESSAGE_UPDATE", message(**changes))).key

    first = key(edited_timestamp="2026-11-24T21:00:00+00:00")
    assert key(edited_timestamp="2026-11-24T21:00:00+00:00", pinned=True) == first
    assert key(edited_timestamp="2026-11-24T21:00:00.001+00:00") != first
    assert key(edited_timestamp="2026-11-24T21:00:00+00:00", embeds=[{"title": "x"}]) != first


def test_deletions_carry_only_ids() -> None:
    one = MessageDeleted.parse(envelope("MESSAGE_DELETE", {"id": "1", "channel_id": "2", "guild_id": "3"}))
    assert (one.message_id, one.channel_id, one.guild_id) == (1, 2, 3)
    many = MessagesBulkDeleted.parse(
        envelope("MESSAGE_DELETE_BULK", {"ids": ["3", "1", "2"], "channel_id": "9", "guild_id": "8"})
    )
    assert many is not None
    assert many.message_ids == (3, 1, 2)
    assert many.key == "MESSAGE_DELETE_BULK:9:1:3:3"
    assert MessagesBulkDeleted.parse(envelope("MESSAGE_DELETE_BULK", {"ids": [], "channel_id": "9"})) is None


@pytest.mark.parametrize("event", WANTED_EVENTS)
@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b"7", b"{}", b'{"id":"x","guild_id":"secret"}', b'{"author":7}']
)
def test_garbage_is_a_malformed_event_that_quotes_nothing(event: type[Event], payload: bytes) -> None:
    broken = Envelope(event.GATEWAY_EVENT, 0, "s", 1, GUILD, 0, payload)
    with pytest.raises(MalformedEvent) as caught:
        event.parse(broken)
    assert "secret" not in str(caught.value)
    assert event.GATEWAY_EVENT in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3)
    ),
    max_leaves=8,
)


@given(name=st.sampled_from(sorted(message())), value=json_values)
def test_any_value_in_any_field_gives_a_message_or_a_malformed_event(name: str, value: Any) -> None:
    payload = {**message(), name: value}
    for event in (MessageCreated, MessageUpdated):
        try:
            parsed = event.parse(envelope(event.GATEWAY_EVENT, payload))
        except MalformedEvent:
            continue
        assert all(isinstance(text, str) for text in parsed.message.texts())
