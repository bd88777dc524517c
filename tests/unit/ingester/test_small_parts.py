from __future__ import annotations

import asyncio
import socket

import msgspec
import orjson
import pytest

from app.events.intents import Intent, explain_disallowed
from app.events.wanted import WANTED, wanted_intents
from ingester.control import Control, Setup
from ingester.frames import MalformedFrame
from ingester.guild_index import GuildIndex
from ingester.overlap import overlap_key
from ingester.reconnect import Reconnect, backoff
from ingester.registry import Card


def test_backoff_grows_to_thirty_seconds() -> None:
    assert [backoff(n, lambda: 0.5) for n in range(7)] == [1.5, 2.5, 4.5, 8.5, 16.5, 30.0, 30.0]
    assert backoff(10_000, lambda: 0.0) == 30.0


def test_a_connection_that_worked_is_replaced_at_once() -> None:
    now = [0.0]
    reconnect = Reconnect(lambda: now[0])
    assert 1 <= reconnect.delay() <= 2
    assert 2 <= reconnect.delay() <= 3
    reconnect.online(resumed=False)
    assert reconnect.delay() == 0
    reconnect.online(resumed=False)
    now[0] += 4.9
    assert 4 <= reconnect.delay() <= 5, "the new session fell again at once"
    reconnect.online(resumed=True)
    assert 1 <= reconnect.delay() <= 2, "a resumed one costs nothing"
    reconnect.online(resumed=False)
    now[0] += 5
    assert reconnect.delay() == 0
    assert 1 <= reconnect.delay() <= 2


def test_a_malformed_frame_is_asked_for_once_then_skipped() -> None:
    reconnect, error = Reconnect(), MalformedFrame("x", skippable=True)
    assert not reconnect.skip(7)
    assert not reconnect.malformed(error, 7)
    assert not reconnect.skip(7)
    assert not reconnect.malformed(error, 7)
    assert reconnect.skip(7)
    assert not reconnect.skip(7), "the frame behind it has not been asked for"
    assert not reconnect.skip(9), "another place"
    reconnect.malformed(error, 9)
    assert not reconnect.skip(9)


def test_frames_in_a_row_are_each_asked_for_once() -> None:
    reconnect, error = Reconnect(), MalformedFrame("x", skippable=True)
    skipped = []
    for _connection in range(3):
        passed = 0
        while passed < 2 and reconnect.skip(7):
            passed += 1
        skipped.append(passed)
        if passed < 2:
            reconnect.malformed(error, 7)
    assert skipped == [0, 0, 1]
    assert [reconnect.skip(7), reconnect.skip(7)] == [True, True]


def test_frames_that_stay_malformed_are_not_asked_for_for_ever() -> None:
    now = [0.0]
    reconnect, error = Reconnect(lambda: now[0]), MalformedFrame("x", skippable=True)

    for sequence in (1, 2, 3):
        for _ in range(2):
            assert not reconnect.skip(sequence)
            reconnect.malformed(error, sequence)
        assert reconnect.skip(sequence)
    assert reconnect.skip(4), "three in a row stayed malformed"
    now[0] += 61
    assert not reconnect.skip(5)
    reconnect.malformed(error, 5)
    reconnect.malformed(error, 6)
    now[0] -= 60
    assert not reconnect.skip(7), "the replay of one was sound"


def test_an_unreadable_stream_gives_the_session_up_after_three_tries() -> None:
    reconnect, error = Reconnect(), MalformedFrame("x", skippable=False)
    assert [reconnect.malformed(error, 7) for _ in range(4)] == [False, False, True, False]


def test_intents_are_the_fewest_that_bring_the_wanted_events() -> None:
    assert Intent(wanted_intents()) == (
        Intent.GUILDS
        | Intent.GUILD_MEMBERS
        | Intent.GUILD_MODERATION
        | Intent.GUILD_MESSAGES
        | Intent.MESSAGE_CONTENT
    )
    assert {"MESSAGE_CREATE", "GUILD_CREATE"} <= WANTED
    assert "'Server Members Intent' and 'Message Content Intent'" in explain_disallowed(wanted_intents())
    assert "Presence" not in explain_disallowed(wanted_intents())


def test_both_sets_of_shards_give_an_event_the_same_key() -> None:
    message = orjson.dumps(
        {"id": "5", "channel_id": "1", "author": {"id": "2"}, "content": "x", "guild_id": "9"}
    )
    again = message.replace(b'"x"', b'"y"')
    assert overlap_key("MESSAGE_CREATE", b"9", message) == overlap_key("MESSAGE_CREATE", b"9", again)
    update = orjson.dumps({"guild_id": "9", "user": {"id": "2"}, "roles": ["1"]})
    other = orjson.dumps({"guild_id": "9", "user": {"id": "2"}, "roles": []})
    assert overlap_key("GUILD_MEMBER_UPDATE", b"9", update) == overlap_key(
        "GUILD_MEMBER_UPDATE", b"9", update
    )
    assert overlap_key("GUILD_MEMBER_UPDATE", b"9", update) != overlap_key("GUILD_MEMBER_UPDATE", b"9", other)
    assert overlap_key("MESSAGE_CREATE", b"9", b"{}") != overlap_key("MESSAGE_CREATE", b"8", b"{}")


def test_an_index_survives_its_process() -> None:
    index, store = GuildIndex(), {}
    index.reset([1, 2, 3])
    index.created(b'{"id":"1","name":"One","member_count":5}')
    index.deleted(b'{"id":"2"}')
    index.deleted(b'{"id":"3","unavailable":true}')
    pairs = index.changes()
    store.update(zip(pairs[::2], pairs[1::2], strict=True))
    assert store.pop(b"2") == b""
    assert index.changes() == []
    index.unsaved()
    assert len(index.changes()) == 4
    next_process = GuildIndex()
    next_process.load(store)
    assert sorted(next_process) == [1, 3]
    found = next_process.find(1)
    assert found is not None
    assert (found.name, found.members, found.available) == ("One", 5, True)
    next_process.changed(1, -6)
    assert next_process.members == 0
    assert next_process.largest(1) == [1]
    with pytest.raises(msgspec.DecodeError):
        next_process.created(b"[]")


def test_a_card_survives_the_registry_and_strangers_are_ignored() -> None:
    card = Card("a", 9, (3, 5), "host", 7, (1, 2), ("old",), 123)
    assert Card.from_json(card.to_json()) == card
    newer = orjson.dumps({"id": "a", "total": 9, "future": True})
    assert Card.from_json(newer).total == 9
    with pytest.raises(TypeError):
        Card.from_json(b'{"id":"a"}')


async def test_control_carries_messages_both_ways_until_one_side_is_gone() -> None:
    ours, theirs = socket.socketpair()
    parent, child = await Control.open(ours), await Control.open(theirs)
    setup = Setup(0, "i", 4, "ws://g", 2, 0, (1, 3), overlap=True)
    parent.send(**setup.to_message())
    parent.send("ping", id=3)
    received = child.messages()
    assert Setup.from_message(await anext(received)) == setup
    assert await anext(received) == {"op": "ping", "id": 3}
    await parent.close()
    assert await anext(received, None) is None
    child.send("pong")
    await child.close()
    await asyncio.sleep(0)
