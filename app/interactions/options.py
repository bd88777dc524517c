"""Options of slash commands: Python types in, Discord's option types out, and values checked again on arrival.

    annotation                      Discord type    the handler receives
    str                             STRING          str
    int                             INTEGER         int
    float                           NUMBER          float
    bool                            BOOLEAN         bool
    User · Member · User | Member   USER            that; Member is refused for people who are not in the server
    Channel                         CHANNEL         Channel
    Role                            ROLE            Role
    Mentionable                     MENTIONABLE     Member (else User) or Role
    Attachment                      ATTACHMENT      Attachment
    Literal["a", "b"], an Enum      by its values   the value or the member; its values become choices

`X | None` or a default makes the option optional. The client checks bounds and choices too, but what arrives is
only what a client sent (contract 1.10): a bad value is a UserError. Spaces around a text are typing, not content:
they are taken away, and a text of nothing else was not given.
"""

from __future__ import annotations

import functools
import math
import operator
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union, get_args, get_origin

from app.errors import UserError
from app.interactions import command_rules as rules
from app.interactions.errors import DeclarationError, InvalidInteraction
from app.interactions.payloads import (
    Attachment,
    Channel,
    ChannelType,
    Member,
    Resolved,
    Role,
    User,
    snowflake,
)
from app.interactions.replies import Choice
from app.locale.text import Text, t

if TYPE_CHECKING:
    from app.interactions.declarations import AutocompleteHandler

Mentionable: TypeAlias = Member | User | Role
"""Annotation of an option that takes a person or a role."""


class OptionType(IntEnum):
    """Contract 2.2."""

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


@dataclass(frozen=True, slots=True)
class Option:
    """What an annotation cannot say: `member: Annotated[Member, Option("Who is warned")]`.

    `name` defaults to the parameter's name. Bounds are inclusive. `file_types` are `image`, `video`, `audio` or
    extensions with a dot; Discord checks only the file's name, so check the content.
    """

    description: str
    name: str | None = None
    min_value: float | None = None
    max_value: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    choices: Sequence[Choice | str | int | float] = ()
    channel_types: Sequence[ChannelType] = ()
    file_types: Sequence[str] = ()
    autocomplete: AutocompleteHandler | None = None


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option, checked: what is registered and how a value that arrives is read."""

    parameter: str
    name: str
    type: OptionType
    option: Option
    required: bool
    default: Any
    choices: tuple[Choice, ...]
    members: Mapping[Any, Any] | None
    """What the handler receives for each choice's value; None when any value is allowed."""
    accepts: frozenset[Any]
    """The classes, of User, Member and Role, that a USER or MENTIONABLE option takes."""

    def given(self, value: Any) -> Any:
        """Return what was given: a text without the spaces around it, None for nothing. Raises UserError."""
        if self.type is not OptionType.STRING or type(value) is not str or self.members is not None:
            return value
        stripped = value.strip()
        if stripped or not self.required:
            return stripped or None
        raise UserError(t("`{option}` is empty. Write something there.", option=self.name))

    def read(self, value: Any, resolved: Resolved) -> Any:
        """Turn a value that arrived into the handler's argument. Raises UserError or InvalidInteraction."""
        kind = self.type
        if kind is OptionType.STRING:
            return self._choice(self._string(value))
        if kind is OptionType.INTEGER or kind is OptionType.NUMBER:
            return self._choice(self._number(value))
        if kind is OptionType.BOOLEAN:
            if type(value) is not bool:
                raise InvalidInteraction("a BOOLEAN option is not a boolean")
            return value
        return self._object(snowflake(value), resolved)

    def _string(self, value: Any) -> str:
        if type(value) is not str:
            raise InvalidInteraction("a STRING option is not a string")
        if "\0" in value:  # PostgreSQL stores no text with it
            raise UserError(t("`{option}` holds a character that cannot be used.", option=self.name))
        low, high = self.option.min_length or 0, self.option.max_length or rules.MAX_STRING_LENGTH
        if low <= len(value) <= high:
            return value
        if low == 0:
            raise UserError(t("`{option}` must have at most {high} characters.", option=self.name, high=high))
        raise UserError(
            t("`{option}` must have {low} to {high} characters.", option=self.name, low=low, high=high)
        )

    def _number(self, value: Any) -> int | float:
        integer = self.type is OptionType.INTEGER
        if type(value) is float and (not integer or value.is_integer()) and math.isfinite(value):
            number: int | float = int(value) if integer else value
        elif type(value) is int:
            number = value if integer else float(value)
        else:
            raise InvalidInteraction("a number option is not a number")
        limit = rules.MAX_INTEGER if integer else rules.MAX_NUMBER
        low = -limit if self.option.min_value is None else self.option.min_value
        high = limit if self.option.max_value is None else self.option.max_value
        if not low <= number <= high:
            raise UserError(
                t("`{option}` must be between {low} and {high}.", option=self.name, low=low, high=high)
            )
        return number

    def _choice(self, value: Any) -> Any:
        if self.members is None:
            return value
        if value not in self.members:
            raise UserError(t("`{option}` must be one of the offered choices.", option=self.name))
        return self.members[value]

    def _object(self, key: int, resolved: Resolved) -> Any:
        found: Any = None
        match self.type:
            case OptionType.CHANNEL:
                found = self._channel(resolved.channel(key))
            case OptionType.ROLE:
                found = resolved.role(key)
            case OptionType.ATTACHMENT:
                found = resolved.attachment(key)
            case _:
                found = self._mentioned(key, resolved)
        if found is None:
            raise UserError(t("What you chose for `{option}` was not found.", option=self.name))
        return found

    def _channel(self, channel: Channel | None) -> Channel | None:
        if (
            channel is not None
            and self.option.channel_types
            and channel.type not in self.option.channel_types
        ):
            raise UserError(t("`{option}` cannot be that kind of channel.", option=self.name))
        return channel

    def _mentioned(self, key: int, resolved: Resolved) -> Member | User | Role | None:
        if Role in self.accepts and (role := resolved.role(key)) is not None:
            return role
        if Member in self.accepts and (member := resolved.member(key)) is not None:
            return member
        user = resolved.user(key)
        if user is not None and User not in self.accepts and Member in self.accepts:
            raise UserError(t("{user} is not a member of this server.", user=user.mention))
        return user


