"""Rules for modals (contract 3.3): 1 to 5 Labels or Text Displays, nothing disabled, bounded defaults."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sandbox.interactions.rules.components import (
    CheckboxGroup,
    CustomId,
    FileUpload,
    InputRow,
    Label,
    ModalChild,
    RadioGroup,
    Select,
    TextInput,
)
from sandbox.interactions.rules.form import Form, Path, Problems, parse
from sandbox.interactions.rules.layout import check_identity, check_required, check_select, walk


class ModalBody(Form):
    custom_id: CustomId
    title: str = Field(min_length=1, max_length=45)
    components: list[ModalChild] = Field(min_length=1, max_length=5)


def check_modal(data: Any, path: Path = ("data",)) -> ModalBody:
    """Raises InvalidForm for a modal that Discord would not open."""
    modal = parse(ModalBody, data, path)
    problems = Problems()
    everything = list(walk(modal.components, (*path, "components")))
    check_identity(everything, problems)
    for component, place in everything:
        match component:
            case InputRow():
                if component.components[0].label is None:
                    problems.add(
                        (*place, "components", 0, "label"), "BASE_TYPE_REQUIRED", "This field is required"
                    )
            case Label():
                if isinstance(component.component, TextInput) and component.component.label is not None:
                    problems.add(
                        (*place, "component", "label"),
                        "BASE_TYPE_INVALID",
                        "A text input inside a Label takes no label of its own",
                    )
            case TextInput():
                _check_text_input(component, problems, place)
            case Select():
                check_select(component, problems, place, modal=True)
            case FileUpload():
                check_required(
                    required=component.required,
                    min_values=component.min_values,
                    problems=problems,
                    place=place,
                )
                _check_bounds(component.min_values, component.max_values, 1, problems, place)
            case RadioGroup() | CheckboxGroup():
                _check_group(component, problems, place)
            case _:
                pass
    problems.raise_if_any()
    return modal


def _check_text_input(text: TextInput, problems: Problems, place: Path) -> None:
    least, most = text.min_length or 0, text.max_length or 4000
    if least > most:
        problems.add(
            (*place, "min_length"), "NUMBER_TYPE_MAX", "min_length must not be greater than max_length."
        )
    if text.value and not least <= len(text.value) <= most:
        problems.add(
            (*place, "value"), "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."
        )


def _check_bounds(least: int | None, most: int | None, default: int, problems: Problems, place: Path) -> None:
    if (1 if least is None else least) > (default if most is None else most):
        problems.add(
            (*place, "min_values"), "NUMBER_TYPE_MAX", "min_values must not be greater than max_values."
        )


def _check_group(group: RadioGroup | CheckboxGroup, problems: Problems, place: Path) -> None:
    seen: set[str] = set()
    for index, option in enumerate(group.options):
        if option.value in seen:
            problems.add(
                (*place, "options", index, "value"),
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        seen.add(option.value)
    most = 1
    if isinstance(group, CheckboxGroup):
        most = len(group.options) if group.max_values is None else group.max_values
        if most > len(group.options):
            problems.add(
                (*place, "max_values"), "NUMBER_TYPE_MAX", "max_values is greater than the number of options."
            )
        check_required(required=group.required, min_values=group.min_values, problems=problems, place=place)
        _check_bounds(group.min_values, group.max_values, len(group.options), problems, place)
    chosen = sum(1 for option in group.options if option.default)
    if chosen > most:
        problems.add(
            (*place, "options"),
            "SELECT_COMPONENT_TOO_MANY_DEFAULTS",
            f"{chosen} options are chosen by default, {most} may be.",
        )
