"""Modals: one class says what is shown, what is accepted and what the handler gets.

    class AppealForm(Form):
        title: ClassVar = t("Appeal a decision")
        about: Annotated[None, Note(t("A moderator who was not involved will read this."))] = None
        reason: Annotated[str, TextField(t("Why?"), paragraph=True), Field(min_length=20, max_length=1000)]
        amount: Annotated[int, TextField(t("Amount")), Field(ge=1, le=100)] = 1
        kind: Annotated[Kind, RadioField(t("What was it?"), options=[SelectOption(t("Spam"), "spam"), …])]
        proof: Annotated[tuple[Attachment, ...], FileField(t("Screenshots")), Field(max_length=3)] = ()

The class is a pydantic model: its types and bounds become Discord's limits when the modal is shown, and they
validate what comes back, because a client may send anything. A field with a default may be left empty. Own
checks are pydantic validators that raise FieldError with a Text. A refused submission raises InvalidForm,
which holds the problems and the entries, so that the modal can be opened again filled in (`correction.py`).
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from app.errors import UserError
from app.interactions import limits
from app.interactions.components import ComponentType
from app.interactions.custom_id import Target
from app.interactions.errors import DeclarationError, InvalidInteraction, PayloadError
from app.interactions.form_problems import Problem, problem_message, summary
from app.interactions.modal_fields import Entry, FileField, Input, Note, Rules
from app.interactions.payloads import Resolved
from app.interactions.rendering import Rendering
from app.locale.text import Text

MAX_PARTS = 5
"""Labels and notes of a modal (contract 3.3; the OpenAPI document says 40, the docs win)."""

Entries = dict[str, Entry]
"""What was entered, by field name: JSON."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    shown: Input | Note
    rules: Rules


@dataclass(frozen=True, slots=True)
class FormSpec:
    """What a form class was read into."""

    title: Text
    parts: tuple[_Part, ...]

    @property
    def inputs(self) -> Iterator[tuple[str, Input, Rules]]:
        """Return name, field and rules of what can be filled in."""
        for part in self.parts:
            if isinstance(part.shown, Input):
                yield part.name, part.shown, part.rules

    @property
    def has_files(self) -> bool:
        """Tell whether something is uploaded, which cannot be filled in again."""
        return any(isinstance(shown, FileField) for _, shown, _ in self.inputs)


class InvalidForm(UserError):
    """What was entered is refused. `entries` is what was entered."""

    def __init__(self, problems: tuple[Problem, ...], entries: Entries) -> None:
        super().__init__(summary(problems))
        self.problems = problems
        self.entries = entries


class Form(BaseModel):
    """The class of a modal. Raises DeclarationError while it is defined, naming class, field and rule."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    title: ClassVar[Text]
    """At most 45 characters."""
    spec: ClassVar[FormSpec]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        where = f"modal {cls.__name__}"
        if not hasattr(cls, "title"):
            raise DeclarationError(where, 'needs a title: `title: ClassVar = t("…")`')
        parts = tuple(_part(where, name, info) for name, info in cls.model_fields.items())
        if not 1 <= len(parts) <= MAX_PARTS:
            raise DeclarationError(where, f"has {len(parts)} fields and notes; Discord allows 1-{MAX_PARTS}")
        cls.spec = FormSpec(cls.title, parts)
        try:
            render_form(
                cls, "x", {}, Rendering("en-US", lambda text, _locale: str(text), lambda _target: "x")
            )
        except PayloadError as error:
            raise DeclarationError(where, str(error)) from None


F = TypeVar("F", bound=Form)


@dataclass(frozen=True, slots=True)
class Modal:
    """A form to be opened: its class, where it leads when submitted, and what is filled in."""

    form: type[Form]
    target: Target
    entries: Mapping[str, Entry]

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return the `data` of a response of type 9."""
        return render_form(self.form, rendering.custom_id(self.target), self.entries, rendering)


