"""Buttons, selects and rows as values (contract 3.1). They render to Discord's JSON and enforce its limits.

    Button(undo.to(case=7), t("Undo"), style=ButtonStyle.DANGER)
    StringSelect(pick.to(), [SelectOption(t("Red"), "red"), SelectOption(t("Blue"), "blue")])
    ActionRow(button, button)

Every check names the limit that is broken and raises PayloadError: when the value is built, or, for texts
that are translated first, when it is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from app.interactions import limits
from app.interactions.custom_id import Target
from app.interactions.errors import PayloadError
from app.interactions.payloads import ChannelType
from app.interactions.rendering import Rendering
from app.locale.text import Text
from app.snowflake import ChannelId, RoleId, UserId

_CUSTOM_EMOJI = re.compile(r"<a?:(?P<name>\w{2,32}):(?P<id>\d{15,20})>")


class ComponentType(IntEnum):
    """Contract 3.1."""

    ACTION_ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    SECTION = 9
    TEXT_DISPLAY = 10
    THUMBNAIL = 11
    MEDIA_GALLERY = 12
    FILE = 13
    SEPARATOR = 14
    CONTAINER = 17
    LABEL = 18
    FILE_UPLOAD = 19
    RADIO_GROUP = 21
    CHECKBOX_GROUP = 22
    CHECKBOX = 23


class ButtonStyle(IntEnum):
    """The styles of buttons that lead to a handler."""

    PRIMARY = 1
    SECONDARY = 2
    SUCCESS = 3
    DANGER = 4


_LINK_STYLE = 5
_PREMIUM_STYLE = 6


def emoji_json(emoji: str) -> dict[str, Any]:
    """Return Discord's partial emoji for `🎉` or `<:name:id>` / `<a:name:id>`."""
    if match := _CUSTOM_EMOJI.fullmatch(emoji):
        return {"id": match["id"], "name": match["name"]}
    if not emoji or emoji.startswith(("<", ":")) or emoji.isascii() or len(emoji) > 32:
        raise PayloadError(f"the emoji {emoji!r} is neither an emoji character nor <:name:id>")
    return {"name": emoji}


def _button(label: Text | str | None, emoji: str | None, rendering: Rendering) -> dict[str, Any]:
    payload: dict[str, Any] = {"type": ComponentType.BUTTON.value}
    if label is not None:
        payload["label"] = limits.check_text("a button label", rendering.text(label), 80)
    if emoji is not None:
        payload["emoji"] = emoji_json(emoji)
    if label is None and emoji is None:
        raise PayloadError("a button needs a label or an emoji")
    return payload


@dataclass(frozen=True, slots=True)
class Button:
    """A button that leads to a handler: label of at most 80 characters, an emoji, or both."""

    target: Target
    label: Text | str | None = None
    style: ButtonStyle = ButtonStyle.SECONDARY
    emoji: str | None = None
    disabled: bool = False

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = _button(self.label, self.emoji, rendering)
        payload |= {"style": self.style.value, "custom_id": rendering.custom_id(self.target)}
        return payload | {"disabled": True} if self.disabled else payload


@dataclass(frozen=True, slots=True)
class LinkButton:
    """A button that opens an address of at most 512 characters. It sends us nothing."""

    url: str
    label: Text | str | None = None
    emoji: str | None = None
    disabled: bool = False

    def __post_init__(self) -> None:
        limits.check_url("a button's url", self.url, 512, schemes=("http", "https", "discord"))

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = _button(self.label, self.emoji, rendering) | {"style": _LINK_STYLE, "url": self.url}
        return payload | {"disabled": True} if self.disabled else payload


@dataclass(frozen=True, slots=True)
class PremiumButton:
    """A button that offers a product; Discord writes its label. It sends us nothing."""

    sku_id: int
    disabled: bool = False

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = {"type": ComponentType.BUTTON.value, "style": _PREMIUM_STYLE, "sku_id": str(self.sku_id)}
        return payload | {"disabled": True} if self.disabled else payload


AnyButton = Button | LinkButton | PremiumButton


@dataclass(frozen=True, slots=True)
class SelectOption:
    """One option of a string select: label, value and description of at most 100 characters each."""

    label: Text | str
    value: str
    description: Text | str | None = None
    emoji: str | None = None
    default: bool = False

    def __post_init__(self) -> None:
        limits.check_text("a select option's value", self.value, 100)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        label = limits.check_text("a select option's label", rendering.text(self.label), 100)
        payload: dict[str, Any] = {"label": label, "value": self.value}
        if self.description is not None:
            description = rendering.text(self.description)
            payload["description"] = limits.check_text("a select option's description", description, 100)
        if self.emoji is not None:
            payload["emoji"] = emoji_json(self.emoji)
        return payload | {"default": True} if self.default else payload


