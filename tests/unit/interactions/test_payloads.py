from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.interactions.errors import InvalidInteraction
from app.interactions.interaction import parse_interaction
from app.interactions.payloads import InteractionContext, InteractionType, Member, User, snowflake
from app.interactions.permissions import Permission
from tests.fixtures.interactions import (
    APPLICATION,
    CHANNEL,
    GUILD,
    USER,
    command,
    member,
    parsed,
    press,
    user,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    "id",
    "application_id",
    "token",
    "type",
    "data",
    "member",
    "user",
    "guild_id",
    "channel",
    "locale",
    "message",
]


def test_a_command_in_a_guild_is_read() -> None:
    interaction = parsed(
        command("ping", locale="de", guild_locale="fr", by=member(permissions=8, roles=(5, 6)))
    )
    assert interaction.type is InteractionType.APPLICATION_COMMAND
    assert interaction.application_id == APPLICATION
    assert (interaction.guild_id, interaction.channel_id, interaction.user_id) == (GUILD, CHANNEL, USER)
    assert (interaction.locale, interaction.guild_locale) == ("de", "fr")
    assert interaction.member is not None
    assert interaction.member.permissions == Permission.ADMINISTRATOR
    assert interaction.member.roles == (5, 6)
    assert interaction.member.display_name == "Robin"
    assert interaction.context is InteractionContext.GUILD
    assert interaction.attachment_size_limit == 10_485_760


def test_a_command_in_a_direct_message_has_a_user_and_no_guild() -> None:
    interaction = parsed(command("ping", guild=None))
    assert interaction.guild_id is None
    assert interaction.member is None
    assert interaction.user.mention == f"<@{USER}>"
    assert interaction.context is InteractionContext.BOT_DM


def test_a_ping_needs_nothing_but_its_type() -> None:
    assert parse_interaction(b'{"type":1}').type is InteractionType.PING


def test_unknown_fields_and_contexts_are_ignored() -> None:
    raw = command("ping") | {"context": 9, "new": {"a": 1}}
    raw["member"]["user"]["premium"] = True
    interaction = parsed(raw)
    assert interaction.context is None
    assert interaction.user.username == "robin"


def test_the_token_is_in_no_representation() -> None:
    interaction = parsed(command("ping"))
    assert interaction.token not in repr(interaction)
    assert interaction.token not in str(interaction)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b'{"type":0}',
        b'{"type":6}',
        b'{"type":"1"}',
        b'{"type":true}',
        b'{"type":1.0}',
        b"\xff\xfe",
        b'{"type":2}',
        b"[" * 10_000,
        orjson.dumps(command("x") | {"id": "-1"}),
        orjson.dumps(command("x") | {"id": "1_0"}),
        orjson.dumps(command("x") | {"id": " 1"}),
        orjson.dumps(command("x") | {"id": "١"}),
        orjson.dumps(command("x") | {"id": str(2**64)}),
        orjson.dumps(command("x") | {"id": 5}),
        orjson.dumps(command("x") | {"token": ""}),
        orjson.dumps(command("x") | {"data": []}),
        orjson.dumps(command("x") | {"data": {"name": 1, "type": 1}}),
        orjson.dumps(command("x") | {"data": {"name": "x", "type": "1"}}),
        orjson.dumps(command("x") | {"member": [], "user": user()}),
        orjson.dumps(command("x") | {"member": {"user": None}}),
        orjson.dumps(command("x") | {"member": None}),
        orjson.dumps(press("x") | {"data": {"custom_id": 1}}),
    ],
)
def test_a_body_that_discord_would_not_send_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidInteraction):
        parse_interaction(body)


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with suppress(InvalidInteraction):
        parse_interaction(body)


@given(
    st.sampled_from(["command", "press"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3),
)
def test_no_interaction_with_strange_fields_raises_anything_else(kind: str, strange: dict[str, Any]) -> None:
    raw = (command("ping") if kind == "command" else press("x")) | strange
    try:
        interaction = parsed(raw)
        if interaction.type is InteractionType.PING:
            return
        for name in (
            "channel_id",
            "channel",
            "member",
            "user",
            "message",
            "resolved",
            "app_permissions",
            "context",
        ):
            getattr(interaction, name)
    except InvalidInteraction:
        pass


@given(JSON)
def test_no_object_raises_anything_else(raw: Any) -> None:
    for kind in (User, Member):
        try:
            kind.parse(raw)
        except InvalidInteraction as error:
            assert kind.__name__ in str(error)


@given(JSON)
def test_resolved_objects_raise_nothing_else(raw: Any) -> None:
    data = command("x")
    data["data"]["resolved"] = raw
    try:
        resolved = parsed(data).resolved
        for name in ("user", "member", "role", "channel", "attachment", "message"):
            getattr(resolved, name)(1)
    except InvalidInteraction:
        pass


@given(st.integers(0, 2**64 - 1))
def test_every_snowflake_is_read(number: int) -> None:
    assert snowflake(str(number)) == number


def test_an_error_names_the_field_and_never_its_value() -> None:
    with pytest.raises(InvalidInteraction, match=r"User\.username") as caught:
        User.parse({"id": "1", "username": ["secret-value"]})
    assert "secret-value" not in str(caught.value)
