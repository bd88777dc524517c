"""What the decorators of `declare.py` make: frozen descriptions of commands, components, modals, autocompletions.

A declaration is called like its handler (`await warn(call, member, "…", cases=cases)`), so tests need no dispatcher.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, ClassVar, Literal

from app.interactions import command_rules as rules
from app.interactions import custom_id
from app.interactions.errors import DeclarationError
from app.interactions.handlers import Handler
from app.interactions.options import OptionSpec
from app.interactions.payloads import CommandType, IntegrationType, InteractionContext
from app.interactions.permissions import Permission, Requirement, default_member_permissions
from app.interactions.replies import Reply

DERIVED: Literal["derived"] = "derived"
"""`default_member_permissions` follows from `permission`."""


class Defer(Enum):
    """How an answer that takes longer than 1.5 s is deferred: fixed at that moment (contract 1.7)."""

    PRIVATE = "private"
    PUBLIC = "public"
    UPDATE = "update"
    """Nothing is shown; for components and modals that a component opened."""


@dataclass(frozen=True, slots=True)
class Cooldown:
    """At most `uses` per `seconds`, by one user of one command; in no true window are there more."""

    uses: int
    seconds: float

    def __post_init__(self) -> None:
        if self.uses < 1 or not 0 < self.seconds <= 86_400:
            raise ValueError("a Cooldown needs uses >= 1 and 0 < seconds <= 86400")


@dataclass(frozen=True, slots=True)
class Guard:
    """What is checked before the handler runs. None leaves it to the group, else unchecked."""

    permission: Requirement = None
    cooldown: Cooldown | None = None
    flag: str | None = None
    """Feature flag that must be on in the guild."""

    def within(self, outer: Guard) -> Guard:
        """Return this guard with what it leaves open taken from the group's."""
        return Guard(
            outer.permission if self.permission is None else self.permission,
            self.cooldown or outer.cooldown,
            self.flag or outer.flag,
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """How a root command is registered: who sees it and where."""

    default_member_permissions: Permission | Literal["derived"] | None = DERIVED
    contexts: tuple[InteractionContext, ...] = (InteractionContext.GUILD,)
    integration_types: tuple[IntegrationType, ...] = (IntegrationType.GUILD_INSTALL,)
    nsfw: bool = False

    def check(self, where: str, guard: Guard) -> None:
        """Raise DeclarationError for combinations that cannot work."""
        if not self.contexts or not self.integration_types:
            raise DeclarationError(where, "contexts and integration_types need at least one entry each")
        private = InteractionContext.PRIVATE_CHANNEL in self.contexts
        if private and IntegrationType.USER_INSTALL not in self.integration_types:
            raise DeclarationError(
                where, "the context PRIVATE_CHANNEL needs the integration type USER_INSTALL (contract 2.1)"
            )
        if guard.permission is not None and self.contexts != (InteractionContext.GUILD,):
            raise DeclarationError(where, "requires a permission, which nobody has outside a server")

    def permissions(self, guard: Guard) -> Permission | None:
        """Return the bits to register: a member needs all of them to see the command."""
        if self.default_member_permissions == DERIVED:
            return default_member_permissions(guard.permission)
        assert not isinstance(self.default_member_permissions, str)
        return self.default_member_permissions


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """A command with sub-commands, or a group of sub-commands in one. It cannot be run itself (contract 2.2)."""

    name: str
    description: str
    guard: Guard
    registration: Registration
    parent: CommandGroup | None = None
    _children: list[str] = field(default_factory=list, compare=False, repr=False)

    @property
    def path(self) -> tuple[str, ...]:
        """Return the names from the root."""
        return (self.name,) if self.parent is None else (*self.parent.path, self.name)

    @property
    def where(self) -> str:
        """Return how messages name it."""
        return f"/{' '.join(self.path)}"

    def adopt(self, name: str) -> None:
        """Take in a sub-command or group by name. Raises DeclarationError for the 26th or a second of one name."""
        rules.check_option_list(self.where, [*self._children, name])
        self._children.append(name)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be run: a slash command, a sub-command, a user or a message command."""

    type: CommandType
    name: str
    description: str
    handler: Handler
    options: tuple[OptionSpec, ...]
    guard: Guard
    registration: Registration
    defer: Defer
    parent: CommandGroup | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """Return the names from the root."""
        return (self.name,) if self.parent is None else (*self.parent.path, self.name)

    @property
    def full_name(self) -> str:
        """Return the name that people type, e.g. `role menu add`; also its name for the limits."""
        return " ".join(self.path)

    @property
    def where(self) -> str:
        """Return how messages name it."""
        return f"/{self.full_name}" if self.type is CommandType.CHAT_INPUT else f"{self.name!r}"

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[Reply]:
        """Call the handler."""
        return self.handler.function(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Component:
    """A button or select whose custom ids lead to a handler."""

    route: custom_id.Route
    handler: Handler
    guard: Guard
    defer: Defer

    submits: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Return its name for the limits."""
        return self.route.name

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[Reply]:
        """Call the handler."""
        return self.handler.function(*args, **kwargs)

    def to(
        self, *, bound_to: int | None = None, ttl: timedelta | None = None, **arguments: Any
    ) -> custom_id.Target:
        """Return the target of a button or select; see `custom_id.Route.to`."""
        return self.route.to(bound_to=bound_to, ttl=ttl, **arguments)


@dataclass(frozen=True, slots=True)
class AutocompleteHandler:
    """Offers choices while an option is typed: `Option("…", autocomplete=names)`."""

    handler: Handler

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[Reply]:
        """Call the handler."""
        return self.handler.function(*args, **kwargs)
