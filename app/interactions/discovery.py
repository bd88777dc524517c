"""Finding declarations: every module of a feature's package is imported, its module-level declarations collected."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from app.interactions import command_rules as rules
from app.interactions.custom_id import Routes
from app.interactions.declarations import Command, Component
from app.interactions.errors import DeclarationError
from app.interactions.payloads import CommandType


def modules(package: str) -> Iterator[ModuleType]:
    """Import a package and everything below it, parents first, in order of name."""
    root = importlib.import_module(package)
    yield root
    if hasattr(root, "__path__"):
        for found in sorted(
            pkgutil.walk_packages(root.__path__, f"{package}."), key=lambda module: module.name
        ):
            yield importlib.import_module(found.name)


@dataclass(frozen=True, slots=True)
class Declarations:
    """All commands and components of the process, checked against each other."""

    commands: tuple[Command, ...]
    components: tuple[Component, ...]
    routes: Routes

    @classmethod
    def collect(cls, packages: Iterable[str]) -> Declarations:
        """Walk the features' packages. Raises DeclarationError for duplicates and too many commands."""
        found: dict[int, object] = {}
        for package in packages:
            for module in modules(package):
                for value in vars(module).values():
                    if isinstance(value, Command | Component):
                        found.setdefault(id(value), value)
        return cls.of(found.values())

    @classmethod
    def of(cls, declarations: Iterable[object]) -> Declarations:
        """Take these declarations. Raises DeclarationError as `collect` does."""
        listed = list(declarations)
        commands = tuple(value for value in listed if isinstance(value, Command))
        components = tuple(value for value in listed if isinstance(value, Component))
        _check_commands(commands)
        return cls(commands, components, Routes(component.route for component in components))


def _check_commands(commands: tuple[Command, ...]) -> None:
    roots: dict[tuple[CommandType, str], object] = {}
    paths: set[tuple[CommandType, tuple[str, ...]]] = set()
    for command in commands:
        root: object = command
        parent = command.parent
        while parent is not None:
            root, parent = parent, parent.parent
        key = (command.type, command.path[0])
        if roots.setdefault(key, root) is not root or (command.type, command.path) in paths:
            raise DeclarationError(command.where, "is declared twice; names are unique per type")
        paths.add((command.type, command.path))
    limits = {
        CommandType.CHAT_INPUT: rules.MAX_CHAT_INPUT,
        CommandType.USER: rules.MAX_USER,
        CommandType.MESSAGE: rules.MAX_MESSAGE,
    }
    for kind, limit in limits.items():
        number = sum(1 for key in roots if key[0] is kind)
        if number > limit:
            raise DeclarationError(
                "the catalog", f"has {number} {kind.name} commands; Discord allows {limit}"
            )