_PLAIN: dict[Any, OptionType] = {
    str: OptionType.STRING,
    int: OptionType.INTEGER,
    float: OptionType.NUMBER,
    bool: OptionType.BOOLEAN,
    Channel: OptionType.CHANNEL,
    Role: OptionType.ROLE,
    Attachment: OptionType.ATTACHMENT,
}
_VALUE_TYPES = {str: OptionType.STRING, int: OptionType.INTEGER, float: OptionType.NUMBER}


def option_of(
    where: str, parameter: str, annotation: Any, option: Option, default: Any, *, given: bool
) -> OptionSpec:
    """Build an option from a handler's parameter; `given` tells whether it has a default.

    Raises DeclarationError naming the command and the rule.
    """
    name = parameter if option.name is None else option.name
    where = f"{where}, option {name!r}"
    annotation, optional = _without_none(annotation)
    kind, accepts, implied = _type_of(where, annotation)
    choices, members = _choices_of(where, kind, option, implied)
    spec = OptionSpec(
        parameter,
        name,
        kind,
        option,
        required=not (optional or given),
        default=default if given else None,
        choices=choices,
        members=members,
        accepts=accepts,
    )
    _check(where, spec)
    return spec


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = tuple(part for part in get_args(annotation) if part is not types.NoneType)
        if len(inner) < len(get_args(annotation)):
            return functools.reduce(operator.or_, inner), True
    return annotation, False


def _type_of(where: str, annotation: Any) -> tuple[OptionType, frozenset[Any], dict[Any, Any]]:
    """Return the option type, the classes accepted, and the choices that the annotation itself implies."""
    if annotation in _PLAIN:
        return _PLAIN[annotation], frozenset(), {}
    parts = (
        frozenset(get_args(annotation))
        if get_origin(annotation) in (Union, types.UnionType)
        else {annotation}
    )
    if parts <= {User, Member, Role}:
        people = frozenset(parts)
        return (OptionType.MENTIONABLE if Role in parts else OptionType.USER), people, {}
    if get_origin(annotation) is Literal:
        implied = {value: value for value in get_args(annotation)}
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        implied = {member.value: member for member in annotation}
    else:
        raise DeclarationError(
            where,
            f"{annotation!r} is not an option type; use str, int, float, bool, User, Member, Channel, Role, "
            "Mentionable, Attachment, a Literal or an Enum",
        )
    value_types = {type(value) for value in implied}
    if len(value_types) != 1 or not value_types <= set(_VALUE_TYPES):
        raise DeclarationError(where, "the values of a Literal or Enum must all be str, all int or all float")
    return _VALUE_TYPES[value_types.pop()], frozenset(), implied


def _choices_of(
    where: str, kind: OptionType, option: Option, implied: dict[Any, Any]
) -> tuple[tuple[Choice, ...], dict[Any, Any] | None]:
    listed = [
        choice if isinstance(choice, Choice) else Choice(str(choice), choice) for choice in option.choices
    ]
    if not implied:
        return tuple(listed), {choice.value: choice.value for choice in listed} or None
    if listed:
        if {choice.value for choice in listed} != set(implied):
            raise DeclarationError(where, "its choices do not name exactly the values of its Literal or Enum")
        return tuple(listed), implied
    named = (
        Choice(label_of(value) if isinstance(value, Enum) else str(value), key)
        for key, value in implied.items()
    )
    return tuple(named), implied


