from __future__ import annotations

import gettext
from datetime import timedelta
from typing import Annotated, Any

import pytest

from app import __version__
from app.features.core.commands.about import about
from app.features.core.commands.help import PAGE, show_help, turn_page
from app.features.core.commands.ping import ping
from app.interactions.context import Call
from app.interactions.declare import Cooldown, message_command, slash
from app.interactions.options import Option
from app.interactions.payloads import Message
from app.interactions.permissions import Level
from app.interactions.replies import Reply
from app.locale.catalogue import Catalogue
from tests.fixtures.interactions import NOW, Bot, command, member, message, press, snowflake_at

CORE = (ping, about, show_help, turn_page)


@slash("warn", "Warn a member", permission=Level.MODERATOR, cooldown=Cooldown(3, 60))
async def warn(
    call: Call,
    member: Annotated[str, Option("Who is warned")],
    reason: Annotated[str | None, Option("What for")] = None,
) -> Reply:
    return Reply.private("x")


@slash("play", "Play music", flag="music")
async def play(call: Call) -> Reply:
    return Reply.private("x")


@message_command("Report")
async def report(call: Call, target: Message) -> Reply:
    return Reply.private("x")


def fillers(number: int) -> list[Any]:
    async def handler(call: Call) -> Reply:
        return Reply.private("x")

    return [slash(f"filler{n:02}", "Does nothing")(handler) for n in range(number)]


async def test_ping_tells_latency_and_version(assert_discord_valid: Any) -> None:
    answer = await Bot(*CORE).send(command("ping", key=snowflake_at(NOW - timedelta(milliseconds=1234))))
    assert answer["data"]["content"] == f"Pong! Discord reached me in 1,234 ms. I am version {__version__}."
    assert answer["data"]["flags"] == 64
    assert_discord_valid("create_interaction_response", answer)


async def test_a_clock_behind_discords_shows_no_negative_latency() -> None:
    answer = await Bot(*CORE).send(command("ping", key=snowflake_at(NOW + timedelta(seconds=5))))
    assert " 0 ms" in answer["data"]["content"]


@pytest.mark.parametrize("name", ["ping", "help", "about"])
@pytest.mark.parametrize("locale", ["en-US", "de", "fr", "es-ES", "pt-BR", "ja", "th"])
async def test_everything_works_in_direct_messages_and_every_language(
    name: str, locale: str, assert_discord_valid: Any
) -> None:
    for guild in (None, 5):
        answer = await Bot(*CORE).send(command(name, guild=guild, locale=locale, guild_locale=locale))
        assert answer["type"] == 4
        assert_discord_valid("create_interaction_response", answer)


def listed(answer: dict[str, Any]) -> list[str]:
    return [field["name"] for field in answer["data"]["embeds"][0]["fields"]]


class Off:
    async def enabled(self, guild: Any, flag: str) -> bool:
        return False


async def test_help_lists_what_the_person_can_use() -> None:
    made = Bot(*CORE, warn, play, report)
    everyone = listed(await made.send(command("help")))
    assert everyone == ["/about", "/help", "/ping", "/play", "Report (in the menu of a message)"]
    assert "/warn" in listed(await made.send(command("help", by=member(permissions=1 << 40))))
    assert listed(await made.send(command("help", guild=None))) == ["/about", "/help", "/ping"]
    assert "/play" not in listed(await Bot(*CORE, play, flags=Off()).send(command("help")))


