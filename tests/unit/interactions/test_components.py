"""Builders of components and embeds against Discord's own schema, and each limit on its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.interactions.components import (
    ActionRow,
    Button,
    ChannelSelect,
    LinkButton,
    PremiumButton,
    SelectOption,
    StringSelect,
    UserSelect,
)
from app.interactions.embeds import Embed, Field
from app.interactions.errors import PayloadError
from app.interactions.layout import (
    Container,
    File,
    GalleryItem,
    MediaGallery,
    Section,
    TextDisplay,
    Thumbnail,
)
from app.interactions.messages import message_body
from app.interactions.rendering import Rendering
from app.locale.text import t
from app.snowflake import UserId
from tests.unit.interactions import strategies as some
from tests.unit.interactions.strategies import PLAIN, target

once = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
Check = Callable[[str, Any], None]


@once
@given(st.lists(some.rows, max_size=5), st.lists(some.embeds, max_size=3), some.texts(60))
def test_classic_messages_are_valid(
    assert_discord_valid: Check, rows: list[Any], embeds: list[Embed], content: Any
) -> None:
    body = message_body(PLAIN, content, rows, embeds)
    assert_discord_valid("MessageCreateRequest", body)
    assert_discord_valid(
        "MessageEditRequestPartial", message_body(PLAIN, content, rows, embeds, complete=True)
    )


@once
@given(st.lists(some.v2_components, min_size=1, max_size=4))
def test_components_v2_messages_are_valid_or_refused_for_their_size(
    assert_discord_valid: Check, components: list[Any]
) -> None:
    try:
        body = message_body(PLAIN, None, components, [])
    except PayloadError as error:
        assert "Discord allows" in str(error)
        return
    assert_discord_valid("MessageCreateRequest", body)
    assert_discord_valid("create_interaction_response", {"type": 4, "data": body})


@once
@given(st.lists(some.buttons | some.selects(), max_size=4))
def test_loose_buttons_and_selects_are_put_into_rows(assert_discord_valid: Check, loose: list[Any]) -> None:
    assert_discord_valid("MessageCreateRequest", message_body(PLAIN, "x", loose, []))


def button(label: str = "x") -> Button:
    return Button(target(), label)


def option(value: str) -> SelectOption:
    return SelectOption("x", value)


SAME = target()

TOO_MUCH: list[tuple[str, Callable[[], Any]]] = [
    ("button label has 81 characters; Discord allows 1-80", lambda: button("x" * 81)),
    ("button label has 0 characters", lambda: button("")),
    ("needs a label or an emoji", lambda: Button(target())),
    ("emoji ':smile:'", lambda: Button(target(), emoji=":smile:")),
    ("url has 513 characters; Discord allows 1-512", lambda: LinkButton("https://" + "x" * 505, "x")),
    ("must be an address", lambda: LinkButton("javascript:alert(1)", "x")),
    ("6 buttons in a row; Discord allows 1-5", lambda: ActionRow(*[button() for _ in range(6)])),
    ("0 buttons in a row", ActionRow),
    ("exactly one select", lambda: ActionRow(button(), UserSelect(target()))),
    ("exactly one select", lambda: ActionRow(UserSelect(target()), UserSelect(target()))),
    ("0 options in a select; Discord allows 1-25", lambda: StringSelect(target())),
    ("26 options", lambda: StringSelect(target(), options=[option(str(n)) for n in range(26)])),
    ("have the same value", lambda: StringSelect(target(), options=[option("a"), option("a")])),
    ("label has 101", lambda: StringSelect(target(), options=[SelectOption("x" * 101, "a")])),
    ("value has 101", lambda: option("x" * 101)),
    ("description has 101", lambda: StringSelect(target(), options=[SelectOption("x", "a", "x" * 101)])),
    ("placeholder has 151 characters; Discord allows 1-150", lambda: UserSelect(target(), "x" * 151)),
    ("max_values is 26; Discord allows 1-25", lambda: UserSelect(target(), max_values=26)),
    ("min_values is -1", lambda: UserSelect(target(), min_values=-1)),
    ("min_values 3 is above max_values 2", lambda: UserSelect(target(), min_values=3, max_values=2)),
    ("2 default values", lambda: UserSelect(target(), defaults=(UserId(1), UserId(2)))),
    (
        "1 options cannot ask for 2",
        lambda: StringSelect(target(), min_values=2, max_values=2, options=[option("a")]),
    ),
    ("text display has 4001", lambda: TextDisplay("x" * 4001)),
    ("4 texts in a section; Discord allows 1-3", lambda: Section("a", "b", "c", "d", accessory=button())),
    ("11 items in a gallery", lambda: MediaGallery(*[GalleryItem("https://x.org")] * 11)),
    ("alternative text has 1025", lambda: Section("a", accessory=Thumbnail("https://x.org", "x" * 1025))),
    ("must be an address", lambda: Thumbnail("file:///etc/passwd")),
    ("must be an address", lambda: File("two words.png")),
    ("colour is 16777216", lambda: Container(TextDisplay("x"), colour=0x1000000)),
    ("cannot hold a Button", lambda: Container(button())),  # type: ignore[arg-type]
    ("title has 257 characters; Discord allows 1-256", lambda: Embed(title="x" * 257)),
    ("description has 4097", lambda: Embed(description="x" * 4097)),
    ("26 fields", lambda: Embed(fields=[Field("a", "b")] * 26)),
    ("field's name has 257", lambda: Embed(fields=[Field("x" * 257, "b")])),
    ("field's value has 1025", lambda: Embed(fields=[Field("a", "x" * 1025)])),
    ("field's value has 0", lambda: Embed(fields=[Field("a", "  ")])),
    ("footer has 2049", lambda: Embed(footer="x" * 2049)),
    ("author's name has 257", lambda: Embed(author="x" * 257)),
    ("author needs a name", lambda: Embed(title="x", author_url="https://x.org")),
    ("time zone", lambda: Embed(title="x", timestamp=datetime(2028, 1, 1))),
    ("an embed is empty", Embed),
]


@pytest.mark.parametrize(("rule", "build"), TOO_MUCH, ids=[rule for rule, _ in TOO_MUCH])
def test_limits_are_enforced_by_name(rule: str, build: Callable[[], Any]) -> None:
    with pytest.raises(PayloadError) as caught:
        build().render(PLAIN)
    assert rule in str(caught.value)


WHOLE: list[tuple[str, tuple[Any, list[Any], list[Any]]]] = [
    ("message has 2001 characters", ("x" * 2001, [], [])),
    ("the message is empty", (None, [], [])),
    ("6 rows", ("x", [ActionRow(button()) for _ in range(6)], [])),
    ("11 embeds", ("x", [], [Embed(title="x")] * 11)),
    ("6001 characters together", (None, [], [Embed(description="x" * 4000), Embed(description="y" * 2001)])),
    ("same custom id", ("x", [Button(SAME, "a"), Button(SAME, "b")], [])),
    ("cannot hold embeds", (None, [TextDisplay("x")], [Embed(title="x")])),
    ("41 components", (None, [Container(*[TextDisplay("x")] * 39), TextDisplay("y")], [])),
    ("4001", (None, [TextDisplay("x" * 4000), TextDisplay("y")], [])),
]


@pytest.mark.parametrize(("rule", "parts"), WHOLE, ids=[rule for rule, _ in WHOLE])
def test_limits_of_a_whole_message_are_enforced(rule: str, parts: tuple[Any, list[Any], list[Any]]) -> None:
    with pytest.raises(PayloadError) as caught:
        message_body(PLAIN, *parts)
    assert rule in str(caught.value)


def test_limits_hold_for_the_translation() -> None:
    """German is longer: it is the translated text that Discord counts."""
    longer = Rendering("de", lambda text, _locale: str(text) * 3, some.sign)
    with pytest.raises(PayloadError, match="90 characters"):
        Button(target(), t("x" * 30)).render(longer)


def test_premium_buttons_carry_nothing_else() -> None:
    assert PremiumButton(7).render(PLAIN) == {"type": 2, "style": 6, "sku_id": "7"}


def test_channel_types_are_sent_once() -> None:
    from app.interactions.payloads import ChannelType

    select = ChannelSelect(target(), channel_types=(ChannelType.GUILD_TEXT, ChannelType.GUILD_TEXT))
    assert select.render(PLAIN)["channel_types"] == [0]
