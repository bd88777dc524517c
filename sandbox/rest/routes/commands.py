"""Application commands: global and per guild (contract section 2.4)."""

from __future__ import annotations

from typing import Any

from sandbox.interactions.rules.form import InvalidForm
from sandbox.rest.call import Call
from sandbox.rest.command_rules import check_unique, read_command
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import ApiError, invalid_form, refused
from sandbox.world import Command
from sandbox.world.commands import DAY_MS
from sandbox.world.payloads import command_payload

MAX_OF_TYPE = {1: 100, 2: 15, 3: 15, 4: 1}
"""Per scope and type (contract section 2.4)."""

DAILY_CREATES = 200
READ = Bucket("commands.read", 10, 5.0)
WRITE = Bucket("commands.write", 5, 20.0)
OVERWRITE = Bucket("commands.overwrite", 2, 5.0)
PERMISSIONS = Bucket("commands.permissions", 10, 5.0)
GLOBAL = "/applications/{application_id}/commands"
GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"


def _scope(call: Call) -> int | None:
    """Return the guild of the path, None for global. Raises 20012 for a foreign application, 50001 for
    guilds.
    """
    if call.id("application_id") != call.world.application.id:
        raise refused(20012)
    if "guild_id" not in call.params:
        return None
    guild = call.world.guild(call.id("guild_id"))
    if call.bot_id not in guild.members:
        raise refused(50001)
    return guild.id


def _shown(call: Call, command: Command, *, localized: bool = True) -> dict[str, Any]:
    return command_payload(call.world, command, with_localizations=localized)


def _check_counts(call: Call, guild_id: int | None, bodies: list[dict[str, Any]]) -> None:
    for kind, most in MAX_OF_TYPE.items():
        if sum(1 for body in bodies if body["type"] == kind) > most:
            raise refused(30032)
    known = {command.key for command in call.world.scope_commands(guild_id)}
    fresh = sum(1 for body in bodies if (body["type"], body["name"]) not in known)
    if fresh and call.world.creates_today(guild_id) + fresh > DAILY_CREATES:
        error = refused(30034)
        error.extra = {"retry_after": DAY_MS / 1000, "global": False}
        error.headers = {"Retry-After": str(DAY_MS // 1000), "X-RateLimit-Scope": "user"}
        raise error


async def _list(call: Call) -> Answer:
    localized = call.flag("with_localizations")
    commands = call.world.scope_commands(_scope(call))
    return Answer(body=[_shown(call, command, localized=localized) for command in commands])


async def _create(call: Call) -> Answer:
    guild_id = _scope(call)
    body = read_command(call.body, in_guild=guild_id is not None)
    existing = [c.body for c in call.world.scope_commands(guild_id) if c.key != (body["type"], body["name"])]
    _check_counts(call, guild_id, [*existing, body])
    command, created = call.world.upsert_command(guild_id, body)
    return Answer(201 if created else 200, _shown(call, command))


async def _overwrite(call: Call) -> Answer:
    guild_id = _scope(call)
    if not isinstance(call.body, list):
        raise invalid_form(code="LIST_TYPE_CONVERT", message="Only iterables may be used in a ListType")
    errors: dict[str, Any] = {}
    bodies: list[dict[str, Any]] = []
    for index, entry in enumerate(call.body):
        try:
            bodies.append(read_command(entry, (index,), in_guild=guild_id is not None))
        except InvalidForm as error:
            errors |= error.errors
    if errors:
        raise InvalidForm(errors)
    check_unique(bodies)
    _check_counts(call, guild_id, bodies)
    commands = call.world.overwrite_commands(guild_id, bodies)
    return Answer(body=[_shown(call, command) for command in commands])


async def _get(call: Call) -> Answer:
    return Answer(body=_shown(call, call.world.command(call.id("command_id"), _scope(call))))


async def _edit(call: Call) -> Answer:
    guild_id = _scope(call)
    command = call.world.command(call.id("command_id"), guild_id)
    given = call.body if isinstance(call.body, dict) else {}
    known = {k: v for k, v in command.body.items() if not (k == "description" and v == "")}
    body = read_command({**known, **given, "type": command.body["type"]}, in_guild=guild_id is not None)
    others = [c for c in call.world.scope_commands(guild_id) if c.id != command.id]
    if any(other.key == (body["type"], body["name"]) for other in others):
        raise refused(40041)
    return Answer(body=_shown(call, call.world.replace_command(command, body)))


async def _delete(call: Call) -> Answer:
    call.world.delete_command(call.world.command(call.id("command_id"), _scope(call)))
    return NO_CONTENT


async def _permissions(call: Call) -> Answer:
    """Nobody has set any: administrators do that in the client, which the sandbox does not play."""
    _scope(call)
    return Answer(body=[])


async def _command_permissions(call: Call) -> Answer:
    call.world.command(call.id("command_id"), None if _is_global(call) else _scope(call))
    raise refused(10066)


def _is_global(call: Call) -> bool:
    found = call.world.commands.get(call.id("command_id"))
    return found is not None and found.guild_id is None


async def _edit_permissions(call: Call) -> Answer:
    """Bot tokens may not: a user's bearer token is needed (contract section 2.5)."""
    raise ApiError(403, 20001, "Bots cannot use this endpoint")


ROUTES = (
    *(
        route(method, template, bucket=bucket)(handler)
        for base in (GLOBAL, GUILD)
        for method, template, bucket, handler in (
            ("GET", base, READ, _list),
            ("POST", base, WRITE, _create),
            ("PUT", base, OVERWRITE, _overwrite),
            ("GET", base + "/{command_id}", READ, _get),
            ("PATCH", base + "/{command_id}", WRITE, _edit),
            ("DELETE", base + "/{command_id}", WRITE, _delete),
        )
    ),
    route("GET", GUILD + "/permissions", bucket=PERMISSIONS)(_permissions),
    route("GET", GUILD + "/{command_id}/permissions", bucket=PERMISSIONS)(_command_permissions),
    route("PUT", GUILD + "/{command_id}/permissions", bucket=PERMISSIONS)(_edit_permissions),
)
