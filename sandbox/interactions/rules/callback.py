"""Rules for the first response: which type may answer which interaction, and with what (contract 1.6-1.10)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pydantic import Field

from sandbox.interactions.rules.form import Form, InvalidForm, Path, Problems, parse
from sandbox.interactions.rules.message import EPHEMERAL, check_message
from sandbox.interactions.rules.modal import check_modal


class InteractionType(IntEnum):
    PING = 1
    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class ResponseType(IntEnum):
    PONG = 1
    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    CHOICES = 8
    MODAL = 9
    LAUNCH_ACTIVITY = 12


_R, _I = ResponseType, InteractionType
ALLOWED: Mapping[InteractionType, frozenset[ResponseType]] = {
    _I.PING: frozenset({_R.PONG}),
    _I.COMMAND: frozenset({_R.MESSAGE, _R.DEFERRED_MESSAGE, _R.MODAL, _R.LAUNCH_ACTIVITY}),
    _I.COMPONENT: frozenset(
        {
            _R.MESSAGE,
            _R.DEFERRED_MESSAGE,
            _R.DEFERRED_UPDATE,
            _R.UPDATE_MESSAGE,
            _R.MODAL,
            _R.LAUNCH_ACTIVITY,
        }
    ),
    _I.AUTOCOMPLETE: frozenset({_R.CHOICES}),
    _I.MODAL_SUBMIT: frozenset({_R.MESSAGE, _R.DEFERRED_MESSAGE, _R.LAUNCH_ACTIVITY}),
}
"""Contract 1.6. A modal that a component opened may also be answered with 6 and 7."""

MOST_CHOICES = 25
LARGEST_INTEGER = 2**53 - 1


class CallbackEnvelope(Form):
    type: int
    data: dict[str, Any] | None = None


class Choice(Form):
    name: str = Field(min_length=1, max_length=100)
    value: str | int | float
    name_localizations: dict[str, str] | None = None


class ChoicesBody(Form):
    choices: list[Choice] = Field(max_length=MOST_CHOICES)


@dataclass(frozen=True, slots=True)
class Callback:
    """A first response that was found valid. `data` is what the app sent."""

    type: ResponseType
    data: dict[str, Any]

    @property
    def ephemeral(self) -> bool:
        """Whether the app asked that only the invoker sees the answer."""
        return bool(int(self.data.get("flags") or 0) & EPHEMERAL)


def check_callback(
    body: Any,
    interaction: InteractionType,
    *,
    from_component: bool = False,
    focused_type: int | None = None,
    source: Mapping[str, Any] | None = None,
    files: Sequence[str] = (),
) -> Callback:
    """Judge a response to an interaction of the given type. Raises InvalidForm with Discord's error body.

    `from_component`: the interaction is a modal submit whose modal a component opened.
    `focused_type`: the option type that is being completed. `source`: the message a component sits on.
    """
    envelope = parse(CallbackEnvelope, body)
    allowed = ALLOWED[interaction]
    if interaction is InteractionType.MODAL_SUBMIT and from_component:
        allowed |= {ResponseType.DEFERRED_UPDATE, ResponseType.UPDATE_MESSAGE}
    if envelope.type not in allowed:
        problems = Problems()
        values = ", ".join(str(int(one)) for one in sorted(allowed))
        problems.add(
            ("type",),
            "BASE_TYPE_CHOICES",
            f"Value must be one of {{{values}}} to answer an interaction of type {int(interaction)}.",
        )
        problems.raise_if_any()
    kind = ResponseType(envelope.type)
    data = dict(envelope.data or {})
    match kind:
        case ResponseType.MESSAGE:
            check_message(data, ("data",), files=files)
        case ResponseType.UPDATE_MESSAGE:
            check_message(data, ("data",), files=files, before=source or {})
        case ResponseType.DEFERRED_MESSAGE:
            _check_deferred(data)
        case ResponseType.CHOICES:
            _check_choices(data, focused_type)
        case ResponseType.MODAL:
            check_modal(data)
        case _:
            pass
    return Callback(kind, data)


def _check_deferred(data: Mapping[str, Any]) -> None:
    flags = data.get("flags") or 0
    if not isinstance(flags, int) or flags & ~EPHEMERAL:
        problems = Problems()
        problems.add(
            ("data", "flags"),
            "BASE_TYPE_CHOICES",
            "A deferred response may set the flag EPHEMERAL (64) only; "
            "IS_COMPONENTS_V2 belongs in the edit of @original.",
        )
        problems.raise_if_any()


def _check_choices(data: Any, focused_type: int | None, path: Path = ("data",)) -> None:
    body = parse(ChoicesBody, data, path)
    problems = Problems()
    for index, choice in enumerate(body.choices):
        place = (*path, "choices", index, "value")
        value = choice.value
        if isinstance(value, str):
            if focused_type not in {None, 3}:
                problems.add(place, "NUMBER_TYPE_COERCE", "Value is not a number.")
            elif not 1 <= len(value) <= 100:
                problems.add(place, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
        elif focused_type == 3:
            problems.add(place, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        elif not math.isfinite(value) or abs(value) > LARGEST_INTEGER + 1:
            problems.add(place, "NUMBER_TYPE_MAX", "The number is beyond what Discord can hold.")
        elif focused_type == 4 and not isinstance(value, int):
            problems.add(place, "NUMBER_TYPE_COERCE", "Value is not an integer.")
        for locale, name in (choice.name_localizations or {}).items():
            if not 1 <= len(name) <= 100:
                problems.add(
                    (*path, "choices", index, "name_localizations", locale),
                    "BASE_TYPE_BAD_LENGTH",
                    "Must be between 1 and 100 in length.",
                )
    problems.raise_if_any()


__all__ = ["ALLOWED", "Callback", "InteractionType", "InvalidForm", "ResponseType", "check_callback"]
