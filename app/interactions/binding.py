"""From a declaration to a call: services are found once, at start; options are read for every interaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import UserError
from app.interactions.declarations import Command
from app.interactions.errors import InvalidInteraction
from app.interactions.handlers import Handler, HandlerFunction
from app.interactions.interaction import Interaction
from app.interactions.options import OptionSpec
from app.interactions.payloads import CommandType, Member, Resolved, snowflake
from app.locale.text import t
from app.services import Services
from app.services import bind as services_of


@dataclass(frozen=True, slots=True)
class BoundHandler:
    """A handler with its services."""

    function: HandlerFunction
    services: Mapping[str, Any]


def bind(handler: Handler, services: Services) -> BoundHandler:
    """Find the services that a handler wants. Raises MissingService naming handler and type."""
    return BoundHandler(handler.function, services_of(handler.function, services))


def option_arguments(
    specs: Sequence[OptionSpec], options: Sequence[Mapping[str, Any]], resolved: Resolved
) -> list[Any]:
    """Return the handler's arguments in order.

    Options that we do not declare come from a registration older than this release and are ignored. Raises UserError
    for a value that is missing or out of bounds, InvalidInteraction for one that Discord would not send.
    """
    values = {option["name"]: option.get("value") for option in options}
    arguments = []
    for spec in specs:
        value = spec.given(values.get(spec.name))
        if value is not None:
            arguments.append(spec.read(value, resolved))
        elif spec.required:
            raise UserError(
                t(
                    "`{option}` is missing. Discord may still show an older version of this command.",
                    option=spec.name,
                )
            )
        else:
            arguments.append(spec.default)
    return arguments


def menu_target(command: Command, interaction: Interaction) -> Any:
    """Return the user, member or message that a context-menu command was run on."""
    key = snowflake(interaction.data.get("target_id"))
    if command.type is CommandType.MESSAGE:
        message = interaction.resolved.message(key)
        if message is None:
            raise InvalidInteraction("the target message is not in data.resolved")
        return message
    member, user = interaction.resolved.member(key), interaction.resolved.user(key)
    if user is None:
        raise InvalidInteraction("the target user is not in data.resolved")
    annotation = command.handler.parameters[0].annotation
    if annotation is Member and member is None:
        raise UserError(t("{user} is not a member of this server.", user=user.mention))
    return user if member is None or not _accepts_member(annotation) else member


def _accepts_member(annotation: Any) -> bool:
    return annotation is Member or Member in getattr(annotation, "__args__", ())


def option_list(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the options of a command or sub-command as objects with a name. Raises InvalidInteraction."""
    options = node.get("options")
    if options is None:
        return []
    if type(options) is not list:
        raise InvalidInteraction("options is not a list")
    for option in options:
        if type(option) is not dict or type(option.get("name")) is not str:
            raise InvalidInteraction("an option is not an object with a name")
    return options
