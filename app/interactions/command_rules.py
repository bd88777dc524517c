"""Discord's rules for commands that a declaration can break (contract section 2), each with its own message.

All raise DeclarationError naming the command; the import of the module that declares it fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import regex

from app.interactions.errors import DeclarationError

NAME = regex.compile(r"[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}")
"""Names of CHAT_INPUT commands and of options (contract 2.1); Python's `re` has no scripts."""

MAX_NAME = 32
MAX_DESCRIPTION = 100
MAX_OPTIONS = 25
MAX_CHOICES = 25
MAX_CHOICE_TEXT = 100
MAX_STRING_LENGTH = 6000
MAX_INTEGER = 2**53 - 1
MAX_NUMBER = 2**53
MAX_COMMAND_CHARACTERS = 8000
"""Over all names, descriptions and choice values; per field its longest localisation counts (contract 2.2)."""

MAX_CHAT_INPUT = 100
MAX_USER = 15
MAX_MESSAGE = 15
"""Commands per scope (contract 2.4; 15 since March 2026)."""

LOCALES = frozenset(
    """
    bg cs da de el en-GB en-US es-419 es-ES fi fr hi hr hu id it ja ko lt nl no pl pt-BR ro ru sv-SE th tr uk vi
    zh-CN zh-TW
    """.split()  # noqa: SIM905 - a table of 32 lines says no more
)
"""Contract 2.3; `ar` and `he`, which only the OpenAPI document knows, are left out."""


def check_chat_name(where: str, name: str) -> None:
    """Check the name of a slash command, sub-command, group or option, or one of its localisations."""
    if not 1 <= len(name) <= MAX_NAME:
        raise DeclarationError(
            where, f"the name {name!r} has {len(name)} characters; Discord allows 1-{MAX_NAME}"
        )
    if not NAME.fullmatch(name):
        raise DeclarationError(
            where,
            f"the name {name!r} may only hold letters, digits, - _ and ' (no spaces; Discord's name pattern)",
        )
    if name != name.lower():
        raise DeclarationError(where, f"the name {name!r} must be lower case: {name.lower()!r}")


def check_menu_name(where: str, name: str) -> None:
    """Check the name of a user or message command: mixed case and spaces are fine."""
    if not 1 <= len(name) <= MAX_NAME:
        raise DeclarationError(
            where, f"the name {name!r} has {len(name)} characters; Discord allows 1-{MAX_NAME}"
        )
    if name != name.strip():
        raise DeclarationError(where, f"the name {name!r} begins or ends with a space")


def check_description(where: str, description: str) -> None:
    """Check a description or one of its localisations."""
    if not 1 <= len(description) <= MAX_DESCRIPTION:
        raise DeclarationError(
            where,
            f"the description has {len(description)} characters; Discord allows 1-{MAX_DESCRIPTION}",
        )


def check_option_list(where: str, names: Iterable[str]) -> None:
    """Check number and uniqueness of the options, sub-commands or groups of one list."""
    listed = list(names)
    if len(listed) > MAX_OPTIONS:
        raise DeclarationError(
            where, f"has {len(listed)} options or sub-commands; Discord allows {MAX_OPTIONS}"
        )
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        raise DeclarationError(where, f"the option or sub-command name {name!r} is used twice")


def check_required_first(where: str, options: Iterable[tuple[str, bool]]) -> None:
    """Check that required options come before optional ones."""
    optional: str | None = None
    for name, required in options:
        if not required:
            optional = name
        elif optional is not None:
            raise DeclarationError(
                where,
                f"the required option {name!r} comes after the optional {optional!r}; Discord wants it before",
            )


def check_localisations(where: str, kind: str, localisations: Mapping[str, str]) -> None:
    """Check that the keys are locales that Discord knows."""
    for locale in sorted(set(localisations) - LOCALES):
        raise DeclarationError(where, f"{locale!r} in the {kind} localisations is not a locale of Discord's")


def check_localised_names(where: str, kind: str, nodes: Iterable[Mapping[str, Any]]) -> None:
    """Check that each localised name differs from the others' default names and names in its locale (contract 2.3).

    `kind` is what they are: option or command.
    """
    listed = list(nodes)
    for node in listed:
        others = [other for other in listed if other is not node]
        for locale, name in (node.get("name_localizations") or {}).items():
            if any(name == other["name"] for other in others):
                raise DeclarationError(
                    where,
                    f"the {locale} name {name!r} of the {kind} {node['name']!r} is another {kind}'s name",
                )
            if any(name == (other.get("name_localizations") or {}).get(locale) for other in others):
                raise DeclarationError(where, f"two {kind}s are named {name!r} in {locale}")


def check_size(where: str, command: Mapping[str, Any]) -> None:
    """Check the 8,000 characters of a whole CHAT_INPUT command, given as registration JSON."""
    size = characters(command)
    if size > MAX_COMMAND_CHARACTERS:
        raise DeclarationError(
            where,
            f"has {size} characters over all names, descriptions and values, each counted in its longest "
            f"localisation; Discord allows {MAX_COMMAND_CHARACTERS} (APPLICATION_COMMAND_TOO_LARGE)",
        )


def characters(node: Mapping[str, Any]) -> int:
    """Count the characters of a command, option or choice as Discord does."""
    total = 0
    for field in ("name", "description"):
        texts = [node.get(field) or "", *(node.get(f"{field}_localizations") or {}).values()]
        total += max(map(len, texts))
    if "value" in node:
        total += len(str(node["value"]))
    for key in ("options", "choices"):
        total += sum(characters(child) for child in node.get(key) or ())
    return total
