"""What Discord refuses in application commands (contract 2.1 to 2.4), and what it stores of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import regex
from pydantic import Field

from sandbox.interactions.rules.form import Form, Path, Problems, parse

MAX_CHARACTERS = 8000
LOCALES = frozenset(
    [
        "ar",
        "bg",
        "cs",
        "da",
        "de",
        "el",
        "en-GB",
        "en-US",
        "es-419",
        "es-ES",
        "fi",
        "fr",
        "he",
        "hi",
        "hr",
        "hu",
        "id",
        "it",
        "ja",
        "ko",
        "lt",
        "nl",
        "no",
        "pl",
        "pt-BR",
        "ro",
        "ru",
        "sv-SE",
        "th",
        "tr",
        "uk",
        "vi",
        "zh-CN",
        "zh-TW",
    ]
)
NAME = regex.compile(r"^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$", regex.UNICODE)
SUB_COMMAND, GROUP, STRING, INTEGER, CHANNEL, NUMBER, ATTACHMENT = 1, 2, 3, 4, 7, 10, 11
CHAT_INPUT = 1
Json = dict[str, Any]

ShortText = Annotated[str, Field(min_length=1, max_length=32)]
Description = Annotated[str, Field(min_length=1, max_length=100)]
Localizations = dict[str, str] | None


class Choice(Form):
    name: Description
    name_localizations: Localizations = None
    value: str | int | float


class Option(Form):
    type: int = Field(ge=1, le=11)
    name: ShortText
    name_localizations: Localizations = None
    description: Description
    description_localizations: Localizations = None
    required: bool | None = None
    choices: list[Choice] | None = Field(None, max_length=25)
    options: list[Option] | None = Field(None, max_length=25)
    channel_types: list[int] | None = None
    min_value: int | float | None = None
    max_value: int | float | None = None
    min_length: int | None = Field(None, ge=0, le=6000)
    max_length: int | None = Field(None, ge=1, le=6000)
    autocomplete: bool | None = None
    file_types: list[str] | None = Field(None, max_length=10)


class CommandForm(Form):
    id: str | int | None = None
    type: Literal[1, 2, 3, 4] | None = None
    name: ShortText
    name_localizations: Localizations = None
    description: str | None = Field(None, max_length=100)
    description_localizations: Localizations = None
    options: list[Option] | None = Field(None, max_length=25)
    default_member_permissions: str | int | None = None
    dm_permission: bool | None = None
    contexts: list[Literal[0, 1, 2]] | None = None
    integration_types: list[Literal[0, 1]] | None = None
    nsfw: bool | None = None
    handler: Literal[1, 2] | None = None


def read_command(data: Any, path: Path = (), *, in_guild: bool) -> Json:
    """Return the body that Discord would store. Raises InvalidForm."""
    form = parse(CommandForm, data, path)
    problems = Problems()
    _Check(problems).command(form, path)
    problems.raise_if_any()
    return _stored(form, data, in_guild=in_guild)


def check_unique(bodies: Iterable[Mapping[str, Any]]) -> None:
    """Raise InvalidForm when two commands share type and name."""
    seen: set[tuple[int, str]] = set()
    problems = Problems()
    for index, body in enumerate(bodies):
        key = (int(body["type"]), str(body["name"]))
        if key in seen:
            problems.add(
                (index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
            )
        seen.add(key)
    problems.raise_if_any()


def characters(body: Mapping[str, Any]) -> int:
    """Return what counts towards the 8000: names, descriptions, values; per field its longest localisation."""
    total = 0
    for field in ("name", "description"):
        texts = [body.get(field) or "", *(body.get(f"{field}_localizations") or {}).values()]
        total += max(len(text) for text in texts)
    if isinstance(body.get("value"), str):
        total += len(body["value"])
    children = [*(body.get("options") or ()), *(body.get("choices") or ())]
    return total + sum(characters(child) for child in children)


class _Check:
    """What the shapes alone cannot say."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def command(self, form: CommandForm, path: Path) -> None:
        slash = (form.type or CHAT_INPUT) in {1, 4}
        self._localizations(form.name_localizations, (*path, "name_localizations"), slash=slash)
        if slash:
            self._name(form.name, (*path, "name"))
            if not form.description:
                self.problems.add((*path, "description"), "BASE_TYPE_REQUIRED", "This field is required")
        else:
            if form.description:
                text = "Context menu commands cannot have description"
                self.problems.add((*path, "description"), "APPLICATION_COMMAND_INVALID_DESCRIPTION", text)
            if form.options:
                text = "Context menu commands cannot have options"
                self.problems.add((*path, "options"), "APPLICATION_COMMAND_INVALID_OPTIONS", text)
        permissions = form.default_member_permissions
        if permissions is not None and not str(permissions).isdecimal():
            text = f'Value "{permissions}" is not int.'
            self.problems.add((*path, "default_member_permissions"), "NUMBER_TYPE_COERCE", text)
        self._options(form.options or [], (*path, "options"), depth=0)
        if characters(form.model_dump()) > MAX_CHARACTERS:
            text = f"Command exceeds maximum size ({MAX_CHARACTERS})"
            self.problems.add(path, "APPLICATION_COMMAND_TOO_LARGE", text)

    def _name(self, name: str, path: Path) -> None:
        if NAME.fullmatch(name) is None or name != name.lower():
            self.problems.add(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")

    def _localizations(self, values: Localizations, path: Path, *, slash: bool) -> None:
        for locale, text in (values or {}).items():
            if locale not in LOCALES:
                message = f"Value must be one of {{{', '.join(sorted(LOCALES))}}}."
                self.problems.add((*path, locale), "ENUM_TYPE_COERCE", message)
            elif slash:
                self._name(text, (*path, locale))

    def _options(self, options: list[Option], path: Path, *, depth: int) -> None:
        names: set[str] = set()
        optional_seen = False
        nested = {option.type in {SUB_COMMAND, GROUP} for option in options}
        if len(nested) > 1:
            text = "Sub-command and sub-command group option types are mutually exclusive to all other types"
            self.problems.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text)
        for index, option in enumerate(options):
            place = (*path, index)
            self._option(option, place, depth=depth)
            if option.name in names:
                text = "Option names must be unique"
                self.problems.add((*place, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text)
            names.add(option.name)
            if option.required and optional_seen:
                text = "Required options must be placed before non-required options"
                self.problems.add(place, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
            optional_seen = optional_seen or not option.required
        self._localized_names(options, path)

    def _localized_names(self, options: list[Option], path: Path) -> None:
        defaults = {option.name for option in options}
        taken: dict[str, set[str]] = {}
        for index, option in enumerate(options):
            for locale, name in (option.name_localizations or {}).items():
                others = (defaults - {option.name}) | taken.setdefault(locale, set())
                if name in others:
                    place = (*path, index, "name_localizations", locale)
                    text = "Localized option names must be unique"
                    self.problems.add(place, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text)
                taken[locale].add(name)

    def _option(self, option: Option, path: Path, *, depth: int) -> None:
        self._name(option.name, (*path, "name"))
        self._localizations(option.name_localizations, (*path, "name_localizations"), slash=True)
        for locale in option.description_localizations or {}:
            if locale not in LOCALES:
                self.problems.add(
                    (*path, "description_localizations", locale), "ENUM_TYPE_COERCE", "Unknown locale."
                )
        if option.type in {SUB_COMMAND, GROUP}:
            too_deep = depth > 1 or (depth == 1 and option.type == GROUP)
            if too_deep or (
                option.type == GROUP and any(o.type != SUB_COMMAND for o in option.options or ())
            ):
                text = "Nesting of sub-commands is unsupported for sub-command option type"
                self.problems.add((*path, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text)
            self._options(option.options or [], (*path, "options"), depth=depth + 1)
        elif option.options:
            text = "Only sub-commands and groups take options"
            self.problems.add((*path, "options"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text)
        self._limits(option, path)
        self._choices(option, path)

    def _limits(self, option: Option, path: Path) -> None:
        numeric = option.type in {INTEGER, NUMBER}
        for field, allowed in (
            ("min_value", numeric),
            ("max_value", numeric),
            ("min_length", option.type == STRING),
            ("max_length", option.type == STRING),
            ("channel_types", option.type == CHANNEL),
            ("file_types", option.type == ATTACHMENT),
            ("autocomplete", numeric or option.type == STRING),
        ):
            if getattr(option, field) and not allowed:
                text = f"{field} is not allowed for this option type"
                self.problems.add((*path, field), "APPLICATION_COMMAND_OPTION_FIELD_INVALID", text)
        for low, high in (("min_value", "max_value"), ("min_length", "max_length")):
            least, most = getattr(option, low), getattr(option, high)
            if least is not None and most is not None and least > most:
                text = f"{low} must not be greater than {high}"
                self.problems.add((*path, low), "APPLICATION_COMMAND_OPTION_RANGE_INVALID", text)

    def _choices(self, option: Option, path: Path) -> None:
        if option.choices and option.autocomplete:
            text = "Autocomplete options cannot have choices"
            self.problems.add(
                (*path, "autocomplete"), "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", text
            )
        seen: set[str] = set()
        for index, choice in enumerate(option.choices or ()):
            place = (*path, "choices", index)
            if choice.name in seen:
                text = "Choice names must be unique"
                self.problems.add(
                    (*place, "name"), "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", text
                )
            seen.add(choice.name)
            fits = {
                STRING: isinstance(choice.value, str) and len(choice.value) <= 100,
                INTEGER: isinstance(choice.value, int) and abs(choice.value) < 2**53,
                NUMBER: isinstance(choice.value, int | float) and abs(choice.value) <= 2**53,
            }.get(option.type, False)
            if not fits:
                text = "Choice value does not fit the option's type"
                self.problems.add((*place, "value"), "APPLICATION_COMMAND_OPTIONS_CHOICE_TYPE_INVALID", text)


def _stored(form: CommandForm, data: Mapping[str, Any], *, in_guild: bool) -> Json:
    permissions = form.default_member_permissions
    body: Json = {
        "type": form.type or CHAT_INPUT,
        "name": form.name,
        "name_localizations": form.name_localizations or None,
        "description": form.description or "",
        "description_localizations": form.description_localizations or None,
        "default_member_permissions": None if permissions is None else str(permissions),
        "dm_permission": True if form.dm_permission is None else form.dm_permission,
        "contexts": None,
        "nsfw": bool(form.nsfw),
    }
    if not in_guild:
        body["contexts"] = None if form.contexts is None else sorted(form.contexts)
        body["integration_types"] = [0] if form.integration_types is None else sorted(form.integration_types)
        if form.contexts is not None:
            body["dm_permission"] = 1 in form.contexts
    if form.options:
        body["options"] = [_compact(option) for option in data["options"]]
    if form.handler is not None:
        body["handler"] = form.handler
    return body


def _compact(node: Any) -> Any:
    """Leave out what was sent as null."""
    if isinstance(node, dict):
        return {key: _compact(value) for key, value in node.items() if value is not None}
    return [_compact(item) for item in node] if isinstance(node, list) else node
