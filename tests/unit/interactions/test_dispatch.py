from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from app.errors import DatabaseUnavailable, MissingPermissions, UserError
from app.interactions.components import Button
from app.interactions.context import Autocomplete, Call, Click
from app.interactions.custom_id import Bound, CustomIds
from app.interactions.declare import (
    Defer,
    autocomplete,
    button,
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
from app.interactions.permissions import Level, Permission, RoleGrant
from app.interactions.replies import Choice, JobCall, Reply
from app.keyring import Keyring
from app.locale.text import t
from app.snowflake import GuildId, RoleId, UserId
from tests.fixtures.interactions import (
    APPLICATION,
    GUILD,
    NOW,
    USER,
    Bot,
    command,
    member,
    message,
    parsed,
    payload,
    press,
    user,
)

EPHEMERAL = 64


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


@slash("break", "Fail in some way")
async def fail(call: Call, how: Annotated[str, Option("How")]) -> Reply:
    match how:
        case "user":
            raise UserError(t("{name} is not here.", name="Kim"))
        case "guild":
            return Reply.private(str(call.guild))
        case "database":
            raise DatabaseUnavailable("secret host name")
        case "discord":
            raise MissingPermissions
        case "long":
            return Reply.private("x" * 2001)
        case "update":
            return Reply.update("x")
        case _:
            raise RuntimeError("secret text of a person")


@slash("export", "A long job", defer=Defer.PUBLIC)
async def export(call: Call) -> Reply:
    return Reply.defer(JobCall("export", {"user": call.user.id}))


@slash("grant", "Only DJs", permission=RoleGrant("dj"), flag="music")
async def grant(call: Call) -> Reply:
    return Reply.private("music")


@button("case.undo", bound=Bound.USER, ttl=timedelta(hours=1))
async def undo(click: Click, case: int) -> Reply:
    return Reply.update(f"case {case} undone by {click.user.id}")


@button("once", single_use=True)
async def once(click: Click) -> Reply:
    return Reply.private("used")


@button("case.review", bound=Bound.MODERATORS)
async def review(click: Click) -> Reply:
    return Reply.nothing()


@button("pick")
async def pick(click: Click) -> Reply:
    return Reply.private(" ".join(click.values))


COMMANDS = (greet, paint, point, add, show, record, avatar, report, travel, fail, export, grant)
COMPONENTS = (undo, once, review, pick)


def bot(**options: Any) -> Bot:
    services = {Greeting: Greeting("Hello")}
    return Bot(*COMMANDS, *COMPONENTS, services=services, **options)


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


async def test_sub_commands_are_found_and_guarded() -> None:
    admin, moderator = member(permissions=1 << 5), member(permissions=1 << 28)
    assert text(await bot().send(command("role add", {"which": "x"}, by=admin))) == "role add: x"
    assert text(await bot().send(command("role menu show", by=moderator))) == "role menu show"
    refused = await bot().send(command("role add", {"which": "x"}, by=moderator))
    assert text(refused) == "Only admins of this server can do this."
    assert refused["data"]["flags"] == EPHEMERAL
    refused = await bot().send(command("role menu show", by=member()))
    assert text(refused) == "You lack a permission that this needs."


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


class Roles:
    def __init__(self, granted: dict[str, set[int]], owner: int = 0) -> None:
        self._granted, self._owner = granted, owner

    async def granted(self, guild: GuildId, grant: str) -> frozenset[RoleId]:
        assert guild == GUILD
        return frozenset(RoleId(role) for role in self._granted.get(grant, ()))

    async def owner(self, guild: GuildId) -> UserId | None:
        return UserId(self._owner)


class Flags:
    def __init__(self, on: bool) -> None:
        self._on = on

    async def enabled(self, guild: GuildId | None, flag: str) -> bool:
        assert flag == "music"
        return self._on


async def test_roles_that_the_guild_granted_open_a_command() -> None:
    roles = Roles({"dj": {7}, "admin": {8}, "moderator": {9}}, owner=42)

    async def run(path: str, by: dict[str, Any]) -> str:
        options = {"which": "x"} if path == "role add" else None
        return text(await bot(roles=roles).send(command(path, options, by=by)))

    assert await run("grant", member(roles=(7,))) == "music"
    assert await run("grant", member(roles=(8,))) == "music"
    assert await run("grant", member(42)) == "music"
    assert "the right role" in await run("grant", member(roles=(9,)))
    assert await run("role add", member(roles=(8,))) == "role add: x"
    assert "Only admins" in await run("role add", member(roles=(7, 9)))


async def test_a_feature_that_is_off_says_so() -> None:
    raw = command("grant", by=member(permissions=8))
    assert text(await bot(flags=Flags(on=True)).send(raw)) == "music"
    assert text(await bot(flags=Flags(on=False)).send(raw)) == "This feature is switched off in this server."


async def test_a_guarded_command_in_a_direct_message_is_refused() -> None:
    assert text(await bot().send(command("grant", guild=None))) == "This only works in a server."
    assert (
        text(await bot().send(command("break", {"how": "guild"}, guild=None)))
        == "This only works in a server."
    )


async def test_a_user_error_is_shown_and_not_logged(
    assert_discord_valid: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await bot().send(command("break", {"how": "user"}))
    assert text(answer) == "Kim is not here."
    assert answer["data"]["flags"] == EPHEMERAL
    assert caplog.records == []
    assert_discord_valid("create_interaction_response", answer)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("crash", "Something went wrong"),
        ("database", "E004"),
        ("discord", "E006"),
        ("long", "went wrong"),
        ("update", "went wrong"),
    ],
)
async def test_a_fault_of_ours_gets_an_incident_id_that_is_in_the_log(
    how: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await bot().send(command("break", {"how": how}))
    (entry,) = caplog.records
    assert entry.levelname == "ERROR"
    assert vars(entry)["route"] == "break"
    assert f"`{vars(entry)['incident']}`" in text(answer)
    assert says in text(answer)
    assert "secret" not in text(answer)
    assert answer["data"]["flags"] == EPHEMERAL


async def test_a_long_job_is_handed_to_the_edge_and_deferred() -> None:
    response = await bot().respond(command("export"))
    assert response.body == b'{"type":5}'
    assert response.deferral == JobCall("export", {"user": USER})
    assert not response.ephemeral


def test_routes_tell_the_limits_what_they_need() -> None:
    dispatcher = bot().dispatcher
    route = dispatcher.route(parsed(command("role menu show")))
    assert (route.kind, route.name) == (InteractionType.APPLICATION_COMMAND, "role menu show")
    assert route.counted
    assert dispatcher.route(parsed(command("what-people-typed"))).name == "unknown"


class Pressing:
    """Makes buttons' ids as a rendered reply would."""

    def __init__(self, made: Bot) -> None:
        self.bot = made

    def id(self, component: Any, *, guild: int | None = GUILD, owner: int = USER, **arguments: Any) -> str:
        place = None if guild is None else GuildId(guild)
        return self.bot.custom_ids.sign(component.to(**arguments), guild=place, user=UserId(owner))


@pytest.fixture
def pressing() -> Pressing:
    return Pressing(bot())


async def test_a_button_carries_its_arguments(pressing: Pressing, assert_discord_valid: Any) -> None:
    answer = await pressing.bot.send(press(pressing.id(undo, case=7)))
    assert answer["type"] == 7
    assert text(answer) == f"case 7 undone by {USER}"
    assert answer["data"]["components"] == [], "an update replaces the whole message"
    assert_discord_valid("create_interaction_response", answer)


async def test_a_select_gives_its_values(pressing: Pressing) -> None:
    assert text(await pressing.bot.send(press(pressing.id(pick), values=["a", "b"]))) == "a b"


async def test_another_person_is_refused_and_the_button_stays(pressing: Pressing) -> None:
    raw = press(pressing.id(undo, case=7), by=member(5))
    response = await pressing.bot.respond(raw)
    assert response.ephemeral
    assert b"is for <@" in response.body
    assert response.disable is None


async def test_an_expired_button_says_so_and_is_disabled(pressing: Pressing) -> None:
    custom_id, other = pressing.id(undo, case=7), pressing.id(pick)
    row = {
        "type": 1,
        "components": [{"type": 2, "style": 2, "label": "x", "custom_id": i} for i in (custom_id, other)],
    }
    pressing.bot.now += timedelta(hours=2)
    response = await pressing.bot.respond(press(custom_id, on=message([row])))
    assert response.ephemeral
    assert b"expired" in response.body
    assert response.disable is not None
    assert [part.get("disabled", False) for part in response.disable.components[0]["components"]] == [
        True,
        False,
    ]
    assert response.disable.channel_id
    assert response.disable.message_id


@pytest.mark.parametrize("custom_id", ["", "x", "vote:yes", "1" + "A" * 99, "é" * 20, "1aa" + "=" * 40])
async def test_an_id_that_we_did_not_make_is_refused_and_disabled(
    pressing: Pressing, custom_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await pressing.bot.respond(press(custom_id))
    assert b"not made by me" in response.body
    assert response.ephemeral
    assert response.disable is not None
    assert caplog.records == []


async def test_an_id_of_a_retired_key_is_refused(pressing: Pressing) -> None:
    custom_id = pressing.id(pick)
    later = bot(custom_ids=CustomIds(Keyring.parse("k2:" + "22" * 32), APPLICATION, lambda: NOW))
    response = await later.respond(press(custom_id))
    assert b"not made by me" in response.body
    assert response.disable is not None


async def test_an_id_of_an_older_release_says_so() -> None:
    custom_id = Pressing(bot()).id(pick)
    response = await Bot(greet, services={Greeting: Greeting("x")}).respond(press(custom_id))
    assert b"another version" in response.body
    assert response.disable is not None


async def test_a_single_use_button_works_once(pressing: Pressing) -> None:
    custom_id = pressing.id(once)
    assert text(await pressing.bot.send(press(custom_id))) == "used"
    response = await pressing.bot.respond(press(custom_id))
    assert b"only once" in response.body
    assert response.disable is not None


async def test_moderator_buttons_ask_for_moderators(pressing: Pressing) -> None:
    custom_id = pressing.id(review)
    assert await pressing.bot.send(press(custom_id, by=member(permissions=1 << 40))) == {"type": 6}
    assert "for moderators only" in text(await pressing.bot.send(press(custom_id)))
    roles = Roles({"moderator": {9}})
    granted = Pressing(bot(roles=roles))
    assert await granted.bot.send(press(granted.id(review), by=member(roles=(9,)))) == {"type": 6}


async def test_a_button_of_another_server_is_foreign(pressing: Pressing) -> None:
    response = await pressing.bot.respond(press(pressing.id(pick, guild=5)))
    assert b"another server" in response.body
    assert response.disable is None


async def test_an_ephemeral_message_is_not_edited(pressing: Pressing) -> None:
    row = {"type": 1, "components": [{"type": 2, "style": 2, "label": "x", "custom_id": "x"}]}
    assert (await pressing.bot.respond(press("x", on=message([row], flags=EPHEMERAL)))).disable is None


async def test_a_button_id_in_a_form_is_forged(pressing: Pressing) -> None:
    raw = payload(5, {"custom_id": pressing.id(pick), "components": []}, message=message())
    assert "not made by me" in text(await pressing.bot.send(raw))


async def test_dead_ids_are_found_in_sections_too(pressing: Pressing) -> None:
    accessory = {"type": 2, "style": 2, "label": "x", "custom_id": "dead"}
    container = {
        "type": 17,
        "components": [{"type": 9, "components": [{"type": 10, "content": "x"}], "accessory": accessory}],
    }
    response = await pressing.bot.respond(press("dead", on=message([container], flags=32768)))
    assert response.disable is not None
    assert response.disable.components[0]["components"][0]["accessory"]["disabled"] is True
    assert "disabled" not in accessory, "the payload is left as it was"


async def test_replies_sign_buttons_for_whom_they_answer() -> None:
    @slash("ask", "Ask")
    async def ask(call: Call) -> Reply:
        return Reply.private("Sure?", Button(undo.to(case=3), "Undo"))

    made = Bot(ask, undo)
    answer = await made.send(command("ask"))
    custom_id = answer["data"]["components"][0]["components"][0]["custom_id"]
    assert text(await made.send(press(custom_id))) == f"case 3 undone by {USER}"
    assert "is for" in text(await made.send(press(custom_id, by=member(5))))
