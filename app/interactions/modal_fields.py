"""The fields of modals (contract 3.1, 3.3): how each is shown, and how what was entered is read.

Entered values are plain JSON (`Entry`), so that a refused form can be stored and shown again filled in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from app.errors import UserError
from app.interactions import limits
from app.interactions.components import ComponentType, SelectOption, check_options, default_values
from app.interactions.errors import InvalidInteraction, PayloadError
from app.interactions.payloads import ChannelType, Resolved, snowflake
from app.interactions.rendering import Rendering
from app.locale.text import Text, t

Entry: TypeAlias = str | bool | list[str] | None
"""What one field held: text, a tick, chosen values; ids as digits, mentionables as `user:ID` or `role:ID`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a field's annotation says: whether it must be filled in, takes several values, and its bounds."""

    required: bool
    several: bool
    low: int | None
    high: int | None


class _WrongShape(InvalidInteraction):
    """A field arrived as something that Discord would not send."""


@dataclass(frozen=True, slots=True)
class Note:
    """A text between fields. Annotate it `Annotated[None, Note(t("…"))] = None`."""

    content: Text

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        content = limits.check_text("a note", rendering.text(self.content), 4000)
        return {"type": ComponentType.TEXT_DISPLAY.value, "content": content}


@dataclass(frozen=True, slots=True)
class Input(ABC):
    """A field with a label of at most 45 and a description of at most 100 characters."""

    label: Text
    description: Text | None = None

    type: ClassVar[ComponentType]
    most: ClassVar[int] = 1
    """Values that Discord lets the field hold."""

    def render(self, name: str, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON of the label with the component in it, filled in with `entry` if given."""
        leaf = {"type": self.type.value, "custom_id": name} | self._leaf(rules, entry, rendering)
        label = limits.check_text(f"the label of {name!r}", rendering.text(self.label), 45)
        payload: dict[str, Any] = {"type": ComponentType.LABEL.value, "label": label, "component": leaf}
        if self.description is not None:
            description = rendering.text(self.description)
            payload["description"] = limits.check_text(f"the description of {name!r}", description, 100)
        return payload

    def check(self, rules: Rules) -> None:
        """Raise PayloadError or TypeError if the annotation asks for what the component cannot do."""
        if rules.several and self.most == 1:
            raise TypeError(f"a {type(self).__name__} holds one value; its type cannot be a list")
        if rules.several:
            limits.check_choices("a field", rules.low or 0, rules.high or self.most, self.most, 0)

    @abstractmethod
    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]: ...

    @abstractmethod
    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        """Return what the component arrived with; None for nothing. Raises InvalidInteraction."""

    def value(self, entry: Entry, resolved: Resolved) -> Any:
        """Return what the model validates. Raises UserError."""
        return entry

    def refill(self, entry: Entry) -> Entry:
        """Return the part of an entry that can be shown again."""
        return entry

    def _counts(self, rules: Rules) -> dict[str, Any]:
        """`min_values` must be left out or at least 1 where a value is required (contract 3.1)."""
        counts: dict[str, Any] = {"required": rules.required}
        if rules.several:
            counts["max_values"] = rules.high or self.most
            low = rules.low or 0
            if low > 0 or not rules.required:
                counts["min_values"] = low
        return counts


@dataclass(frozen=True, slots=True)
class TextField(Input):
    """A line of text, or several lines. Bounds come from the type: `Field(max_length=…)`, up to 4000."""

    paragraph: bool = False
    placeholder: Text | None = None

    type: ClassVar[ComponentType] = ComponentType.TEXT_INPUT

    def check(self, rules: Rules) -> None:
        if rules.several:
            raise TypeError("a TextField holds one text; its type cannot be a list")
        limits.check_range("min_length", rules.low or 0, 0, 4000)
        limits.check_range(
            "max_length", 4000 if rules.high is None else rules.high, max(1, rules.low or 0), 4000
        )

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        leaf: dict[str, Any] = {"style": 2 if self.paragraph else 1, "required": rules.required}
        if rules.low:
            leaf["min_length"] = rules.low
        if rules.high is not None:
            leaf["max_length"] = rules.high
        if self.placeholder is not None:
            leaf["placeholder"] = limits.check_text("a placeholder", rendering.text(self.placeholder), 100)
        if isinstance(entry, str) and entry:
            leaf["value"] = entry[: rules.high or 4000]
        return leaf

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        return _text(leaf.get("value")) or None


@dataclass(frozen=True, slots=True)
class _OptionField(Input):
    options: Sequence[SelectOption] = ()

    high: ClassVar[int] = 25
    low: ClassVar[int] = 1

    def __post_init__(self) -> None:
        values = [option.value for option in self.options]
        check_options(f"options in a {type(self).__name__}", values, self.high, low=self.low)

    def value(self, entry: Entry, resolved: Resolved) -> Any:
        offered = {option.value for option in self.options}
        if not offered.issuperset(_list(entry)):
            raise UserError(t("Choose one of the options."))
        return entry

    def _options(self, entry: Entry, rendering: Rendering) -> list[dict[str, Any]]:
        rendered = [option.render(rendering) for option in self.options]
        if entry is not None:
            for option in rendered:
                option.pop("default", None)
                if option["value"] in _list(entry):
                    option["default"] = True
        return rendered


@dataclass(frozen=True, slots=True)
class SelectField(_OptionField):
    """A menu of 1-25 given options. A list type allows several."""

    placeholder: Text | None = None

    type: ClassVar[ComponentType] = ComponentType.STRING_SELECT
    most: ClassVar[int] = 25

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        leaf = self._counts(rules) | {"options": self._options(entry, rendering)}
        if "max_values" in leaf:
            leaf["max_values"] = min(leaf["max_values"], len(self.options))
        return leaf | _placeholder(self.placeholder, rendering)

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        return _texts(leaf.get("values")) or None


@dataclass(frozen=True, slots=True)
class RadioField(_OptionField):
    """Two to ten options, one of which is chosen."""

    type: ClassVar[ComponentType] = ComponentType.RADIO_GROUP
    high: ClassVar[int] = 10
    low: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super(RadioField, self).__post_init__()
        _without_emoji(self.options)

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        return {"required": rules.required, "options": self._options(entry, rendering)}

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        return _text(leaf.get("value")) or None


@dataclass(frozen=True, slots=True)
class CheckboxGroupField(_OptionField):
    """One to ten options with a tick each. Its type is a list."""

    type: ClassVar[ComponentType] = ComponentType.CHECKBOX_GROUP
    high: ClassVar[int] = 10
    most: ClassVar[int] = 10

    def __post_init__(self) -> None:
        super(CheckboxGroupField, self).__post_init__()
        _without_emoji(self.options)

    def check(self, rules: Rules) -> None:
        if not rules.several:
            raise TypeError(
                "a CheckboxGroupField holds several values; its type must be a list, tuple or frozenset"
            )
        limits.check_choices("a field", rules.low or 0, rules.high or self.most, self.most, 0)

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        leaf = self._counts(rules) | {"options": self._options(entry, rendering)}
        return leaf | {"max_values": min(leaf["max_values"], len(self.options))}

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        return _texts(leaf.get("values")) or None


@dataclass(frozen=True, slots=True)
class CheckboxField(Input):
    """A tick. To insist on it use the type `Literal[True]`: Discord itself cannot require a tick."""

    type: ClassVar[ComponentType] = ComponentType.CHECKBOX

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        return {"default": True} if entry is True else {}

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        value = leaf.get("value")
        if not isinstance(value, bool):
            raise _WrongShape("a checkbox's value is not a boolean")
        return value


@dataclass(frozen=True, slots=True)
class _ObjectField(Input):
    placeholder: Text | None = None

    most: ClassVar[int] = 25
    kind: ClassVar[str] = ""

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        leaf = self._counts(rules) | _placeholder(self.placeholder, rendering)
        defaults = self._defaults(_list(entry))[: (rules.high or self.most) if rules.several else 1]
        return leaf | {"default_values": defaults} if len(defaults) >= max(1, rules.low or 0) else leaf

    def _defaults(self, keys: Sequence[str]) -> list[dict[str, str]]:
        return default_values(self.kind, [int(key) for key in keys])

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        return [str(snowflake(value)) for value in _texts(leaf.get("values"))] or None

    def value(self, entry: Entry, resolved: Resolved) -> Any:
        found = [self._find(key, resolved) for key in _list(entry)]
        if None in found:
            raise UserError(t("What you chose is not there any more."))
        return found

    def _find(self, key: str, resolved: Resolved) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class UserField(_ObjectField):
    """A choice of users. The type is Member (only members of the server pass), User, or a list of them."""

    type: ClassVar[ComponentType] = ComponentType.USER_SELECT
    kind: ClassVar[str] = "user"

    def _find(self, key: str, resolved: Resolved) -> Any:
        return resolved.member(int(key)) or resolved.user(int(key))


@dataclass(frozen=True, slots=True)
class RoleField(_ObjectField):
    """A choice of roles. The type is Role or a list of it."""

    type: ClassVar[ComponentType] = ComponentType.ROLE_SELECT
    kind: ClassVar[str] = "role"

    def _find(self, key: str, resolved: Resolved) -> Any:
        return resolved.role(int(key))


@dataclass(frozen=True, slots=True)
class MentionableField(_ObjectField):
    """A choice of users and roles. The type is Member | User | Role or a list of it."""

    type: ClassVar[ComponentType] = ComponentType.MENTIONABLE_SELECT

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        keys = [snowflake(value) for value in _texts(leaf.get("values"))]
        return [f"{'role' if resolved.role(key) else 'user'}:{key}" for key in keys] or None

    def _defaults(self, keys: Sequence[str]) -> list[dict[str, str]]:
        return [{"type": kind, "id": key} for kind, key in (entry.split(":", 1) for entry in keys)]

    def _find(self, key: str, resolved: Resolved) -> Any:
        kind, number = key.split(":", 1)
        if kind == "role":
            return resolved.role(int(number))
        return resolved.member(int(number)) or resolved.user(int(number))


@dataclass(frozen=True, slots=True)
class ChannelField(_ObjectField):
    """A choice of channels, of these types only unless none is given. The type is Channel or a list of it."""

    channel_types: Sequence[ChannelType] = ()

    type: ClassVar[ComponentType] = ComponentType.CHANNEL_SELECT
    kind: ClassVar[str] = "channel"

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        leaf = super(ChannelField, self)._leaf(rules, entry, rendering)
        if self.channel_types:
            leaf["channel_types"] = sorted({kind.value for kind in self.channel_types})
        return leaf

    def _find(self, key: str, resolved: Resolved) -> Any:
        channel = resolved.channel(int(key))
        if channel is not None and self.channel_types and channel.type not in self.channel_types:
            raise UserError(t("That kind of channel cannot be chosen here."))
        return channel


@dataclass(frozen=True, slots=True)
class FileField(Input):
    """Files to upload, at most ten. The type is Attachment or a list of it.

    `file_types` are `image`, `video`, `audio` or extensions with a dot; Discord checks only the name: check
    the content. The addresses expire: fetch at once what is to be kept. Files cannot be filled in again.
    """

    file_types: Sequence[str] = ()

    type: ClassVar[ComponentType] = ComponentType.FILE_UPLOAD
    most: ClassVar[int] = 10

    def __post_init__(self) -> None:
        limits.check_count("file types", self.file_types, 10, low=0)

    def _leaf(self, rules: Rules, entry: Entry, rendering: Rendering) -> dict[str, Any]:
        leaf = self._counts(rules)
        return leaf | {"file_types": list(self.file_types)} if self.file_types else leaf

    def read(self, leaf: Mapping[str, Any], resolved: Resolved) -> Entry:
        return [str(snowflake(value)) for value in _texts(leaf.get("values"))] or None

    def value(self, entry: Entry, resolved: Resolved) -> Any:
        found = [resolved.attachment(int(key)) for key in _list(entry)]
        if None in found:
            raise UserError(t("The file is not there any more. Attach it again."))
        return found

    def refill(self, entry: Entry) -> Entry:
        return None


def _list(entry: Entry) -> list[str]:
    return entry if isinstance(entry, list) else [entry] if isinstance(entry, str) else []


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _WrongShape("a field's value is not a string")
    return value


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _WrongShape("a field's values are not strings")
    return value


def _placeholder(placeholder: Text | None, rendering: Rendering) -> dict[str, Any]:
    if placeholder is None:
        return {}
    return {"placeholder": limits.check_text("a placeholder", rendering.text(placeholder), 150)}


def _without_emoji(options: Sequence[SelectOption]) -> None:
    if any(option.emoji is not None for option in options):
        raise PayloadError("options of radio and checkbox groups cannot have an emoji")
