from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from app.interactions.context import Autocomplete, Call
from app.interactions.declare import (
    autocomplete,
    group,
    message_command,
    slash,
    user_command,
)
from app.interactions.errors import InvalidInteraction
from app.interactions.options import Mentionable, Option
from app.interactions.payloads import (
    Attachment,
    Channel,
    ChannelType,
    InteractionType,
    Member,
    Message,
    Role,
    User,
)
from app.interactions.permissions import Level, Permission
from app.interactions.replies import Choice, Reply
from app.locale.text import t
from tests.fixtures.interactions import (
    APPLICATION,
    Bot,
    command,
    message,
    parsed,
    payload,
    user,
)


class Greeting:
    def __init__(self, word: str) -> None:
        self.word = word


class Colour(Enum):
    RED = "r"
    GREEN = "g"


@slash("greet", "Greet somebody")
async def greet(
    call: Call,
    name: Annotated[str, Option("Whom", max_length=10)],
    times: Annotated[int, Option("How often", min_value=1, max_value=3)] = 1,
    *,
    greeting: Greeting,
) -> Reply:
    return Reply.public(" ".join([f"{greeting.word} {name}!"] * times))


@slash("say", "Say something")
async def say(call: Call, what: Annotated[str | None, Option("What")] = None) -> Reply:
    return Reply.public(repr(what))


@slash("paint", "Paint")
async def paint(
    call: Call,
    colour: Annotated[Colour | None, Option("Which")] = None,
    size: Annotated[Literal[1, 2], Option("How big")] = 1,
    strength: Annotated[float, Option("How strong", min_value=0, max_value=1)] = 0.5,
    loud: Annotated[bool, Option("Loud?")] = False,
) -> Reply:
    return Reply.private(f"{colour} {size!r} {strength!r} {loud!r}")


@slash("point", "Point at things")
async def point(
    call: Call,
    who: Annotated[Member | None, Option("A member")] = None,
    anyone: Annotated[User | None, Option("A user")] = None,
    role: Annotated[Role | None, Option("A role")] = None,
    where: Annotated[Channel | None, Option("A channel", channel_types=[ChannelType.GUILD_TEXT])] = None,
    whom: Annotated[Mentionable | None, Option("Someone")] = None,
    file: Annotated[Attachment | None, Option("A file")] = None,
) -> Reply:
    shown = [one.mention for one in (who, anyone, role, where, whom) if one is not None]
    return Reply.private(" ".join([*shown, *([file.filename] if file else [])]) or "nothing")


role = group("role", "Roles", permission=Level.ADMIN)


@role.slash("add", "Add a role")
async def add(call: Call, which: Annotated[str, Option("Which")]) -> Reply:
    return Reply.private(f"{call.command}: {which}")


menu = role.group("menu", "Menus")


@menu.slash("show", "Show a menu", permission=Permission.MANAGE_ROLES)
async def show(call: Call) -> Reply:
    return Reply.private(call.command)


@user_command("Show record")
async def record(call: Call, target: Member) -> Reply:
    return Reply.private(target.display_name)


@user_command("Avatar")
async def avatar(call: Call, target: User | Member) -> Reply:
    return Reply.private(type(target).__name__)


@message_command("Report")
async def report(call: Call, target: Message) -> Reply:
    return Reply.private(target.content)


@autocomplete
async def cities(typing: Autocomplete, *, greeting: Greeting) -> Reply:
    if typing.typed == "boom":
        raise RuntimeError("boom")
    assert typing.option == "city"
    return Reply.choices(
        [Choice(t("Somewhere"), "x"), f"{typing.typed}-{typing.options.get('country')}", "z" * 100]
    )


@slash("travel", "Travel")
async def travel(
    call: Call,
    country: Annotated[str, Option("Where")],
    city: Annotated[str, Option("Where exactly", autocomplete=cities)],
) -> Reply:
    return Reply.private(city)


COMMANDS = (greet, say, paint, point, add, show, record, avatar, report, travel)


def bot(**options: Any) -> Bot:
    return Bot(*COMMANDS, services={Greeting: Greeting("Hello")}, **options)


def text(answer: dict[str, Any]) -> str:
    found: str = answer["data"]["content"]
    return found


async def test_ping_is_answered_with_pong(assert_discord_valid: Any) -> None:
    raw = {"type": 1, "application_id": str(APPLICATION)}
    answer = await bot().send(raw)
    assert answer == {"type": 1}
    assert_discord_valid("create_interaction_response", answer)


async def test_options_and_services_reach_the_handler(assert_discord_valid: Any) -> None:
    answer = await bot().send(command("greet", {"name": "Kim", "times": 2}))
    assert answer["type"] == 4
    assert text(answer) == "Hello Kim! Hello Kim!"
    assert answer["data"]["allowed_mentions"] == {"parse": []}, "nobody is pinged"
    assert_discord_valid("create_interaction_response", answer)


async def test_left_out_options_take_their_default() -> None:
    assert text(await bot().send(command("greet", {"name": "Kim"}))) == "Hello Kim!"
    assert text(await bot().send(command("paint"))) == "None 1 0.5 False"


async def test_spaces_around_a_text_are_no_content() -> None:
    assert text(await bot().send(command("greet", {"name": "  Kim  Lee  "}))) == "Hello Kim  Lee!"
    assert text(await bot().send(command("say", {"what": "   "}))) == "None"
    assert text(await bot().send(command("say", {"what": " a "}))) == "'a'"


