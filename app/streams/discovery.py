"""Find what features declare with @consumes and @scheduled, by importing every module of their packages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from app.errors import AppError
from app.streams.declare import Consumer, Job, declaration_of


class ConflictingHandlers(AppError):
    """Two handlers claim the same scheduled work."""


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group: handlers that share a place in the streams."""

    name: str
    consumers: tuple[Consumer, ...]

    @property
    def parallel(self) -> int:
        """How many events of one guild may be handled at once."""
        return min(consumer.parallel for consumer in self.consumers)

    def by_event(self) -> dict[str, tuple[Consumer, ...]]:
        """Handlers by the name of the gateway event."""
        found: dict[str, tuple[Consumer, ...]] = {}
        for consumer in self.consumers:
            for event in consumer.events:
                found[event.GATEWAY_EVENT] = (*found.get(event.GATEWAY_EVENT, ()), consumer)
        return found


@dataclass(frozen=True, slots=True)
class Declarations:
    """Everything that was found."""

    groups: tuple[Group, ...]
    jobs: tuple[Job, ...]

    def gateway_events(self) -> frozenset[str]:
        """Names of the gateway events that somebody consumes: what the ingester must forward."""
        return frozenset(name for group in self.groups for name in group.by_event())


def find_declarations(packages: Iterable[str]) -> Declarations:
    """Import every module of these packages and collect. Raises ConflictingHandlers."""
    consumers: dict[str, Consumer] = {}
    jobs: dict[str, Job] = {}
    for package in packages:
        for module in _modules(package):
            for function in vars(module).values():
                declared = declaration_of(function)
                if isinstance(declared, Consumer):
                    consumers[declared.name] = declared
                elif declared is not None:
                    other = jobs.setdefault(declared.kind, declared)
                    if other.name != declared.name:
                        raise ConflictingHandlers(
                            f"{other.name} and {declared.name} both handle the kind {declared.kind!r}"
                        )
    names = sorted({consumer.group for consumer in consumers.values()})
    return Declarations(
        groups=tuple(
            Group(name, tuple(c for _, c in sorted(consumers.items()) if c.group == name)) for name in names
        ),
        jobs=tuple(jobs[kind] for kind in sorted(jobs)),
    )


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."):
        yield importlib.import_module(found.name)
