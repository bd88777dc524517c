"""What a person filled in for a command, checked like the client does, as `data.options` (contract 1.5, 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from sandbox.interactions.resolved import Resolved
from sandbox.world.state import Unknown
from sandbox.world.world import World

Json = dict[str, Any]
Uploader = Callable[[Any], Json]
"""Turns an uploaded file as the admin API takes it into Discord's attachment object."""


class OptionType(IntEnum):
    SUB_COMMAND = 1
    SUB_COMMAND_GROUP = 2
    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


class InvalidInput(Exception):
    """What the person did cannot be sent; `problems` maps the option or component to a sentence."""

    def __init__(self, message: str, problems: Mapping[str, str] | None = None) -> None:
        self.problems = dict(problems or {})
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Leaf:
    """The command or sub-command that is invoked: its path of names below the command, and its options."""

    path: tuple[Json, ...]
    options: tuple[Json, ...]


def find_leaf(command: Json, path: list[str]) -> Leaf:
    """Walk from a command's body down the names in `path`. Raises InvalidInput naming what exists."""
    walked: list[Json] = []
    here = command
    for name in path:
        children = [o for o in here.get("options") or () if o["type"] in {1, 2}]
        found = next((o for o in children if o["name"] == name), None)
        if found is None:
            known = ", ".join(str(o["name"]) for o in children) or "none"
            raise InvalidInput(f"/{_title(command, walked)} has no sub-command {name!r}; it has: {known}")
        walked.append(found)
        here = found
    options = tuple(here.get("options") or ())
    if any(o["type"] in {1, 2} for o in options):
        known = ", ".join(str(o["name"]) for o in options)
        raise InvalidInput(f"/{_title(command, walked)} needs a sub-command, one of: {known}")
    return Leaf(tuple(walked), options)


def _title(command: Json, walked: list[Json]) -> str:
    return " ".join([str(command["name"]), *(str(one["name"]) for one in walked)])


@dataclass(slots=True)
class OptionReader:
    """Turns {option name: value} into typed options, filling `resolved` on the way."""

    world: World
    guild_id: int | None
    resolved: Resolved
    upload: Uploader
    problems: dict[str, str] = field(default_factory=dict)

    def read(self, leaf: Leaf, given: Mapping[str, Any], *, focused: str | None = None) -> list[Json]:
        """Return `data.options`, sub-command levels included. Raises InvalidInput with all problems.

        With `focused` (autocomplete) values are partial: nothing is required and bounds are not checked.
        """
        known = {str(option["name"]): option for option in leaf.options}
        for name in given:
            if name not in known:
                listed = ", ".join(known) or "none"
                self.problems[name] = f"no such option; the command has: {listed}"
        found: list[Json] = []
        for name, option in known.items():
            value = given.get(name)
            if value is None and name != focused:
                if option.get("required") and focused is None:
                    self.problems[name] = "is required"
                continue
            entry = self._option(option, value, partial=focused is not None)
            if entry is not None:
                if name == focused:
                    entry["focused"] = True
                found.append(entry)
        if self.problems:
            said = "; ".join(f"{name}: {text}" for name, text in self.problems.items())
            raise InvalidInput(f"the options are not valid: {said}", self.problems)
        for level in reversed(leaf.path):
            found = [{"name": level["name"], "type": level["type"], "options": found}]
        return found

    def _option(self, option: Json, value: Any, *, partial: bool) -> Json | None:
        name, kind = str(option["name"]), OptionType(option["type"])
        if partial and kind in {OptionType.STRING, OptionType.INTEGER, OptionType.NUMBER}:
            return {"name": name, "type": int(kind), "value": "" if value is None else value}
        try:
            typed = self._typed(option, kind, value)
        except InvalidInput as error:
            self.problems[name] = str(error)
        except Unknown as error:
            self.problems[name] = str(error)
        else:
            return {"name": name, "type": int(kind), "value": typed}
        return None

    def _typed(self, option: Json, kind: OptionType, value: Any) -> Any:
        match kind:
            case OptionType.STRING:
                return _string(option, value)
            case OptionType.INTEGER | OptionType.NUMBER:
                return _number(option, value, whole=kind is OptionType.INTEGER)
            case OptionType.BOOLEAN:
                if not isinstance(value, bool):
                    raise InvalidInput("must be true or false")
                return value
            case OptionType.ATTACHMENT:
                attachment = self.upload(value)
                self._check_file_type(option, attachment)
                self.resolved.attachment(attachment)
                return str(attachment["id"])
            case OptionType.SUB_COMMAND | OptionType.SUB_COMMAND_GROUP:
                raise InvalidInput("is a sub-command, not an option")
            case _:
                return self._snowflake(option, kind, value)

    def _snowflake(self, option: Json, kind: OptionType, value: Any) -> str:
        snowflake = read_id(value)
        match kind:
            case OptionType.USER:
                self.resolved.user(snowflake)
            case OptionType.ROLE:
                if self.guild_id is None:
                    raise InvalidInput("there are no roles outside a server")
                self.resolved.role(snowflake)
            case OptionType.CHANNEL:
                channel = self.world.channel(snowflake)
                if channel.guild_id != self.guild_id:
                    raise InvalidInput("the channel is not in this server")
                allowed = option.get("channel_types")
                if allowed and channel.type not in allowed:
                    raise InvalidInput(f"channel types allowed: {allowed}, this one is {channel.type}")
                self.resolved.channel(snowflake)
            case _:
                self.resolved.mentionable(snowflake)
        return str(snowflake)

    @staticmethod
    def _check_file_type(option: Json, attachment: Json) -> None:
        if not fits_file_types(option.get("file_types"), attachment):
            raise InvalidInput(f"file types allowed: {', '.join(option['file_types'])}")


def fits_file_types(allowed: list[str] | None, attachment: Json) -> bool:
    """Whether a file's name or content type is among `image`, `video`, `audio` or dot-extensions."""
    if not allowed:
        return True
    name, kind = str(attachment["filename"]).lower(), str(attachment.get("content_type") or "")
    return any(
        name.endswith(one.lower()) if one.startswith(".") else kind.startswith(f"{one}/") for one in allowed
    )


def read_id(value: Any) -> int:
    """A snowflake given as string or integer. Raises InvalidInput."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise InvalidInput("must be an id")
    return int(text)


def _string(option: Json, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput("must be text")
    _check_choice(option, value)
    least, most = int(option.get("min_length") or 0), int(option.get("max_length") or 6000)
    if not max(least, 1) <= len(value) <= most:
        raise InvalidInput(f"must be between {max(least, 1)} and {most} characters long")
    return value


def _number(option: Json, value: Any, *, whole: bool) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("must be a number")
    if whole and not (isinstance(value, int) or value.is_integer()):
        raise InvalidInput("must be a whole number")
    number = int(value) if whole else value
    _check_choice(option, number)
    least = option.get("min_value", -(2**53) + (1 if whole else 0))
    most = option.get("max_value", 2**53 - (1 if whole else 0))
    if not least <= number <= most:
        raise InvalidInput(f"must be between {least} and {most}")
    return number


def _check_choice(option: Json, value: Any) -> None:
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise InvalidInput("must be one of " + ", ".join(str(c["value"]) for c in choices))
