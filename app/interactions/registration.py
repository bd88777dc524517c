"""Declarations become the manifest that is registered, with every translation (contract 2.1-2.4).

Discord falls back from en-GB to en-US and the other way round before it takes the default text, so the default is
sent under its own locale key too; other translations that equal the default are left out, Discord ignores them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.interactions import command_rules as rules
from app.interactions.declarations import Command, CommandGroup
from app.interactions.options import OptionSpec, OptionType, check_choice
from app.interactions.payloads import CommandType
from app.interactions.replies import Choice
from app.locale.catalogue import COMMAND, OPTION, SOURCE, Catalogue
from app.locale.text import Text

Json = dict[str, Any]

GLOBAL_ONLY = ("contexts", "integration_types")
"""Fields that guild commands do not have (contract 2.1)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All commands as Discord wants them, ordered by type and name. `version` changes with any of it."""

    commands: tuple[Json, ...]

    @property
    def version(self) -> str:
        """Return 16 hex digits of the content's SHA-256."""
        content = orjson.dumps(self.commands, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the committed form: stable order, indented, a newline at the end."""
        document = {"version": self.version, "commands": self.commands}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"

    def for_guild(self) -> tuple[Json, ...]:
        """Return the commands without what only global commands have."""
        return tuple(
            {key: value for key, value in command.items() if key not in GLOBAL_ONLY}
            for command in self.commands
        )


def build_manifest(commands: Iterable[Command], catalogue: Catalogue) -> Manifest:
    """Build the manifest. Raises DeclarationError when a translation breaks one of Discord's rules."""
    built: list[Json] = []
    roots: dict[str, tuple[CommandGroup, list[Command]]] = {}
    for command in commands:
        if command.parent is None:
            built.append(_root(command, catalogue))
        else:
            root = _root_group(command.parent)
            roots.setdefault(root.name, (root, []))[1].append(command)
    built.extend(_tree(root, leaves, catalogue) for root, leaves in roots.values())
    for payload in built:
        menu = payload["type"] != CommandType.CHAT_INPUT
        where = repr(payload["name"]) if menu else f"/{payload['name']}"
        _check_localised(where, payload, menu=menu)
        rules.check_size(where, payload)
    for kind in CommandType:
        rules.check_localised_names("the catalog", "command", [one for one in built if one["type"] == kind])
    return Manifest(tuple(sorted(built, key=lambda payload: (payload["type"], payload["name"]))))


def messages(commands: Iterable[Command]) -> Iterator[tuple[str, str]]:
    """Yield (context, text) of everything that registration translates: what the catalogues must hold."""
    seen: set[CommandGroup] = set()
    for command in commands:
        group = command.parent
        while group is not None and group not in seen:
            seen.add(group)
            yield from ((COMMAND, group.name), ("", group.description))
            group = group.parent
        yield COMMAND, command.name
        if command.description:
            yield "", command.description
        for spec in command.options:
            yield from ((OPTION, spec.name), ("", spec.option.description))
            yield from (("", choice.name.message) for choice in spec.choices if isinstance(choice.name, Text))


def localisations(text: str, catalogue: Catalogue, context: str = "") -> dict[str, str]:
    """Return the text's translations by Discord's locale codes, the default under its own key first."""
    translations = {SOURCE: text}
    for locale in catalogue.locales:
        translated = catalogue.translate(text, locale, context)
        if translated != text:
            translations[locale] = translated
    return translations


def _root_group(group: CommandGroup) -> CommandGroup:
    return group if group.parent is None else _root_group(group.parent)


def _root(command: Command, catalogue: Catalogue) -> Json:
    payload = _named(command.name, command.description, catalogue, COMMAND)
    payload = {"type": int(command.type), **payload}
    if command.type is CommandType.CHAT_INPUT:
        payload["options"] = [_option(spec, catalogue) for spec in command.options]
    return payload | _registration(command)


def _tree(root: CommandGroup, leaves: list[Command], catalogue: Catalogue) -> Json:
    payload = {"type": int(CommandType.CHAT_INPUT), **_named(root.name, root.description, catalogue, COMMAND)}
    groups: dict[str, Json] = {}
    options: list[Json] = []
    for leaf in leaves:
        option: Json = {
            "type": int(OptionType.SUB_COMMAND),
            **_named(leaf.name, leaf.description, catalogue, COMMAND),
            "options": [_option(spec, catalogue) for spec in leaf.options],
        }
        assert leaf.parent is not None
        if leaf.parent is root:
            options.append(option)
            continue
        group = groups.get(leaf.parent.name)
        if group is None:
            group = groups[leaf.parent.name] = {
                "type": int(OptionType.SUB_COMMAND_GROUP),
                **_named(leaf.parent.name, leaf.parent.description, catalogue, COMMAND),
                "options": [],
            }
            options.append(group)
        group["options"].append(option)
    payload["options"] = options
    return payload | _registration(root)


def _registration(declared: Command | CommandGroup) -> Json:
    registration = declared.registration
    permissions = registration.permissions(declared.guard)
    payload: Json = {
        "default_member_permissions": None if permissions is None else str(int(permissions)),
        "contexts": sorted(int(context) for context in registration.contexts),
        "integration_types": sorted(int(kind) for kind in registration.integration_types),
    }
    return payload | {"nsfw": True} if registration.nsfw else payload


def _named(name: str, description: str, catalogue: Catalogue, context: str) -> Json:
    payload: Json = {"name": name, "name_localizations": localisations(name, catalogue, context)}
    if description:
        payload |= {
            "description": description,
            "description_localizations": localisations(description, catalogue),
        }
    return payload


def _option(spec: OptionSpec, catalogue: Catalogue) -> Json:
    option = spec.option
    payload: Json = {
        "type": int(spec.type),
        **_named(spec.name, option.description, catalogue, OPTION),
        "required": spec.required,
    }
    if spec.choices:
        payload["choices"] = [_choice(choice, catalogue) for choice in spec.choices]
    for field in ("min_value", "max_value", "min_length", "max_length"):
        if (bound := getattr(option, field)) is not None:
            payload[field] = bound
    if option.channel_types:
        payload["channel_types"] = sorted({int(kind) for kind in option.channel_types})
    if option.file_types:
        payload["file_types"] = list(option.file_types)
    if option.autocomplete is not None:
        payload["autocomplete"] = True
    return payload


def _choice(choice: Choice, catalogue: Catalogue) -> Json:
    if isinstance(choice.name, str):
        return {"name": choice.name, "value": choice.value}
    text = choice.name.message
    return {"name": text, "name_localizations": localisations(text, catalogue), "value": choice.value}


def _check_localised(where: str, node: Mapping[str, Any], *, menu: bool = False) -> None:
    """Check every translation by the rule of its field: a translator can break what the declaration kept."""
    check_name = rules.check_menu_name if menu else rules.check_chat_name
    for locale, name in node["name_localizations"].items():
        check_name(f"{where}, {locale}", name)
    for locale, description in node.get("description_localizations", {}).items():
        rules.check_description(f"{where}, {locale}", description)
    rules.check_localisations(where, "name", node["name_localizations"])
    for choice in node.get("choices", ()):
        for locale, name in choice.get("name_localizations", {}).items():
            check_choice(f"{where}, {locale}", name, choice["value"])
    options = node.get("options", ())
    rules.check_localised_names(where, "option", options)
    for option in options:
        _check_localised(f"{where} {option['name']}", option)
