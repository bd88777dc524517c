"""The manifest: what Discord would be sent, and what a sync would change."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from app.interactions import command_rules as rules
from app.interactions.context import Autocomplete, Call
from app.interactions.declarations import Command
from app.interactions.declare import autocomplete, group, message_command, slash, user_command
from app.interactions.errors import DeclarationError
from app.interactions.options import Mentionable, Option
from app.interactions.payloads import (
    Attachment,
    Channel,
    ChannelType,
    IntegrationType,
    InteractionContext,
    Member,
    Message,
    Role,
    User,
)
from app.interactions.permissions import Level
from app.interactions.registration import build_manifest, messages
from app.interactions.registration_diff import Action, plan
from app.interactions.replies import Choice, Reply
from app.locale.catalogue import COMMAND, OPTION
from app.locale.text import t
from tests.fixtures.registration import Languages, as_discord_answers

Check = Callable[[str, Any], None]


ENGLISH: Any = Languages()
GERMAN: Any = Languages(
    de={
        (COMMAND, "warn"): "verwarnen",
        ("", "Warn a member"): "Ein Mitglied verwarnen",
        (OPTION, "member"): "mitglied",
        ("", "Low"): "Niedrig",
    },
    fr={(COMMAND, "warn"): "warn"},
)


@autocomplete
async def offers(typing: Autocomplete) -> Reply:
    return Reply.choices(["a"])


@slash("warn", "Warn a member", permission=Level.MODERATOR)
async def warn(
    call: Call,
    member: Annotated[Member, Option("Who is warned")],
    severity: Annotated[int, Option("How bad", choices=[Choice(t("Low"), 1), Choice(t("High"), 2)])],
    reason: Annotated[str | None, Option("What for", max_length=400)] = None,
) -> Reply:
    return Reply.private("x")


@slash(
    "all",
    "All types",
    nsfw=True,
    contexts=tuple(InteractionContext),
    integration_types=tuple(IntegrationType),
)
async def every_type(
    call: Call,
    a: Annotated[str, Option("d", min_length=0, max_length=6000)],
    b: Annotated[int, Option("d", min_value=-5, max_value=5)],
    c: Annotated[float, Option("d", min_value=0.5)],
    d: Annotated[bool, Option("d")],
    e: Annotated[User, Option("d")],
    f: Annotated[Channel, Option("d", channel_types=[ChannelType.GUILD_TEXT, ChannelType.GUILD_FORUM])],
    g: Annotated[Role, Option("d")],
    h: Annotated[Mentionable, Option("d")],
    i: Annotated[Attachment, Option("d", file_types=["image", ".txt"])],
    j: Annotated[Literal["x", "y"], Option("d")],
    k: Annotated[str | None, Option("d", autocomplete=offers)] = None,
) -> Reply:
    return Reply.private("x")


role = group("role", "Manage roles", permission=Level.ADMIN)


@role.slash("add", "Add a role")
async def add(call: Call, which: Annotated[Role, Option("Which")]) -> Reply:
    return Reply.private("x")


menu = role.group("menu", "Role menus")


@menu.slash("show", "Show a menu")
async def show(call: Call) -> Reply:
    return Reply.private("x")


@user_command("Show record", permission=Level.MODERATOR)
async def record(call: Call, target: User) -> Reply:
    return Reply.private("x")


@message_command("Report")
async def report(call: Call, target: Message) -> Reply:
    return Reply.private("x")


COMMANDS: tuple[Command, ...] = (warn, every_type, add, show, record, report)


def test_the_manifest_is_valid_globally_and_for_a_guild(assert_discord_valid: Check) -> None:
    manifest = build_manifest(COMMANDS, GERMAN)
    assert_discord_valid("bulk_set_application_commands", list(manifest.commands))
    assert_discord_valid("bulk_set_guild_application_commands", list(manifest.for_guild()))
    assert [(one["type"], one["name"]) for one in manifest.commands] == [
        (1, "all"),
        (1, "role"),
        (1, "warn"),
        (2, "Show record"),
        (3, "Report"),
    ]
    assert all("contexts" not in one and "integration_types" not in one for one in manifest.for_guild())


def named(manifest: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest.commands if one["name"] == name)
    return found


def test_translations_are_sent_with_the_default_under_its_own_key() -> None:
    command = named(build_manifest(COMMANDS, GERMAN), "warn")
    assert command["name_localizations"] == {"en-US": "warn", "de": "verwarnen"}, "fr equals the default"
    assert command["description_localizations"]["de"] == "Ein Mitglied verwarnen"
    member, severity, reason = command["options"]
    assert member["name_localizations"] == {"en-US": "member", "de": "mitglied"}
    assert severity["choices"][0] == {
        "name": "Low",
        "name_localizations": {"en-US": "Low", "de": "Niedrig"},
        "value": 1,
    }
    assert (member["required"], reason["required"], reason["max_length"]) == (True, False, 400)


class Severity(Enum):
    LOW = 1
    VERY_BAD = 2


class Doing(Enum):
    NOTHING = "only watch"
    BY_HAND = "self-made"


def test_the_members_of_an_enum_are_choices_in_words_that_are_translated() -> None:
    @slash("act", "d")
    async def act(
        call: Call, severity: Annotated[Severity, Option("d")], action: Annotated[Doing, Option("d")]
    ) -> Reply: ...

    severity, action = named(build_manifest([act], GERMAN), "act")["options"]
    assert [(one["name"], one["value"]) for one in severity["choices"]] == [("Low", 1), ("Very bad", 2)]
    assert [(one["name"], one["value"]) for one in action["choices"]] == [
        ("Only watch", "only watch"),
        ("Self-made", "self-made"),
    ]
    assert severity["choices"][0]["name_localizations"] == {"en-US": "Low", "de": "Niedrig"}
    assert {("", "Very bad"), ("", "Only watch")} <= set(messages([act]))


def test_sub_commands_are_put_into_their_tree() -> None:
    command = named(build_manifest(COMMANDS, ENGLISH), "role")
    assert [(one["type"], one["name"]) for one in command["options"]] == [(1, "add"), (2, "menu")]
    assert [(one["type"], one["name"]) for one in command["options"][1]["options"]] == [(1, "show")]
    assert command["default_member_permissions"] == str(1 << 5)


def test_menu_commands_have_no_description() -> None:
    assert "description" not in named(build_manifest(COMMANDS, ENGLISH), "Report")


def test_the_version_follows_the_content() -> None:
    version = build_manifest(COMMANDS, ENGLISH).version
    assert build_manifest((report, record, add, show, every_type, warn), ENGLISH).version == version
    assert build_manifest(COMMANDS, GERMAN).version != version
    assert build_manifest(COMMANDS[1:], ENGLISH).version != version
    assert len(version) == 16


def test_every_text_that_is_translated_is_listed_for_the_catalogues() -> None:
    listed = set(messages(COMMANDS))
    assert {
        (COMMAND, "warn"),
        ("", "Warn a member"),
        (OPTION, "member"),
        ("", "Low"),
        (COMMAND, "menu"),
    } <= listed
    assert ("", "Role menus") in listed
    assert (COMMAND, "Report") in listed


@pytest.mark.parametrize(
    ("translations", "says"),
    [
        ({(COMMAND, "warn"): "Ver Warnen"}, r"^/warn, de: .*name pattern"),
        ({(COMMAND, "warn"): "Verwarnen"}, r"^/warn, de: .*lower case"),
        ({("", "Warn a member"): "x" * 101}, r"^/warn, de: .*101 characters"),
        ({(OPTION, "member"): "reason"}, r"^/warn: the de name 'reason' of the option 'member'"),
        (
            {(OPTION, "member"): "grund", (OPTION, "reason"): "grund"},
            r"^/warn: two options are named 'grund' in de",
        ),
        ({(COMMAND, "add"): "menu"}, r"^/role: the de name 'menu'"),
        ({(COMMAND, "warn"): "all"}, r"the catalog: the de name 'all' of the command 'warn'"),
        ({("", "Low"): "x" * 101}, "1-100"),
    ],
)
def test_a_translation_that_breaks_a_rule_names_command_and_language(
    translations: dict[tuple[str, str], str], says: str
) -> None:
    with pytest.raises(DeclarationError, match=says):
        build_manifest(COMMANDS, Languages(de=translations))  # type: ignore[arg-type]


def big(choices: int) -> Command:
    listed = [Choice(f"{n:0>100}", f"{n:0>100}") for n in range(choices)]

    async def handler(call: Call, a: Any, b: Any) -> Reply:
        return Reply.private("x")

    option = Annotated[str, Option("d" * 100, choices=listed)]
    handler.__annotations__ = {"call": Call, "a": option, "b": option, "return": Reply}
    return slash("x" * 32, "d" * 100)(handler)


def test_8000_characters_are_the_limit() -> None:
    build_manifest([big(19)], ENGLISH)
    with pytest.raises(DeclarationError, match=r"^/x+: has 8334 characters.*8000"):
        build_manifest([big(20)], ENGLISH)


def test_only_the_longest_localisation_counts() -> None:
    node = {
        "name": "abc",
        "name_localizations": {"de": "abcdef", "fr": "ab"},
        "description": "12",
        "choices": [{"name": "x", "value": 1234}],
        "options": [{"name": "y", "description": "z"}],
    }
    assert rules.characters(node) == 6 + 2 + (1 + 4) + 2


def small() -> Any:
    return build_manifest([command for command in COMMANDS if command is not every_type], GERMAN)


def test_what_means_the_same_is_no_difference() -> None:
    assert plan(small().commands, as_discord_answers(small())).changes == ()


def test_new_changed_and_surplus_commands_are_found_and_shown() -> None:
    theirs = as_discord_answers(small())
    warned = next(one for one in theirs if one["name"] == "warn")
    warned["description"] = "Old"
    warned["name_localizations"] = {"de": "alt", "it": "x"}
    warned["options"][2]["max_length"] = 10
    warned["options"][1]["choices"][0]["value"] = 9
    del warned["options"][0]
    theirs = [one for one in theirs if one["name"] != "Report"]
    theirs.append({"id": "9", "type": 1, "name": "ancient", "description": "d"})
    found = plan(small().commands, theirs)
    assert [(one.action, one.type, one.name) for one in found.changes] == [
        (Action.DELETE, 1, "ancient"),
        (Action.UPDATE, 1, "warn"),
        (Action.CREATE, 3, "Report"),
    ]
    assert [one.name for one in found.deletions] == ["ancient"]
    shown = str(found.changes[1]).splitlines()
    assert shown[0] == "~ /warn"
    assert "    description: 'Old' -> 'Warn a member'" in shown
    assert "    name_localizations.de: 'alt' -> 'verwarnen'" in shown
    assert "    name_localizations.it: 'x' -> (none)" in shown
    assert "    options.reason.max_length: 10 -> 400" in shown
    assert "    options.severity.choices.Low.value: 9 -> 1" in shown
    assert "    options.member: added" in shown
    assert str(found.changes[2]) == "+ Report (message command)"


def test_the_order_of_options_counts_and_that_of_contexts_does_not() -> None:
    theirs = as_discord_answers(small())
    warned = next(one for one in theirs if one["name"] == "warn")
    warned["options"] = [warned["options"][i] for i in (1, 0, 2)]
    warned["contexts"] = list(reversed(warned["contexts"]))
    (change,) = plan(small().commands, theirs).changes
    assert change.details == ("options: order severity, member, reason -> member, severity, reason",)


def test_a_guild_has_neither_contexts_nor_integration_types() -> None:
    manifest = small()
    theirs = [{**one, "contexts": None, "integration_types": None} for one in as_discord_answers(manifest)]
    assert plan(manifest.for_guild(), theirs, guild=True).changes == ()
    assert len(plan(manifest.commands, theirs).changes) == len(manifest.commands)


def test_an_entry_point_command_is_kept(assert_discord_valid: Check) -> None:
    entry = {
        "id": "77",
        "application_id": "1",
        "version": "3",
        "type": 4,
        "name": "launch",
        "description": "",
        "handler": 2,
        "contexts": [0, 1, 2],
        "integration_types": [0],
        "name_localizations": None,
        "default_member_permissions": None,
        "nsfw": False,
    }
    found = plan(small().commands, [*as_discord_answers(small()), entry])
    assert found.changes == ()
    assert found.kept == ("launch",)
    assert found.body[-1] == {
        "id": "77",
        "type": 4,
        "name": "launch",
        "handler": 2,
        "contexts": [0, 1, 2],
        "integration_types": [0],
        "nsfw": False,
    }
    assert_discord_valid("bulk_set_application_commands", list(found.body))
