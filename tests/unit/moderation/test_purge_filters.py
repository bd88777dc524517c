from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.features.moderation.cases.purges.filters import Filters, split_by_age
from app.features.moderation.commands.bulk_ban import parse_users
from app.features.moderation.commands.purge import message_id
from app.snowflake import lower_bound

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def message(**fields: Any) -> dict[str, Any]:
    return {"id": "100", "author": {"id": "7"}, "content": "Hello there", "attachments": []} | fields


@pytest.mark.parametrize(
    ("filters", "fields", "taken"),
    [
        ({}, {}, True),
        ({}, {"pinned": True}, False),
        ({"user": 7}, {}, True),
        ({"user": 8}, {}, False),
        ({"bots": True}, {}, False),
        ({"bots": True}, {"author": {"id": "7", "bot": True}}, True),
        ({"contains": "HELLO"}, {}, True),
        ({"contains": "bye"}, {}, False),
        ({"links": True}, {"content": "HTTPS://example.org"}, True),
        ({"links": True}, {"content": "https:// nothing"}, False),
        ({"attachments": True}, {"attachments": [{}]}, True),
        ({"attachments": True}, {}, False),
        ({"after": 99}, {}, True),
        ({"after": 100}, {}, False),
        ({"user": 7, "contains": "bye"}, {}, False),
        ({"user": 7}, {"author": None}, False),
        ({"contains": "x"}, {"content": None}, False),
    ],
)
def test_all_that_is_given_must_hold(filters: dict[str, Any], fields: dict[str, Any], *, taken: bool) -> None:
    assert Filters(**filters).take(message(**fields)) is taken


@given(
    st.builds(
        Filters,
        user=st.none() | st.integers(0, 2**63 - 1),
        bots=st.booleans(),
        links=st.booleans(),
        attachments=st.booleans(),
        contains=st.none() | st.text(max_size=20),
        before=st.none() | st.integers(0, 2**63 - 1),
        after=st.none() | st.integers(0, 2**63 - 1),
    )
)
def test_a_job_gets_them_as_they_were(filters: Filters) -> None:
    assert Filters.load(filters.dump()) == filters


def test_fourteen_days_divide_bulk_from_one_by_one() -> None:
    def made(age: timedelta) -> int:
        return lower_bound(int((NOW - age).timestamp() * 1000))

    young = [made(timedelta(minutes=1)), made(timedelta(days=13, hours=23))]
    old = [
        made(timedelta(days=13, hours=23, minutes=55)),
        made(timedelta(days=14)),
        made(timedelta(days=400)),
    ]
    assert split_by_age([*old, *young], NOW) == (young, old)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("123456789012345678", 123456789012345678),
        (" https://discord.com/channels/1/2/123456789012345678 ", 123456789012345678),
    ],
)
def test_messages_by_link_or_id(text: str, key: int) -> None:
    assert message_id(text) == key


@pytest.mark.parametrize("text", ["", "yesterday", "12", "9" * 20, "https://example.org/x"])
def test_other_texts_are_no_message(text: str) -> None:
    with pytest.raises(UserError):
        message_id(text)


def test_people_by_mention_or_id_each_once() -> None:
    one, two = 123456789012345678, 223456789012345678
    assert parse_users(f"<@{one}>, <@!{two}>\n{one};{two}") == [one, two]
    for text in ("", "robin", f"{one} robin", "9" * 20):
        with pytest.raises(UserError):
            parse_users(text)
