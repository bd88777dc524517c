"""Validation the way Discord reports it: one 50035 body whose `errors` mirror the request.

Shapes are pydantic models; what a shape cannot say is collected in `Problems`. Both end as `InvalidForm`.
Source: contract 4.1 (error bodies).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

Path = tuple[str | int, ...]

_TAG = re.compile(r"type=(\w+)")


class Form(BaseModel):
    """Base of all that arrives as JSON: types are not coerced; unknown keys are ignored, as Discord does."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


_F = TypeVar("_F", bound=Form)


class InvalidForm(Exception):
    """A request that Discord answers with 400. `errors` is the nested mapping of its error body."""

    def __init__(
        self, errors: Mapping[str, Any], *, code: int = 50035, message: str = "Invalid Form Body"
    ) -> None:
        self.errors = dict(errors)
        self.code = code
        self.message = message
        super().__init__("; ".join(self.lines()) or message)

    def body(self) -> dict[str, Any]:
        """The JSON that goes out with status 400."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        return body | {"errors": self.errors} if self.errors else body

    def lines(self) -> list[str]:
        """One `path: message` line per problem, for people."""
        return [f"{path}: {text}" if path else text for path, text in _flatten(self.errors, "")]


def _flatten(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, child in node.items():
        if key == "_errors":
            yield from ((path, one["message"]) for one in child)
        else:
            yield from _flatten(child, f"{path}.{key}" if path else key)


class Problems:
    """Collects problems under paths; `raise_if_any` turns them into one InvalidForm."""

    def __init__(self) -> None:
        self._errors: dict[str, Any] = {}

    def add(self, path: Sequence[str | int], code: str, message: str) -> None:
        node = self._errors
        for key in path:
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def raise_if_any(self) -> None:
        if self._errors:
            raise InvalidForm(self._errors)


def parse(model: type[_F], value: object, path: Path = ()) -> _F:
    """Read `value` as `model`. Raises InvalidForm with every problem placed under `path`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = Problems()
        for detail in error.errors(include_url=False, include_input=False):
            code, message = _discord_words(detail["type"], detail.get("ctx", {}), detail["msg"])
            place: Path = tuple(part for part in detail["loc"] if not _TAG.fullmatch(str(part)))
            if detail["type"].startswith("union_tag"):
                place = (*place, "type")
            problems.add((*path, *place), code, message)
        problems.raise_if_any()
        raise AssertionError("a validation error without details") from error


def _discord_words(kind: str, context: Mapping[str, Any], fallback: str) -> tuple[str, str]:
    """Discord's code and sentence for a pydantic error type."""
    match kind:
        case "missing":
            return "BASE_TYPE_REQUIRED", "This field is required"
        case "string_too_long" | "string_too_short" | "too_long" | "too_short":
            bound = context.get("max_length", context.get("min_length"))
            side = "or fewer" if "max_length" in context else "or more"
            return "BASE_TYPE_BAD_LENGTH", f"Must be {bound} {side} in length."
        case "union_tag_invalid":
            allowed = ", ".join(_TAG.findall(str(context.get("expected_tags", ""))))
            return "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({allowed}).'
        case "union_tag_not_found" | "literal_error" | "enum":
            return "BASE_TYPE_CHOICES", f"Value must be one of {{{context.get('expected', '')}}}."
        case "string_type":
            return "STRING_TYPE_CONVERT", "Could not interpret value as string."
        case "int_type" | "int_from_float":
            return "NUMBER_TYPE_COERCE", "Value is not an integer."
        case "float_type":
            return "NUMBER_TYPE_COERCE", "Value is not a number."
        case "bool_type":
            return "BOOLEAN_TYPE_PARSE", "Must be either true or false."
        case "list_type":
            return "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType"
        case "greater_than_equal":
            return "NUMBER_TYPE_MIN", f"Value should be greater than or equal to {context.get('ge')}."
        case "less_than_equal":
            return "NUMBER_TYPE_MAX", f"Value should be less than or equal to {context.get('le')}."
        case "string_pattern_mismatch":
            return "STRING_TYPE_REGEX", "String value did not match validation regex."
        case _:
            return "BASE_TYPE_INVALID", fallback
