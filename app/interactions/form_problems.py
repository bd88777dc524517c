"""What is wrong with a submitted form, in words for the person who filled it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.locale.text import Text, t, tn

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class FieldError(ValueError):
    """Raised by a form's own validators: `raise FieldError(t("…"))`."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `label` is the field's label, None when it concerns the form as a whole."""

    label: Text | None
    message: Text


def summary(problems: tuple[Problem, ...]) -> Text:
    """Return all problems as one text, a line each."""
    lines: dict[str, Any] = {}
    template = ["{heading}"]
    lines["heading"] = tn(
        "One entry needs a correction:", "{count} entries need a correction:", len(problems)
    )
    for number, problem in enumerate(problems):
        lines[f"message{number}"] = problem.message
        if problem.label is None:
            template.append(f"- {{message{number}}}")
        else:
            lines[f"label{number}"] = problem.label
            template.append(f"- **{{label{number}}}**: {{message{number}}}")
    return Text("\n".join(template), params=lines)


def problem_message(detail: ErrorDetails) -> Text:
    """Translate one of pydantic's errors."""
    context = detail.get("ctx", {})
    error = context.get("error")
    return error.text if isinstance(error, FieldError) else _message(detail["type"], context)


def _message(kind: str, context: Mapping[str, Any]) -> Text:
    match kind:
        case "missing":
            return t("This is required.")
        case "string_too_short":
            return tn(
                "Write at least {count} character.",
                "Write at least {count} characters.",
                context["min_length"],
            )
        case "string_too_long":
            return tn(
                "Write at most {count} character.", "Write at most {count} characters.", context["max_length"]
            )
        case "too_short":
            return tn("Choose at least {count}.", "Choose at least {count}.", context["min_length"])
        case "too_long":
            return tn("Choose at most {count}.", "Choose at most {count}.", context["max_length"])
        case "greater_than_equal":
            return t("Enter {limit} or more.", limit=context["ge"])
        case "less_than_equal":
            return t("Enter {limit} or less.", limit=context["le"])
        case "greater_than":
            return t("Enter more than {limit}.", limit=context["gt"])
        case "less_than":
            return t("Enter less than {limit}.", limit=context["lt"])
        case "literal_error" if context.get("expected") == "True":
            return t("Tick this box to go on.")
        case "literal_error" | "enum":
            return t("Choose one of the options.")
        case "model_type" | "dataclass_type" | "is_instance_of":
            return t("That person is not a member of this server.")
        case _:
            return _parsing(kind)


def _parsing(kind: str) -> Text:
    if kind.startswith("int"):
        return t("Enter a whole number.")
    if kind.startswith(("float", "decimal", "finite")):
        return t("Enter a number.")
    if kind.startswith("date"):
        return t("Enter a date like 2026-12-31.")
    if kind.startswith("url"):
        return t("Enter a web address that starts with https://.")
    return t("This is not valid.")