def label_of(member: Enum) -> Text:
    """Return what people read for a member of an Enum, to be translated: its value if that has words, else its name."""
    value = str(member.value)
    words = value if any(character.isalpha() for character in value) else member.name
    return Text(words.replace("_", " ").capitalize())


def _check(where: str, spec: OptionSpec) -> None:
    option, kind = spec.option, spec.type
    rules.check_chat_name(where, spec.name)
    rules.check_description(where, option.description)
    numeric = kind in (OptionType.INTEGER, OptionType.NUMBER)
    _only(where, "bounds", option.min_value is not None or option.max_value is not None, allowed=numeric)
    _only(
        where,
        "a length",
        option.min_length is not None or option.max_length is not None,
        allowed=kind is OptionType.STRING,
    )
    _only(where, "channel_types", bool(option.channel_types), allowed=kind is OptionType.CHANNEL)
    _only(where, "file_types", bool(option.file_types), allowed=kind is OptionType.ATTACHMENT)
    textual = numeric or kind is OptionType.STRING
    _only(where, "choices", bool(spec.choices), allowed=textual)
    _only(where, "autocomplete", option.autocomplete is not None, allowed=textual)
    if spec.choices and option.autocomplete is not None:
        raise DeclarationError(where, "has both choices and autocomplete; Discord allows one of them")
    _check_bounds(where, spec)
    _check_choices(where, spec)
    if len(option.file_types) > 10:
        raise DeclarationError(where, f"has {len(option.file_types)} file_types; Discord allows 10")


def _only(where: str, what: str, present: bool, *, allowed: bool) -> None:
    if present and not allowed:
        raise DeclarationError(where, f"{what} cannot be given for an option of this type")


def _check_bounds(where: str, spec: OptionSpec) -> None:
    option = spec.option
    limit = rules.MAX_INTEGER if spec.type is OptionType.INTEGER else rules.MAX_NUMBER
    for bound in (option.min_value, option.max_value):
        if bound is None:
            continue
        if not abs(bound) <= limit:
            raise DeclarationError(where, f"the bound {bound} is beyond Discord's ±{limit}")
        if spec.type is OptionType.INTEGER and type(bound) is not int:
            raise DeclarationError(where, f"the bound {bound!r} of an integer must be an integer")
    if option.min_value is not None and option.max_value is not None and option.min_value > option.max_value:
        raise DeclarationError(where, f"min_value {option.min_value} is above max_value {option.max_value}")
    if option.min_length is not None and not 0 <= option.min_length <= rules.MAX_STRING_LENGTH:
        raise DeclarationError(where, f"min_length must be 0-{rules.MAX_STRING_LENGTH}")
    if option.max_length is not None and not 1 <= option.max_length <= rules.MAX_STRING_LENGTH:
        raise DeclarationError(where, f"max_length must be 1-{rules.MAX_STRING_LENGTH}")
    if (
        option.min_length is not None
        and option.max_length is not None
        and option.min_length > option.max_length
    ):
        raise DeclarationError(
            where, f"min_length {option.min_length} is above max_length {option.max_length}"
        )


def _check_choices(where: str, spec: OptionSpec) -> None:
    if len(spec.choices) > rules.MAX_CHOICES:
        raise DeclarationError(where, f"has {len(spec.choices)} choices; Discord allows {rules.MAX_CHOICES}")
    expected: tuple[type, ...] = {
        OptionType.STRING: (str,),
        OptionType.INTEGER: (int,),
        OptionType.NUMBER: (int, float),
    }.get(spec.type, ())
    names = [str(choice.name) for choice in spec.choices]
    values = [choice.value for choice in spec.choices]
    for choice in spec.choices:
        check_choice(where, str(choice.name), choice.value)
        if type(choice.value) not in expected:
            raise DeclarationError(where, f"the choice {choice.value!r} is not of the option's type")
        if isinstance(choice.name, Text) and (choice.name.params or choice.name.plural):
            raise DeclarationError(
                where, f"the choice {names[0]!r} has placeholders, which registration cannot fill"
            )
    for what, listed in (("name", names), ("value", values)):
        if len(set(listed)) != len(listed):
            raise DeclarationError(where, f"two choices have the same {what}")


def check_choice(where: str, name: str, value: str | float) -> None:
    """Check the lengths of a choice or of one of its localised names."""
    if not 1 <= len(name) <= rules.MAX_CHOICE_TEXT:
        raise DeclarationError(
            where, f"the choice name {name!r} must have 1-{rules.MAX_CHOICE_TEXT} characters"
        )
    if isinstance(value, str) and not 1 <= len(value) <= rules.MAX_CHOICE_TEXT:
        raise DeclarationError(where, f"a choice value must have 1-{rules.MAX_CHOICE_TEXT} characters")