@dataclass(frozen=True, slots=True)
class _Select:
    target: Target
    placeholder: Text | str | None = None
    min_values: int = 1
    max_values: int = 1
    disabled: bool = False

    type: ClassVar[ComponentType]

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload: dict[str, Any] = {
            "type": self.type.value,
            "custom_id": rendering.custom_id(self.target),
            "min_values": self.min_values,
            "max_values": self.max_values,
        }
        if self.placeholder is not None:
            text = rendering.text(self.placeholder)
            payload["placeholder"] = limits.check_text("a select's placeholder", text, 150)
        return payload | {"disabled": True} if self.disabled else payload


@dataclass(frozen=True, slots=True)
class StringSelect(_Select):
    """A select of 1-25 given options; values unique."""

    options: Sequence[SelectOption] = ()

    type: ClassVar[ComponentType] = ComponentType.STRING_SELECT

    def __post_init__(self) -> None:
        check_options("options in a select", [option.value for option in self.options], 25)
        defaults = sum(option.default for option in self.options)
        limits.check_choices("a select", self.min_values, self.max_values, 25, defaults)
        if self.min_values > len(self.options):
            raise PayloadError(
                f"a select of {len(self.options)} options cannot ask for {self.min_values} values"
            )

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = super(StringSelect, self).render(rendering)
        payload["max_values"] = min(self.max_values, len(self.options))
        return payload | {"options": [option.render(rendering) for option in self.options]}


@dataclass(frozen=True, slots=True)
class _ObjectSelect(_Select):
    def _with_defaults(self, payload: dict[str, Any], defaults: Sequence[dict[str, str]]) -> dict[str, Any]:
        return payload | {"default_values": list(defaults)} if defaults else payload

    def _check(self, defaults: int) -> None:
        limits.check_choices("a select", self.min_values, self.max_values, 25, defaults)


@dataclass(frozen=True, slots=True)
class UserSelect(_ObjectSelect):
    """A select of users. `defaults` are chosen already."""

    defaults: tuple[UserId, ...] = ()

    type: ClassVar[ComponentType] = ComponentType.USER_SELECT

    def __post_init__(self) -> None:
        self._check(len(self.defaults))

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = super(UserSelect, self).render(rendering)
        return self._with_defaults(payload, default_values("user", self.defaults))


@dataclass(frozen=True, slots=True)
class RoleSelect(_ObjectSelect):
    """A select of roles. `defaults` are chosen already."""

    defaults: tuple[RoleId, ...] = ()

    type: ClassVar[ComponentType] = ComponentType.ROLE_SELECT

    def __post_init__(self) -> None:
        self._check(len(self.defaults))

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = super(RoleSelect, self).render(rendering)
        return self._with_defaults(payload, default_values("role", self.defaults))


@dataclass(frozen=True, slots=True)
class MentionableSelect(_ObjectSelect):
    """A select of users and roles. The defaults are chosen already."""

    default_users: tuple[UserId, ...] = ()
    default_roles: tuple[RoleId, ...] = ()

    type: ClassVar[ComponentType] = ComponentType.MENTIONABLE_SELECT

    def __post_init__(self) -> None:
        self._check(len(self.default_users) + len(self.default_roles))

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = super(MentionableSelect, self).render(rendering)
        defaults = default_values("user", self.default_users) + default_values("role", self.default_roles)
        return self._with_defaults(payload, defaults)


@dataclass(frozen=True, slots=True)
class ChannelSelect(_ObjectSelect):
    """A select of channels, of the given types only unless there are none."""

    defaults: tuple[ChannelId, ...] = ()
    channel_types: tuple[ChannelType, ...] = ()

    type: ClassVar[ComponentType] = ComponentType.CHANNEL_SELECT

    def __post_init__(self) -> None:
        self._check(len(self.defaults))

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload = super(ChannelSelect, self).render(rendering)
        if self.channel_types:
            payload["channel_types"] = sorted({kind.value for kind in self.channel_types})
        return self._with_defaults(payload, default_values("channel", self.defaults))


AnySelect = StringSelect | UserSelect | RoleSelect | MentionableSelect | ChannelSelect


@dataclass(frozen=True, slots=True, init=False)
class ActionRow:
    """Up to five buttons, or exactly one select."""

    children: tuple[AnyButton | AnySelect, ...]

    def __init__(self, *children: AnyButton | AnySelect) -> None:
        selects = sum(isinstance(child, AnySelect) for child in children)
        if selects and len(children) > 1:
            raise PayloadError("a row holds either buttons or exactly one select; Discord allows no mixture")
        limits.check_count("buttons in a row", children, 5)
        object.__setattr__(self, "children", children)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        children = [child.render(rendering) for child in self.children]
        return {"type": ComponentType.ACTION_ROW.value, "components": children}


def default_values(kind: str, ids: Iterable[int]) -> list[dict[str, str]]:
    """Return Discord's `default_values` entries; `kind` is user, role or channel."""
    return [{"id": str(key), "type": kind} for key in ids]


def check_options(what: str, values: Sequence[str], high: int, *, low: int = 1) -> None:
    """Raise PayloadError unless there are `low` to `high` values, all different."""
    limits.check_count(what, values, high, low=low)
    if len(set(values)) != len(values):
        raise PayloadError(f"two {what} have the same value")
