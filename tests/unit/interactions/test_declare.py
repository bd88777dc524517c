"""Each wrong declaration fails with a message that names the command and Discord's rule."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from app.interactions.context import Autocomplete, Call, Click
from app.interactions.declare import (
    Cooldown,
    Defer,
    autocomplete,
    button,
    group,
    message_command,
    slash,
    user_command,
)
from app.interactions.discovery import Declarations
from app.interactions.errors import DeclarationError
from app.interactions.options import Mentionable, Option, OptionType
from app.interactions.payloads import (
    Attachment,
    Channel,
    ChannelType,
    CommandType,
    InteractionContext,
    Member,
    Message,
    Role,
    User,
)
from app.interactions.permissions import Level, Permission
from app.interactions.replies import Choice, Reply
from app.services import MissingService
from tests.fixtures.interactions import Bot


async def plain(call: Call) -> Reply:
    return Reply.private("ok")


def with_option(annotation: Any, option: Option, default: Any = ...) -> Callable[..., Any]:
    async def handler(call: Call, thing: Any) -> Reply:
        return Reply.private(str(thing))

    handler.__annotations__ = {"call": Call, "thing": Annotated[annotation, option], "return": Reply}
    if default is not ...:
        handler.__defaults__ = (default,)
    return handler


def declare(annotation: Any, option: Option | None = None, default: Any = ...) -> Any:
    return slash("x", "Does x")(with_option(annotation, option or Option("A thing"), default))


def choices(number: int) -> list[Choice]:
    return [Choice(f"c{n}", f"c{n}") for n in range(number)]


class Mixed(Enum):
    A = 1
    B = "b"


@autocomplete
async def offers(typing: Autocomplete) -> Reply:
    return Reply.choices(["a"])


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "empty name": (lambda: slash("", "d")(plain), "1-32"),
    "long name": (lambda: slash("x" * 33, "d")(plain), "33 characters"),
    "space": (lambda: slash("a b", "d")(plain), "name pattern"),
    "dot": (lambda: slash("a.b", "d")(plain), "name pattern"),
    "upper case": (lambda: slash("Ping", "d")(plain), "lower case"),
    "upper case beyond ASCII": (lambda: slash("ÄÖ", "d")(plain), "lower case"),
    "no description": (lambda: slash("x", "")(plain), "1-100"),
    "long description": (lambda: slash("x", "d" * 101)(plain), "101 characters"),
    "not async": (lambda: slash("x", "d")(lambda call: None), "async def"),  # type: ignore[arg-type,return-value]
    "update deferral": (lambda: slash("x", "d", defer=Defer.UPDATE)(plain), "no message to update"),
    "option without description": (lambda: declare(str, Option("")), "1-100"),
    "option name": (lambda: declare(str, Option("d", name="Thing")), "lower case"),
    "option type": (lambda: declare(dict), "is not an option type"),
    "26 choices": (lambda: declare(str, Option("d", choices=choices(26))), "Discord allows 25"),
    "choices and autocomplete": (
        lambda: declare(str, Option("d", choices=choices(1), autocomplete=offers)),
        "both choices and autocomplete",
    ),
    "long choice name": (lambda: declare(str, Option("d", choices=[Choice("n" * 101, "v")])), "1-100"),
    "long choice value": (lambda: declare(str, Option("d", choices=[Choice("n", "v" * 101)])), "1-100"),
    "same choice twice": (lambda: declare(str, Option("d", choices=["a", "a"])), "two choices"),
    "choice of another type": (lambda: declare(int, Option("d", choices=["a"])), "not of the option's type"),
    "choices of a user": (lambda: declare(User, Option("d", choices=["a"])), "choices cannot be given"),
    "mixed enum": (lambda: declare(Mixed), "all be str, all int or all float"),
    "choices beside an enum": (
        lambda: declare(Literal["a", "b"], Option("d", choices=["a"])),
        "exactly the values",
    ),
    "min above max": (lambda: declare(int, Option("d", min_value=5, max_value=4)), "above max_value"),
    "min length above max": (
        lambda: declare(str, Option("d", min_length=5, max_length=4)),
        "above max_length",
    ),
    "length 6001": (lambda: declare(str, Option("d", max_length=6001)), "1-6000"),
    "max length 0": (lambda: declare(str, Option("d", max_length=0)), "1-6000"),
    "bound beyond 2^53": (lambda: declare(int, Option("d", max_value=2**53)), "beyond Discord's"),
    "fraction for an integer": (lambda: declare(int, Option("d", max_value=1.5)), "must be an integer"),
    "bounds of a string": (lambda: declare(str, Option("d", max_value=1)), "bounds cannot be given"),
    "length of a number": (lambda: declare(int, Option("d", max_length=1)), "a length cannot be given"),
    "channel types of a role": (
        lambda: declare(Role, Option("d", channel_types=[ChannelType.GUILD_TEXT])),
        "channel_types cannot",
    ),
    "file types of a string": (lambda: declare(str, Option("d", file_types=["image"])), "file_types cannot"),
    "11 file types": (
        lambda: declare(Attachment, Option("d", file_types=["image"] * 11)),
        "Discord allows 10",
    ),
    "autocomplete of a boolean": (
        lambda: declare(bool, Option("d", autocomplete=offers)),
        "autocomplete cannot",
    ),
    "no contexts": (lambda: slash("x", "d", contexts=())(plain), "at least one"),
    "private channel without user install": (
        lambda: slash("x", "d", contexts=(InteractionContext.PRIVATE_CHANNEL,))(plain),
        "USER_INSTALL",
    ),
    "permission in DMs": (
        lambda: slash("x", "d", permission=Level.ADMIN, contexts=tuple(InteractionContext)[:2])(plain),
        "nobody has outside",
    ),
    "group name": (lambda: group("Role", "d"), "lower case"),
    "sub-command name": (lambda: group("x", "d").slash("Y", "d")(plain), "lower case"),
    "third level": (lambda: group("x", "d").group("a", "d").group("b", "d"), "nested too deep"),
    "menu name": (lambda: user_command("x" * 33)(plain), "33 characters"),
    "menu name with spaces around": (lambda: user_command(" x")(plain), "space"),
    "menu without target": (lambda: user_command("X")(plain), "one target"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_names_its_rule(case: str) -> None:
    wrong, rule = WRONG[case]
    with pytest.raises(DeclarationError) as caught:
        wrong()
    assert rule in str(caught.value)
    assert caught.value.where, "the command is named"
    assert str(caught.value).startswith(caught.value.where)


def test_the_message_names_command_and_option() -> None:
    with pytest.raises(DeclarationError, match=r"^/x, option 'thing': min_value 5 is above max_value 4$"):
        declare(int, Option("d", min_value=5, max_value=4))


def test_required_options_come_first() -> None:
    async def handler(
        call: Call,
        late: Annotated[str | None, Option("d")],
        needed: Annotated[str, Option("d")],
    ) -> Reply:
        raise NotImplementedError

    with pytest.raises(DeclarationError, match="'needed' comes after the optional 'late'"):
        slash("x", "d")(handler)


def test_26_options_are_refused() -> None:
    async def handler(call: Call) -> Reply:
        raise NotImplementedError

    names = ", ".join(f"o{n}: Annotated[str, Option('d')]" for n in range(26))
    scope: dict[str, Any] = {"Annotated": Annotated, "Option": Option, "Call": Call, "Reply": Reply}
    exec(f"async def handler(call: Call, {names}) -> Reply: ...", scope)
    with pytest.raises(DeclarationError, match=r"^/x: has 26 options"):
        slash("x", "d")(scope["handler"])


def test_26_sub_commands_and_two_of_one_name_are_refused() -> None:
    made = group("x", "d")
    for number in range(25):
        made.slash(f"s{number}", "d")(plain)
    with pytest.raises(DeclarationError, match=r"^/x: has 26"):
        made.slash("s25", "d")(plain)
    other = group("y", "d")
    other.slash("a", "d")(plain)
    with pytest.raises(DeclarationError, match="'a' is used twice"):
        other.group("a", "d")


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, OptionType.STRING),
        (int, OptionType.INTEGER),
        (float, OptionType.NUMBER),
        (bool, OptionType.BOOLEAN),
        (User, OptionType.USER),
        (Member, OptionType.USER),
        (User | Member, OptionType.USER),
        (Channel, OptionType.CHANNEL),
        (Role, OptionType.ROLE),
        (Mentionable, OptionType.MENTIONABLE),
        (Member | Role, OptionType.MENTIONABLE),
        (Attachment, OptionType.ATTACHMENT),
        (Literal[1, 2], OptionType.INTEGER),
        (Literal["a"], OptionType.STRING),
    ],
)
def test_python_types_become_option_types(annotation: Any, kind: OptionType) -> None:
    required = declare(annotation).options[0]
    optional = declare(annotation | None).options[0]
    defaulted = declare(annotation, default=None).options[0]
    assert (required.type, required.required) == (kind, True)
    assert (optional.type, optional.required) == (kind, False)
    assert (defaulted.type, defaulted.required) == (kind, False)


def test_unicode_names_are_fine() -> None:
    for name in ("日本語", "größe", "हिन्दी", "ไทย", "l'été", "a-b_c"):
        assert slash(name, "d")(plain).name == name


def test_a_declaration_is_called_like_its_handler() -> None:
    declared = slash("x", "d")(plain)
    assert declared.handler.function is plain
    assert declared.type is CommandType.CHAT_INPUT


def test_sub_commands_inherit_and_override() -> None:
    role = group("role", "d", permission=Level.ADMIN, flag="roles", cooldown=Cooldown(1, 5))
    add = role.slash("add", "d")(plain)
    show = role.group("menu", "d").slash(
        "show", "d", permission=Permission.MANAGE_ROLES, cooldown=Cooldown(2, 5)
    )(plain)
    assert (add.full_name, add.guard.permission, add.guard.flag) == ("role add", Level.ADMIN, "roles")
    assert add.guard.cooldown == Cooldown(1, 5)
    assert show.full_name == "role menu show"
    assert (show.guard.permission, show.guard.flag) == (Permission.MANAGE_ROLES, "roles")
    assert show.guard.cooldown == Cooldown(2, 5)


def test_a_permission_hides_the_command_by_default() -> None:
    def shown(**options: Any) -> Permission | None:
        declared = slash("x", "d", **options)(plain)
        return declared.registration.permissions(declared.guard)

    assert shown() is None
    assert shown(permission=Permission.BAN_MEMBERS) == Permission.BAN_MEMBERS
    assert shown(permission=Level.MODERATOR) == Permission.MODERATE_MEMBERS
    assert shown(permission=Level.OWNER) == Permission.ADMINISTRATOR
    assert shown(permission=Level.ADMIN, default_member_permissions=None) is None
    assert shown(default_member_permissions=Permission(0)) == Permission(0)


def test_user_and_message_commands_take_their_target() -> None:
    async def on_user(call: Call, target: Member) -> Reply:
        raise NotImplementedError

    async def on_message(call: Call, target: Message) -> Reply:
        raise NotImplementedError

    assert user_command("Show record")(on_user).type is CommandType.USER
    assert message_command("Report")(on_message).type is CommandType.MESSAGE
    with pytest.raises(DeclarationError, match="Message"):
        message_command("Report")(on_user)


def test_names_that_are_only_imported_for_type_checking_are_explained() -> None:
    async def handler(call: Call, *, service: Missing) -> Reply:  # type: ignore[name-defined]  # noqa: F821
        raise NotImplementedError

    with pytest.raises(DeclarationError, match="'Missing', which is not imported at run time"):
        slash("x", "d")(handler)


def test_a_service_that_nobody_provides_stops_the_start() -> None:
    class Cases:
        pass

    async def handler(call: Call, *, cases: Any) -> Reply:
        raise NotImplementedError

    handler.__annotations__["cases"] = Cases
    with pytest.raises(MissingService, match="Cases"):
        Bot(slash("x", "d")(handler))


def test_a_button_whose_arguments_cannot_fit_is_refused() -> None:
    async def handler(click: Click, a: int, b: int, c: int, d: int, e: int, f: int) -> Reply:
        raise NotImplementedError

    with pytest.raises(DeclarationError, match=r"custom id 'big'.*fit into"):
        button("big")(handler)

    async def strange(click: Click, a: float) -> Reply:
        raise NotImplementedError

    with pytest.raises(DeclarationError, match="component 'odd': parameter 'a'"):
        button("odd")(strange)


def test_duplicates_in_the_catalog_are_refused() -> None:
    with pytest.raises(DeclarationError, match=r"^/x: is declared twice"):
        Declarations.of([slash("x", "d")(plain), slash("x", "d")(plain)])
    made = group("x", "d")
    with pytest.raises(DeclarationError, match="declared twice"):
        Declarations.of([slash("x", "d")(plain), made.slash("y", "d")(plain)])

    async def handler(click: Click) -> Reply:
        raise NotImplementedError

    with pytest.raises(DeclarationError, match="custom id"):
        Declarations.of([button("b")(handler), button("b")(handler)])


def test_a_user_command_may_share_the_name_of_a_slash_command() -> None:
    async def on_user(call: Call, target: User) -> Reply:
        raise NotImplementedError

    Declarations.of([slash("x", "d")(plain), user_command("x")(on_user)])


def test_too_many_commands_are_refused() -> None:
    async def on_user(call: Call, target: User) -> Reply:
        raise NotImplementedError

    with pytest.raises(DeclarationError, match="101 CHAT_INPUT commands; Discord allows 100"):
        Declarations.of(slash(f"x{n}", "d")(plain) for n in range(101))
    with pytest.raises(DeclarationError, match="16 USER commands; Discord allows 15"):
        Declarations.of(user_command(f"x{n}")(on_user) for n in range(16))


def test_a_cooldown_needs_sense() -> None:
    for uses, seconds in ((0, 1), (1, 0), (1, 86_401)):
        with pytest.raises(ValueError):
            Cooldown(uses, seconds)