async def test_help_turns_pages_with_signed_buttons(assert_discord_valid: Any) -> None:
    made = Bot(*CORE, *fillers(2 * PAGE))
    first = await made.send(command("help"))
    assert_discord_valid("create_interaction_response", first)
    assert len(listed(first)) == PAGE
    assert first["data"]["embeds"][0]["footer"]["text"] == "Page 1 of 3"
    back, forward = first["data"]["components"][0]["components"]
    assert back["disabled"]
    assert "disabled" not in forward
    second = await made.send(press(forward["custom_id"], on=message(flags=64)))
    assert second["type"] == 7
    assert_discord_valid("create_interaction_response", second)
    third = await made.send(
        press(second["data"]["components"][0]["components"][1]["custom_id"], on=message())
    )
    assert third["data"]["components"][0]["components"][1]["disabled"]
    assert third["data"]["embeds"][0]["footer"]["text"] == "Page 3 of 3"
    names = listed(first) + listed(second) + listed(third)
    assert len(set(names)) == len(names) == 2 * PAGE + 3
    refused = await made.send(press(forward["custom_id"], by=member(5), on=message()))
    assert refused["data"]["flags"] == 64


async def test_a_page_that_is_gone_shows_the_last_one() -> None:
    made = Bot(*CORE)
    custom_id = made.custom_ids.sign(turn_page.to(page=200), guild=None, user=5)  # type: ignore[arg-type]
    answer = await made.send(press(custom_id, guild=None, by={"id": "5", "username": "x"}))
    assert "/ping" in listed(answer)


async def test_a_single_page_has_no_buttons() -> None:
    answer = await Bot(*CORE).send(command("help"))
    assert "components" not in answer["data"]


async def test_help_explains_a_command(assert_discord_valid: Any) -> None:
    answer = await Bot(*CORE, warn).send(
        command("help", {"command": "/Warn"}, by=member(permissions=1 << 40))
    )
    assert_discord_valid("create_interaction_response", answer)
    (embed,) = answer["data"]["embeds"]
    assert (embed["title"], embed["description"]) == ("/warn", "Warn a member")
    assert [(field["name"], field["value"]) for field in embed["fields"]] == [
        ("`member`", "Who is warned"),
        ("`reason`", "What for (may be left out)"),
        ("Who may use it", "Moderators"),
        ("How often", "3 times in 60 seconds"),
    ]


@pytest.mark.parametrize("name", ["warn", "nothing", "`x`"])
async def test_help_knows_no_command_that_the_person_cannot_use(name: str) -> None:
    answer = await Bot(*CORE, warn).send(command("help", {"command": name}))
    assert answer["data"]["content"].startswith("You have no command")


async def test_help_completes_names() -> None:
    made = Bot(*CORE, warn)
    answer = await made.send(command("help", {"command": "p"}, focused="command"))
    assert [one["value"] for one in answer["data"]["choices"]] == ["ping", "help"], (
        "what begins with it first"
    )
    everything = await made.send(command("help", {"command": ""}, focused="command"))
    assert [one["value"] for one in everything["data"]["choices"]] == ["about", "help", "ping"]


class German(gettext.NullTranslations):
    """Two texts in German, whatever the shipped catalogue says today."""

    def gettext(self, message: str) -> str:
        return {"Commands": "Befehle", "Check that I am there, and how fast": "Bin ich da?"}.get(
            message, message
        )

    def pgettext(self, context: str, message: str) -> str:
        return {("command", "ping"): "klopfen"}.get((context, message), message)


def german() -> Catalogue:
    catalogue = Catalogue(("en-US", "de"))
    catalogue._loaded["de"] = German()
    return catalogue


async def test_help_speaks_the_persons_language() -> None:
    made = Bot(*CORE, catalogue=german())
    answer = await made.send(command("help", locale="de"))
    (embed,) = answer["data"]["embeds"]
    assert embed["title"] == "Befehle"
    assert {"name": "/klopfen", "value": "Bin ich da?"} in embed["fields"]
    found = await made.send(command("help", {"command": "klopfen"}, locale="de"))
    assert found["data"]["embeds"][0]["title"] == "/klopfen"


async def test_the_servers_language_changes_texts_but_not_the_names_that_the_client_shows() -> None:
    made = Bot(*CORE, catalogue=german())
    answer = await made.send(command("help", locale="th", guild_locale="de"))
    (embed,) = answer["data"]["embeds"]
    assert embed["title"] == "Befehle"
    assert {"name": "/ping", "value": "Bin ich da?"} in embed["fields"]
