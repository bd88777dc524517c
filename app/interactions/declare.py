"""Decorators that declare commands, components, modals and autocompletions next to their handlers.

    @slash("warn", "Warn a member", permission=Permission.MODERATE_MEMBERS)
    async def warn(
        call: Call,
        member: Annotated[Member, Option("Who is warned")],
        reason: Annotated[str, Option("What for", max_length=400)],
        *,
        cases: Cases,
    ) -> Reply: ...

    @button("mod.undo", ttl=timedelta(days=1), bound=Bound.USER)
    async def undo(click: Click, case: int, *, cases: Cases) -> Reply: ...

    role = group("role", "Manage roles", permission=Level.ADMIN)

    @role.slash("add", "Add a role")
    async def add(call: Call, role: Annotated[Role, Option("Which")]) -> Reply: ...

Texts are English and double as the keys of the catalogues; registration sends every translation. A wrong
declaration raises DeclarationError while its module is imported: command and rule are in the message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args, get_origin

from app.interactions import command_rules as rules
from app.interactions import custom_id
from app.interactions.arguments import Arguments, UnsupportedType
from app.interactions.context import Autocomplete, Call, Click
from app.interactions.custom_id import Bound
from app.interactions.declarations import (
    DERIVED,
    AutocompleteHandler,
    Command,
    CommandGroup,
    Component,
    Cooldown,
    Defer,
    Guard,
    Registration,
)
from app.interactions.errors import DeclarationError
from app.interactions.handlers import Handler, HandlerFunction, Parameter, read_handler
from app.interactions.options import Option, OptionSpec, option_of
from app.interactions.payloads import (
    CommandType,
    IntegrationType,
    InteractionContext,
    Member,
    Message,
    User,
)
from app.interactions.permissions import Permission, Requirement

Decorator = Callable[[HandlerFunction], Command]

_GUILD = (InteractionContext.GUILD,)
_GUILD_INSTALL = (IntegrationType.GUILD_INSTALL,)


def slash(
    name: str,
    description: str,
    *,
    permission: Requirement = None,
    default_member_permissions: Permission | Literal["derived"] | None = DERIVED,
    contexts: tuple[InteractionContext, ...] = _GUILD,
    integration_types: tuple[IntegrationType, ...] = _GUILD_INSTALL,
    nsfw: bool = False,
    cooldown: Cooldown | None = None,
    flag: str | None = None,
    defer: Defer = Defer.PRIVATE,
) -> Decorator:
    """Declare a slash command without sub-commands.

    `permission` is checked by us on every call and decides by default who sees the command. `defer` says how a slow
    answer is deferred. Raises DeclarationError.
    """
    registration = Registration(default_member_permissions, contexts, integration_types, nsfw)
    guard = Guard(permission, cooldown, flag)

    def declare(function: HandlerFunction) -> Command:
        command = _chat_command(name, description, function, guard, registration, defer, None)
        registration.check(command.where, guard)
        return command

    return declare


@dataclass(frozen=True, slots=True)
class Group(CommandGroup):
    """A group with decorators for its sub-commands."""

    def slash(
        self,
        name: str,
        description: str,
        *,
        permission: Requirement = None,
        cooldown: Cooldown | None = None,
        flag: str | None = None,
        defer: Defer = Defer.PRIVATE,
    ) -> Decorator:
        """Declare a sub-command. What is left out is taken from the group."""
        guard = Guard(permission, cooldown, flag).within(self.guard)

        def declare(function: HandlerFunction) -> Command:
            command = _chat_command(name, description, function, guard, self.registration, defer, self)
            self.registration.check(command.where, guard)
            self.adopt(name)
            return command

        return declare

    def group(
        self,
        name: str,
        description: str,
        *,
        permission: Requirement = None,
        cooldown: Cooldown | None = None,
        flag: str | None = None,
    ) -> Group:
        """Declare a group of sub-commands inside this command; one level, not more."""
        inner = Group(
            name, description, Guard(permission, cooldown, flag).within(self.guard), self.registration, self
        )
        if self.parent is not None:
            raise DeclarationError(
                inner.where, "is nested too deep; Discord allows command -> group -> sub-command"
            )
        _check_group(inner)
        self.adopt(name)
        return inner


def group(
    name: str,
    description: str,
    *,
    permission: Requirement = None,
    default_member_permissions: Permission | Literal["derived"] | None = DERIVED,
    contexts: tuple[InteractionContext, ...] = _GUILD,
    integration_types: tuple[IntegrationType, ...] = _GUILD_INSTALL,
    nsfw: bool = False,
    cooldown: Cooldown | None = None,
    flag: str | None = None,
) -> Group:
    """Declare a slash command that consists of sub-commands and groups."""
    registration = Registration(default_member_permissions, contexts, integration_types, nsfw)
    made = Group(name, description, Guard(permission, cooldown, flag), registration)
    _check_group(made)
    return made


def user_command(
    name: str,
    *,
    permission: Requirement = None,
    default_member_permissions: Permission | Literal["derived"] | None = DERIVED,
    contexts: tuple[InteractionContext, ...] = _GUILD,
    integration_types: tuple[IntegrationType, ...] = _GUILD_INSTALL,
    nsfw: bool = False,
    cooldown: Cooldown | None = None,
    flag: str | None = None,
    defer: Defer = Defer.PRIVATE,
) -> Decorator:
    """Declare a command of a user's context menu: `(call: Call, target: Member | User, *, …)`."""
    registration = Registration(default_member_permissions, contexts, integration_types, nsfw)
    guard = Guard(permission, cooldown, flag)

    def declare(function: HandlerFunction) -> Command:
        return _menu_command(CommandType.USER, name, function, guard, registration, defer)

    return declare