def render_form(
    form: type[Form], custom_id: str, entries: Mapping[str, Entry], rendering: Rendering
) -> dict[str, Any]:
    """Return the `data` of a response of type 9, filled in with these entries. Raises PayloadError."""
    title = limits.check_text("a modal's title", rendering.text(form.spec.title), 45)
    components = []
    for part in form.spec.parts:
        if isinstance(part.shown, Note):
            components.append(part.shown.render(rendering))
        else:
            entry = part.shown.refill(entries.get(part.name))
            components.append(part.shown.render(part.name, part.rules, entry, rendering))
    return {"custom_id": custom_id, "title": title, "components": components}


def read_entries(form: type[Form], components: Any, resolved: Resolved) -> Entries:
    """Return what was entered, from `data.components` of a submission (contract 3.4).

    Labels, rows and whatever comes later are walked through; leaves are known by custom id and type. Unknown
    leaves are ignored, missing ones count as empty. Raises InvalidInteraction.
    """
    leaves = {
        custom_id: leaf
        for leaf in _leaves(components, depth=4)
        if isinstance(custom_id := leaf.get("custom_id"), str)
    }
    entries: Entries = {}
    for name, shown, _ in form.spec.inputs:
        leaf = leaves.get(name)
        if leaf is None or leaf.get("type") != shown.type.value:
            entries[name] = False if shown.type is ComponentType.CHECKBOX else None
        else:
            entries[name] = shown.read(leaf, resolved)
    return entries


def validate(form: type[F], entries: Entries, resolved: Resolved) -> F:
    """Return the filled-in form. Raises InvalidForm with a problem for every field that is wrong."""
    values: dict[str, Any] = {}
    problems: dict[str, Problem] = {}
    labels = {name: shown.label for name, shown, _ in form.spec.inputs}
    for name, shown, rules in form.spec.inputs:
        if (entry := entries.get(name)) is None:
            continue
        try:
            value = shown.value(entry, resolved)
        except UserError as error:
            problems[name] = Problem(shown.label, error.text)
            continue
        values[name] = value[0] if isinstance(value, list) and not rules.several and value else value
    try:
        filled = form.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            name = str(detail["loc"][0]) if detail["loc"] else ""
            problems.setdefault(name, Problem(labels.get(name), problem_message(detail)))
    else:
        if not problems:
            return filled
    order = [*labels, ""]
    listed = tuple(problems[name] for name in sorted(problems, key=order.index))
    raise InvalidForm(listed, entries)


def _leaves(components: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if not isinstance(components, list) or not depth:
        raise InvalidInteraction("the components of a form are not a list")
    for component in components:
        if not isinstance(component, dict):
            raise InvalidInteraction("a component of a form is not an object")
        if "component" in component:
            yield from _leaves([component["component"]], depth - 1)
        elif "components" in component:
            yield from _leaves(component["components"], depth - 1)
        else:
            yield component


def _part(where: str, name: str, info: FieldInfo) -> _Part:
    where = f"{where}, field {name!r}"
    shown = [part for part in info.metadata if isinstance(part, Input | Note)]
    if len(shown) != 1:
        raise DeclarationError(where, 'needs one field or note: Annotated[type, TextField(t("…"))]')
    if len(name) > 100:
        raise DeclarationError(where, "the name has more than the 100 characters of a custom id")
    annotation, optional = _without_none(info.annotation)
    several = get_origin(annotation) in (list, tuple, set, frozenset)
    low = next((part.min_length for part in info.metadata if isinstance(part, MinLen)), None)
    high = next((part.max_length for part in info.metadata if isinstance(part, MaxLen)), None)
    rules = Rules(required=info.is_required() and not optional, several=several, low=low, high=high)
    if isinstance(shown[0], Input):
        try:
            shown[0].check(rules)
        except (PayloadError, TypeError) as error:
            raise DeclarationError(where, str(error)) from None
        if optional and info.is_required():
            raise DeclarationError(where, "may be None, so give it the default None")
    elif info.is_required():
        raise DeclarationError(where, "is a note: annotate it with None and give it the default None")
    return _Part(name, shown[0], rules)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = tuple(part for part in get_args(annotation) if part is not types.NoneType)
        if len(inner) < len(get_args(annotation)):
            return reduce(or_, inner), True
    return annotation, False
