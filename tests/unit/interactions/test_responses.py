"""Replies as Discord's JSON: every kind validates against Discord's own document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app.interactions.components import ActionRow, Button, LinkButton, SelectOption, StringSelect
from app.interactions.context import Click
from app.interactions.declarations import Defer
from app.interactions.declare import button
from app.interactions.embeds import Embed
from app.interactions.errors import PayloadError
from app.interactions.interaction import Interaction
from app.interactions.layout import Container, Section, Separator, TextDisplay, Thumbnail
from app.interactions.replies import Choice, JobCall, Mentions, Reply
from app.interactions.responses import Response
from app.locale.text import t
from tests.fixtures.interactions import Bot, command, message, parsed, press

Check = Callable[[str, Any], None]


@button("go")
async def go(click: Click, step: int) -> Reply:
    return Reply.nothing()


BOT = Bot(go)
COMMAND = parsed(command("x"))
PRESS = parsed(press("x"))
PRESS_V2 = parsed(press("x", on=message(flags=32768)))
TYPING = parsed(command("x", {"a": "b"}, focused="a"))


def respond(
    reply: Reply, interaction: Interaction = COMMAND, defer: Defer | None = Defer.PRIVATE
) -> Response:
    renderer = BOT.dispatcher.renderer
    return renderer.respond(reply, renderer.audience(interaction), interaction, defer)


def rendered(reply: Reply, interaction: Interaction = COMMAND) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(respond(reply, interaction).body)
    return answer


def go_button(step: int = 1) -> Button:
    return Button(go.to(step=step), "Go")


V2 = Container(
    Section("## Poll", accessory=Thumbnail("https://cdn.example/x.png")), Separator(), ActionRow(go_button())
)

REPLIES: dict[str, tuple[Reply, Interaction]] = {
    "text": (Reply.private("hi"), COMMAND),
    "public": (Reply.public(t("Hello {name}", name="Kim")), COMMAND),
    "pinging": (Reply.public("<@1> <@&2>", mentions=Mentions(users=(1,), roles=(2,))), COMMAND),
    "pinging all users": (Reply.public("<@1>", mentions=Mentions(users=True)), COMMAND),
    "embeds": (Reply.private(embeds=[Embed(title="A"), Embed(description=t("B"))]), COMMAND),
    "without link previews": (Reply.public("https://example.org", suppress_embeds=True), COMMAND),
    "buttons": (
        Reply.private("?", *(go_button(n) for n in range(7)), LinkButton("https://example.org", "x")),
        COMMAND,
    ),
    "select": (Reply.private(None, StringSelect(go.to(step=1), options=[SelectOption("a", "a")])), PRESS),
    "v2": (Reply.public(None, V2), COMMAND),
    "v2 with content": (Reply.private("first", V2), PRESS),
    "update": (Reply.update("new", go_button(), embeds=[Embed(title="x")]), PRESS),
    "update without components": (Reply.update("new"), PRESS),
    "update to v2": (Reply.update(None, V2), PRESS),
    "update of v2": (Reply.update(None, V2), PRESS_V2),
    "plain update of v2": (Reply.update("new", go_button()), PRESS_V2),
    "nothing": (Reply.nothing(), PRESS),
    "choices": (Reply.choices([Choice(t("One"), "1"), "two"]), TYPING),
    "number choices": (Reply.choices([Choice("One", 1), Choice("two", 2.5)]), TYPING),
    "no choices": (Reply.choices([]), TYPING),
    "job": (Reply.defer(JobCall("x")), COMMAND),
}


@pytest.mark.parametrize("case", REPLIES)
def test_every_kind_of_reply_is_valid(case: str, assert_discord_valid: Check) -> None:
    assert_discord_valid("create_interaction_response", rendered(*REPLIES[case]))


def test_private_is_ephemeral_and_public_is_not() -> None:
    assert rendered(Reply.private("x"))["data"]["flags"] == 64
    assert "flags" not in rendered(Reply.public("x"))["data"]
    assert respond(Reply.private("x")).ephemeral
    assert not respond(Reply.public("x")).ephemeral


def test_loose_buttons_are_put_into_rows_of_five() -> None:
    rows = rendered(
        Reply.private(
            "x",
            *(go_button(n) for n in range(7)),
            StringSelect(go.to(step=9), options=[SelectOption("a", "a")]),
            go_button(8),
        )
    )
    assert [len(row["components"]) for row in rows["data"]["components"]] == [5, 2, 1, 1]


def test_text_beside_v2_becomes_the_first_text() -> None:
    data = rendered(Reply.private("first", V2))["data"]
    assert data["components"][0] == {"type": 10, "content": "first"}
    assert data["flags"] == 64 | 32768
    assert "content" not in data


def test_an_update_clears_what_it_does_not_give() -> None:
    data = rendered(Reply.update("new"), PRESS)["data"]
    assert (data["content"], data["embeds"], data["components"]) == ("new", [], [])
    data = rendered(Reply.update(None, TextDisplay("x")), PRESS)["data"]
    assert (data["content"], data["embeds"], data["flags"]) == (None, [], 32768)


def test_a_plain_update_of_a_v2_message_stays_v2() -> None:
    data = rendered(Reply.update("new", go_button()), PRESS_V2)["data"]
    assert [part["type"] for part in data["components"]] == [10, 1]
    assert data["flags"] == 32768


def test_long_choices_are_cut_and_surplus_ones_dropped() -> None:
    choices = rendered(Reply.choices([Choice("n" * 120, "v"), *map(str, range(40))]), TYPING)["data"][
        "choices"
    ]
    assert len(choices) == 25
    assert choices[0]["name"] == "n" * 99 + "…"


@pytest.mark.parametrize(
    ("reply", "interaction", "says"),
    [
        (Reply.private(), COMMAND, "empty"),
        (Reply.private(""), COMMAND, "1-2000"),
        (Reply.private("x" * 2001), COMMAND, "2001 characters"),
        (Reply.private("x" * 2001, go_button()), COMMAND, "2001 characters"),
        (Reply.update("x"), COMMAND, "cannot be answered with UPDATE"),
        (Reply.nothing(), COMMAND, "cannot be answered"),
        (Reply.update("x"), parsed(command("x") | {"type": 5, "data": {"custom_id": "x"}}), "there is none"),
        (Reply.private("x"), TYPING, "cannot be answered with MESSAGE"),
        (Reply.choices([]), COMMAND, "cannot be answered"),
        (Reply.private("x", go_button(), go_button()), COMMAND, "same custom id"),
        (Reply.private("x", *(go_button(n) for n in range(26))), COMMAND, "Discord allows 0-5"),
        (Reply.private("x", embeds=[Embed(title="x")] * 11), COMMAND, "Discord allows 0-10"),
        (Reply.private(embeds=[Embed(description="x" * 4000)] * 2), COMMAND, "8000 characters together"),
        (Reply.private(None, V2, embeds=[Embed(title="x")]), COMMAND, "cannot hold embeds"),
        (Reply.private(None, *(TextDisplay("x") for _ in range(41))), COMMAND, "41 components"),
        (Reply.private(None, *(TextDisplay("x" * 3000) for _ in range(2))), COMMAND, "6000"),
        (Reply.choices([Choice("x", "v" * 101)]), TYPING, "1-100"),
    ],
)
def test_a_reply_that_breaks_a_limit_says_which(reply: Reply, interaction: Interaction, says: str) -> None:
    with pytest.raises(PayloadError, match=says):
        respond(reply, interaction)


def test_what_cannot_be_deferred_says_so() -> None:
    with pytest.raises(PayloadError, match="cannot be deferred"):
        respond(Reply.defer(JobCall("x")), TYPING, None)


@pytest.mark.parametrize("defer", Defer)
def test_deferrals_are_valid_and_set_only_ephemeral(defer: Defer, assert_discord_valid: Check) -> None:
    response = BOT.dispatcher.renderer.waiting(defer)
    assert_discord_valid("create_interaction_response", orjson.loads(response.body))
    assert response.ephemeral is (defer is Defer.PRIVATE)


@pytest.mark.parametrize(
    ("locale", "guild_locale", "chosen"),
    [
        ("de", "fr", "de"),
        ("th", "fr", "fr"),
        ("th", "fi", "en-US"),
        ("en-GB", "de", "en-US"),
        ("es-419", "de", "es-ES"),
    ],
)
def test_the_language_is_the_persons_then_the_guilds_then_english(
    locale: str, guild_locale: str, chosen: str
) -> None:
    interaction = parsed(command("x", locale=locale, guild_locale=guild_locale))
    assert BOT.dispatcher.renderer.audience(interaction).locale == chosen