def message_command(
    name: str,
    *,
    permission: Requirement = None,
    default_member_permissions: Permission | Literal["derived"] | None = DERIVED,
    contexts: tuple[InteractionContext, ...] = _GUILD,
    integration_types: tuple[IntegrationType, ...] = _GUILD_INSTALL,
    nsfw: bool = False,
    cooldown: Cooldown | None = None,
    flag: str | None = None,
    defer: Defer = Defer.PRIVATE,
) -> Decorator:
    """Declare a command of a message's context menu: `(call: Call, target: Message, *, …)`."""
    registration = Registration(default_member_permissions, contexts, integration_types, nsfw)
    guard = Guard(permission, cooldown, flag)

    def declare(function: HandlerFunction) -> Command:
        return _menu_command(CommandType.MESSAGE, name, function, guard, registration, defer)

    return declare


def button(
    route: str,
    *,
    ttl: timedelta = timedelta(days=1),
    bound: Bound = Bound.ANYONE,
    single_use: bool = False,
    version: int = 1,
    permission: Requirement = None,
    cooldown: Cooldown | None = None,
    flag: str | None = None,
    defer: Defer = Defer.UPDATE,
) -> Callable[[HandlerFunction], Component]:
    """Declare what a button does: `(click: Click, arguments…, *, services…)`.

    The arguments travel in the signed custom id and are packed by their annotations (`arguments.py`); a declaration
    that cannot fit is refused here. `declaration.to(case=7)` is the target that a Button value carries.
    """
    guard = Guard(permission, cooldown, flag)

    def declare(function: HandlerFunction) -> Component:
        handler = read_handler(f"component {route!r}", function, Click)
        return Component(
            _route(route, handler.parameters, ttl, bound, version, single_use=single_use),
            handler,
            guard,
            defer,
        )

    return declare


select = button
"""Declare what a select does: as a button, with the choice in `click.values` or `click.ids`."""


def autocomplete(function: HandlerFunction) -> AutocompleteHandler:
    """Declare a handler that offers choices: `(typing: Autocomplete, *, services…) -> Reply.choices(…)`."""
    where = f"autocomplete {getattr(function, '__name__', '?')!r}"
    handler = read_handler(where, function, Autocomplete)
    if handler.parameters:
        raise DeclarationError(
            where, "takes only the context and services; other options are in `context.options`"
        )
    return AutocompleteHandler(handler)


def _route(
    name: str,
    parameters: tuple[Parameter, ...],
    ttl: timedelta,
    bound: Bound,
    version: int,
    *,
    single_use: bool,
) -> custom_id.Route:
    try:
        arguments = Arguments.of({parameter.name: parameter.annotation for parameter in parameters})
    except UnsupportedType as error:
        raise DeclarationError(f"component {name!r}", str(error)) from None
    return custom_id.Route(name, arguments, ttl, bound, single_use, version)


def _check_group(made: CommandGroup) -> None:
    rules.check_chat_name(made.where, made.name)
    rules.check_description(made.where, made.description)
    made.registration.check(made.where, made.guard)


def _chat_command(
    name: str,
    description: str,
    function: HandlerFunction,
    guard: Guard,
    registration: Registration,
    defer: Defer,
    parent: CommandGroup | None,
) -> Command:
    where = f"/{' '.join((*parent.path, name) if parent else (name,))}"
    rules.check_chat_name(where, name)
    rules.check_description(where, description)
    _check_defer(where, defer)
    handler = read_handler(where, function, Call)
    options = tuple(_option(where, parameter) for parameter in handler.parameters)
    rules.check_option_list(where, [spec.name for spec in options])
    rules.check_required_first(where, [(spec.name, spec.required) for spec in options])
    return Command(
        CommandType.CHAT_INPUT, name, description, handler, options, guard, registration, defer, parent
    )


def _menu_command(
    kind: CommandType,
    name: str,
    function: HandlerFunction,
    guard: Guard,
    registration: Registration,
    defer: Defer,
) -> Command:
    where = f"{kind.name.lower()} command {name!r}"
    rules.check_menu_name(where, name)
    _check_defer(where, defer)
    handler = read_handler(where, function, Call)
    wanted: tuple[Any, ...] = (
        (Message,) if kind is CommandType.MESSAGE else (User, Member, User | Member, Member | User)
    )
    if len(handler.parameters) != 1 or handler.parameters[0].annotation not in wanted:
        expected = "Message" if kind is CommandType.MESSAGE else "User, Member or Member | User"
        raise DeclarationError(
            where, f"the handler takes the context, one target annotated {expected}, and services"
        )
    registration.check(where, guard)
    return Command(kind, name, "", handler, (), guard, registration, defer)


def _option(where: str, parameter: Parameter) -> OptionSpec:
    if get_origin(parameter.annotation) is Annotated:
        annotation, *metadata = get_args(parameter.annotation)
        described = [part for part in metadata if isinstance(part, Option)]
        if len(described) == 1:
            return option_of(
                where,
                parameter.name,
                annotation,
                described[0],
                parameter.default,
                given=parameter.has_default,
            )
    raise DeclarationError(
        where, f'the parameter {parameter.name!r} needs a description: Annotated[type, Option("…")]'
    )


def _check_defer(where: str, defer: Defer) -> None:
    if defer is Defer.UPDATE:
        raise DeclarationError(where, "a command has no message to update; use Defer.PRIVATE or Defer.PUBLIC")


__all__ = [
    "AutocompleteHandler",
    "Bound",
    "Command",
    "Component",
    "Cooldown",
    "Defer",
    "Group",
    "Handler",
    "autocomplete",
    "button",
    "group",
    "message_command",
    "select",
    "slash",
    "user_command",
]