async def test_choices_become_members() -> None:
    raw = command("paint", {"colour": "g", "size": 2, "strength": 1, "loud": True}, types={"strength": 10})
    assert text(await bot().send(raw)) == "Colour.GREEN 2 1.0 True"


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        ("greet", {"name": "x" * 11}, "`name` must have at most 10 characters."),
        ("greet", {"name": "x", "times": 4}, "`times` must be between 1 and 3."),
        ("greet", {"name": "x", "times": 0}, "`times` must be between 1 and 3."),
        ("greet", {"times": 1}, "`name` is missing."),
        ("greet", {"name": " \n\u3000"}, "`name` is empty."),
        ("greet", {"name": ""}, "`name` is empty."),
        ("greet", {"name": "a\0b"}, "`name` holds a character that cannot be used."),
        ("paint", {"colour": "RED"}, "`colour` must be one of the offered choices."),
        ("paint", {"size": 3}, "`size` must be one of the offered choices."),
        ("paint", {"strength": 1.5}, "`strength` must be between 0 and 1."),
    ],
)
async def test_values_that_the_client_let_through_are_refused(
    path: str, options: dict[str, Any], says: str
) -> None:
    response = await bot().respond(command(path, options))
    assert response.ephemeral
    assert text(await bot().send(command(path, options))).startswith(says)


@pytest.mark.parametrize(
    "options",
    [{"name": 1}, {"name": "x", "times": "1"}, {"name": "x", "times": 1.5}, {"name": "x", "times": True}],
)
async def test_values_of_another_type_are_no_interaction(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInteraction):
        await bot().send(command("greet", options))


async def test_an_option_of_an_older_release_is_ignored() -> None:
    assert text(await bot().send(command("greet", {"name": "Kim", "mood": "fine"}))) == "Hello Kim!"


RESOLVED = {
    "users": {"5": user(5, "kim"), "6": user(6, "gone")},
    "members": {"5": {"nick": "K", "roles": [], "permissions": "0"}},
    "roles": {"7": {"id": "7", "name": "DJ", "position": 2}},
    "channels": {"8": {"id": "8", "type": 0, "name": "general"}, "9": {"id": "9", "type": 2}},
    "attachments": {"10": {"id": "10", "filename": "a.png", "size": 3, "url": "https://cdn.example/a.png"}},
}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"who": "5"}, "<@5>"),
        ({"who": "6"}, "<@6> is not a member of this server."),
        ({"anyone": "6", "role": "7", "where": "8"}, "<@6> <@&7> <#8>"),
        ({"whom": "7"}, "<@&7>"),
        ({"whom": "5"}, "<@5>"),
        ({"where": "9"}, "`where` cannot be that kind of channel."),
        ({"role": "99"}, "What you chose for `role` was not found."),
        ({"file": "10"}, "a.png"),
    ],
)
async def test_ids_are_resolved(options: dict[str, str], says: str) -> None:
    assert text(await bot().send(command("point", options, resolved=RESOLVED))) == says


@pytest.mark.parametrize("path", ["gone", "role", "role gone", "role menu", "role menu gone"])
async def test_a_command_of_another_release_gets_a_friendly_answer(path: str) -> None:
    assert "I do not know this command" in text(await bot().send(command(path)))


@pytest.mark.parametrize("options", [{}, "x", [1], [{"type": 1}], [{"name": 5}], [{"name": []}]])
async def test_options_of_another_shape_are_no_interaction(options: Any) -> None:
    for name in ("greet", "role"):
        with pytest.raises(InvalidInteraction):
            await bot().send(payload(2, {"name": name, "type": 1, "options": options or {"a": 1}}))


async def test_context_menus_get_their_target() -> None:
    def run(name: str, kind: int, target: str) -> dict[str, Any]:
        resolved = RESOLVED | {"messages": {"11": message(content="hello") | {"id": "11"}}}
        return payload(2, {"id": "1", "name": name, "type": kind, "target_id": target, "resolved": resolved})

    assert text(await bot().send(run("Show record", 2, "5"))) == "K"
    assert text(await bot().send(run("Show record", 2, "6"))) == "<@6> is not a member of this server."
    assert text(await bot().send(run("Avatar", 2, "5"))) == "Member"
    assert text(await bot().send(run("Avatar", 2, "6"))) == "User"
    assert text(await bot().send(run("Report", 3, "11"))) == "hello"
    assert "do not know" in text(await bot().send(run("Report", 2, "11")))
    with pytest.raises(InvalidInteraction):
        await bot().send(run("Report", 3, "12"))


async def test_autocomplete_offers_choices(assert_discord_valid: Any) -> None:
    raw = command("travel", {"country": "fr", "city": "par"}, focused="city")
    answer = await bot().send(raw)
    assert answer["type"] == 8
    names = [choice["name"] for choice in answer["data"]["choices"]]
    assert names == ["Somewhere", "par-fr", "z" * 100]
    assert_discord_valid("ApplicationCommandAutocompleteCallbackRequest", answer)
    route = bot().dispatcher.route(parsed(raw))
    assert not route.counted, "keystrokes do not use up the command's limit"
    assert route.defer is None


async def test_autocomplete_that_fails_or_is_unknown_offers_nothing() -> None:
    for raw in (
        command("travel", {"city": "boom"}, focused="city"),
        command("travel", {"country": "boom"}, focused="country"),
        command("gone", {"country": "boom"}, focused="country"),
    ):
        assert await bot().send(raw) == {"type": 8, "data": {"choices": []}}


def test_routes_tell_the_limits_what_they_need() -> None:
    dispatcher = bot().dispatcher
    route = dispatcher.route(parsed(command("role menu show")))
    assert (route.kind, route.name) == (InteractionType.APPLICATION_COMMAND, "role menu show")
    assert route.counted
    assert dispatcher.route(parsed(command("what-people-typed"))).name == "unknown"
