from __future__ import annotations

from typing import Annotated, Any

import pytest

from app.errors import DatabaseUnavailable, MissingPermissions, UserError
from app.interactions.context import Call
from app.interactions.declare import (
    Defer,
    group,
    slash,
)
from app.interactions.options import Option
from app.interactions.permissions import Level, Permission, RoleGrant
from app.interactions.replies import JobCall, Reply
from app.locale.text import t
from app.snowflake import GuildId, RoleId, UserId
from tests.fixtures.interactions import (
    GUILD,
    USER,
    Bot,
    command,
    member,
)

EPHEMERAL = 64


role = group("role", "Roles", permission=Level.ADMIN)


@role.slash("add", "Add a role")
async def add(call: Call, which: Annotated[str, Option("Which")]) -> Reply:
    return Reply.private(f"{call.command}: {which}")


menu = role.group("menu", "Menus")


@menu.slash("show", "Show a menu", permission=Permission.MANAGE_ROLES)
async def show(call: Call) -> Reply:
    return Reply.private(call.command)


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


def bot(**options: Any) -> Bot:
    return Bot(add, show, fail, export, grant, **options)


def text(answer: dict[str, Any]) -> str:
    found: str = answer["data"]["content"]
    return found


async def test_sub_commands_are_found_and_guarded() -> None:
    admin, moderator = member(permissions=1 << 5), member(permissions=1 << 28)
    assert text(await bot().send(command("role add", {"which": "x"}, by=admin))) == "role add: x"
    assert text(await bot().send(command("role menu show", by=moderator))) == "role menu show"
    refused = await bot().send(command("role add", {"which": "x"}, by=moderator))
    assert text(refused) == "Only admins of this server can do this."
    assert refused["data"]["flags"] == EPHEMERAL
    refused = await bot().send(command("role menu show", by=member()))
    assert text(refused) == "You lack a permission that this needs."


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
