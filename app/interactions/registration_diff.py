"""What differs between our manifest and what Discord has, once everything that means the same is made equal.

Commands are matched by type and name. Ignored: read-only and deprecated fields, empty descriptions, absent against
false, null or empty, translations that equal the default (contract 2.4). So an unchanged bot sends nothing, spends
nothing of Discord's limits and keeps the commands' versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.interactions.payloads import CommandType
from app.interactions.registration import GLOBAL_ONLY, Json

_OURS = frozenset({CommandType.CHAT_INPUT, CommandType.USER, CommandType.MESSAGE})

_KEPT = (
    "type",
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "default_member_permissions",
    "contexts",
    "integration_types",
    "nsfw",
    "handler",
    "required",
    "choices",
    "channel_types",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
    "autocomplete",
    "file_types",
    "options",
    "value",
)
"""The fields that can be written. All others are read-only or deprecated."""
_SETS = frozenset({"contexts", "integration_types", "channel_types", "file_types"})
_LISTS = frozenset({"options", "choices"})


class Action(Enum):
    """What happens to a command; the value is how a diff marks it."""

    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"


@dataclass(frozen=True, slots=True)
class Change:
    """One command that differs. `details` are lines `field: old -> new`."""

    action: Action
    type: int
    name: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the change as lines for a person."""
        shown = (
            f"/{self.name}"
            if self.type == CommandType.CHAT_INPUT
            else f"{self.name} ({_type_name(self.type)})"
        )
        return "\n".join([f"{self.action.value} {shown}", *(f"    {detail}" for detail in self.details)])


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync would do. `body` is the whole bulk overwrite, to be sent only when there are changes.

    `kept` are commands of types that we do not declare (an Activity's entry point): they are in the body as they are,
    because what happens to one that is left out is not documented.
    """

    changes: tuple[Change, ...]
    body: tuple[Json, ...]
    kept: tuple[str, ...]

    @property
    def deletions(self) -> tuple[Change, ...]:
        """Return the commands that would be deleted, and with them their permission overwrites."""
        return tuple(change for change in self.changes if change.action is Action.DELETE)


def plan(ours: Sequence[Json], theirs: Iterable[Json], *, guild: bool = False) -> Plan:
    """Compare the commands to register with those that Discord returned (`?with_localizations=true`)."""
    wanted = {_key(command): command for command in ours}
    found = {_key(command): command for command in theirs}
    foreign = {key: command for key, command in found.items() if key[0] not in _OURS}
    changes: list[Change] = []
    for key in sorted(wanted.keys() | (found.keys() - foreign.keys())):
        if key not in found:
            changes.append(Change(Action.CREATE, *key))
        elif key not in wanted:
            changes.append(Change(Action.DELETE, *key))
        elif details := tuple(
            _differences(_normal(found[key], guild=guild), _normal(wanted[key], guild=guild))
        ):
            changes.append(Change(Action.UPDATE, *key, details))
    kept = [_writable(command, guild=guild) for command in foreign.values()]
    return Plan(tuple(changes), (*ours, *kept), tuple(sorted(key[1] for key in foreign)))


def _key(command: Mapping[str, Any]) -> tuple[int, str]:
    return int(command.get("type", CommandType.CHAT_INPUT)), str(command["name"])


def _type_name(kind: int) -> str:
    return f"{CommandType(kind).name.lower().replace('_', ' ')} command"


def _writable(command: Mapping[str, Any], *, guild: bool) -> Json:
    """Return a foreign command as it can be sent back."""
    dropped = GLOBAL_ONLY if guild else ()
    fields = ("id", *(field for field in _KEPT if field not in dropped))
    return {field: command[field] for field in fields if command.get(field) not in (None, "")}


def _normal(node: Mapping[str, Any], *, guild: bool) -> Json:
    normal: Json = {}
    for field in _KEPT:
        value = node.get(field)
        if guild and field in GLOBAL_ONLY:
            continue
        if field.endswith("_localizations"):
            default = node.get(field.removesuffix("_localizations"))
            value = {locale: text for locale, text in (value or {}).items() if text != default}
        elif field in _LISTS:
            value = [_normal(child, guild=guild) for child in value or ()]
        elif field in _SETS:
            value = sorted(value or ())
        elif field == "default_member_permissions" and value is not None:
            value = str(int(value))
        if value is None or value is False or value in ("", [], {}):
            continue
        normal[field] = value
    return normal


def _differences(old: Json, new: Json, path: str = "") -> Iterator[str]:
    for field in _KEPT:
        if field in _LISTS:
            yield from _list_differences(old.get(field, []), new.get(field, []), f"{path}{field}")
        elif field.endswith("_localizations"):
            before, after = old.get(field, {}), new.get(field, {})
            for locale in sorted(before.keys() | after.keys()):
                if before.get(locale) != after.get(locale):
                    yield _line(f"{path}{field}.{locale}", before.get(locale), after.get(locale))
        elif old.get(field) != new.get(field):
            yield _line(f"{path}{field}", old.get(field), new.get(field))


def _list_differences(old: Sequence[Json], new: Sequence[Json], path: str) -> Iterator[str]:
    before, after = {child["name"]: child for child in old}, {child["name"]: child for child in new}
    for name in (name for name in before if name not in after):
        yield f"{path}.{name}: removed"
    for name, child in after.items():
        if name not in before:
            yield f"{path}.{name}: added"
        else:
            yield from _differences(before[name], child, f"{path}.{name}.")
    if before.keys() == after.keys() and list(before) != list(after):
        yield f"{path}: order {', '.join(before)} -> {', '.join(after)}"


def _line(path: str, old: Any, new: Any) -> str:
    return f"{path}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    return "(none)" if value is None else repr(value)
