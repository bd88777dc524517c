"""Which declaration an interaction is for: commands by type and path, components by their verified custom id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import UserError
from app.interactions.binding import option_list
from app.interactions.custom_id import CustomIdError, CustomIds, Foreign, Forged, Sealed
from app.interactions.declarations import Command, Component, Cooldown, Defer, Guard
from app.interactions.discovery import Declarations
from app.interactions.interaction import Interaction
from app.interactions.options import OptionType
from app.interactions.payloads import InteractionType
from app.locale.text import t

_NO_GUARD = Guard()
_NESTED = (OptionType.SUB_COMMAND, OptionType.SUB_COMMAND_GROUP)


class UnknownCommand(UserError):
    """Discord still shows a command that this release does not have."""

    def __init__(self) -> None:
        super().__init__(
            t("I do not know this command (any more). Discord may take a while to show the current ones.")
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where an interaction goes. `name` is the scope of limits and metrics: a closed set, never what people typed.

    `defer` says how a slow answer is deferred, None when it cannot be. `refusal` is set for unknown commands and
    dead components: `handle` answers with it.
    """

    kind: InteractionType
    name: str
    guard: Guard = _NO_GUARD
    defer: Defer | None = None
    declaration: Command | Component | None = None
    sealed: Sealed | None = None
    refusal: UserError | None = None

    @property
    def cooldown(self) -> Cooldown | None:
        """Return the declaration's own limit per user."""
        return self.guard.cooldown

    @property
    def counted(self) -> bool:
        """Tell whether it counts towards the limits: not PING, and not the autocompletion of each keystroke."""
        return self.kind not in (InteractionType.PING, InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE)


_PING = Route(InteractionType.PING, "ping")
_Tree = dict[str, Any]


class Router:
    """The routes of this release."""

    def __init__(self, declarations: Declarations, custom_ids: CustomIds) -> None:
        self._custom_ids = custom_ids
        self._routes = declarations.routes
        self._components = {component.route.tag: component for component in declarations.components}
        self._calls: dict[tuple[int, str], Route | _Tree] = {}
        self._typing: dict[tuple[int, str], Route | _Tree] = {}
        for command in declarations.commands:
            for table, kind, defer in (
                (self._calls, InteractionType.APPLICATION_COMMAND, command.defer),
                (self._typing, InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE, None),
            ):
                route = Route(kind, command.full_name, command.guard, defer, command)
                root, *inner = command.path
                _plant(table, (int(command.type), root), inner, route)

    def route(self, interaction: Interaction) -> Route:
        """Find the route. Raises InvalidInteraction when the payload's shape is wrong."""
        kind = interaction.type
        if kind is InteractionType.APPLICATION_COMMAND:
            return self._command(self._calls, interaction)
        if kind is InteractionType.PING:
            return _PING
        if kind is InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE:
            return self._command(self._typing, interaction)
        return self._component(interaction)

    def node(self, interaction: Interaction) -> Mapping[str, Any]:
        """Return the part of `data` that holds the options of the command that is run."""
        node: Mapping[str, Any] = interaction.data
        while (options := option_list(node)) and options[0].get("type") in _NESTED:
            node = options[0]
        return node

    def is_dead(self, custom_id: str, interaction: Interaction) -> bool:
        """Tell whether a component's id will work for nobody any more."""
        try:
            self._custom_ids.open(custom_id, guild=interaction.guild_id, routes=self._routes)
        except Foreign:
            return False
        except CustomIdError:
            return True
        return False

    def _command(self, table: Mapping[tuple[int, str], Route | _Tree], interaction: Interaction) -> Route:
        data = interaction.data
        found: Any = table.get((data.get("type", 1), data["name"]))
        if type(found) is Route:
            return found
        node: Mapping[str, Any] = data
        while type(found) is dict:
            options = option_list(node)
            if not options:
                break
            node = options[0]
            found = found.get(node["name"])
        if type(found) is Route:
            return found
        return Route(interaction.type, "unknown", refusal=UnknownCommand())

    def _component(self, interaction: Interaction) -> Route:
        try:
            sealed = self._custom_ids.open(
                interaction.data["custom_id"], guild=interaction.guild_id, routes=self._routes
            )
        except CustomIdError as error:
            return Route(interaction.type, "unknown", refusal=error)
        component = self._components[sealed.route.tag]
        if component.submits is not (interaction.type is InteractionType.MODAL_SUBMIT):
            return Route(interaction.type, "unknown", refusal=Forged())
        defer = component.defer
        if defer is Defer.UPDATE and interaction.raw.get("message") is None:
            defer = Defer.PRIVATE
        return Route(interaction.type, component.name, component.guard, defer, component, sealed)


def _plant(table: dict[Any, Any], root: tuple[int, str], inner: list[str], route: Route) -> None:
    if not inner:
        table[root] = route
        return
    branch = table.setdefault(root, {})
    for name in inner[:-1]:
        branch = branch.setdefault(name, {})
    branch[inner[-1]] = route
