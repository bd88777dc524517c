"""Modals: shown as Discord wants them, validated as declared, filled in again after a refusal."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator, model_validator

from app.interactions.components import SelectOption
from app.interactions.errors import DeclarationError, InvalidInteraction, PayloadError
from app.interactions.form_problems import FieldError
from app.interactions.modal_fields import (
    ChannelField,
    CheckboxField,
    CheckboxGroupField,
    FileField,
    MentionableField,
    Note,
    RadioField,
    RoleField,
    SelectField,
    TextField,
    UserField,
)
from app.interactions.modal_schema import Form, InvalidForm, Modal, read_entries, render_form, validate
from app.interactions.payloads import Attachment, Channel, ChannelType, Member, Resolved, Role, User
from app.locale.text import Text, t
from tests.unit.interactions.strategies import PLAIN, target, texts

Check = Callable[[str, Any], None]


class Kind(Enum):
    SPAM = "spam"
    OTHER = "other"


KINDS = [SelectOption(t("Spam"), "spam"), SelectOption(t("Other"), "other")]


class Appeal(Form):
    title: ClassVar = t("Appeal a decision")
    about: Annotated[None, Note(t("A moderator who was not involved will read this."))] = None
    reason: Annotated[str, TextField(t("Why?"), paragraph=True), Field(min_length=10, max_length=1000)]
    amount: Annotated[int, TextField(t("Amount")), Field(ge=1, le=100)] = 1
    kind: Annotated[Kind, RadioField(t("What was it?"), options=KINDS)]
    proof: Annotated[tuple[Attachment, ...], FileField(t("Screenshots")), Field(max_length=3)] = ()

    @field_validator("reason")
    @classmethod
    def _polite(cls, value: str) -> str:
        if "idiot" in value:
            raise FieldError(t("Please stay polite."))
        return value

    @model_validator(mode="after")
    def _together(self) -> Appeal:
        if self.kind is Kind.SPAM and self.amount > 50:
            raise FieldError(t("Not so much for spam."))
        return self


class Objects(Form):
    title: ClassVar = t("Choose")
    member: Annotated[Member, UserField(t("Who"))]
    anyone: Annotated[list[Member | User | Role], MentionableField(t("Whom else")), Field(min_length=1)]
    channel: Annotated[Channel | None, ChannelField(t("Where"), channel_types=[ChannelType.GUILD_TEXT])] = (
        None
    )
    agreed: Annotated[Literal[True], CheckboxField(t("I have read the rules"))]
    kinds: Annotated[frozenset[Kind], CheckboxGroupField(t("Which"), options=KINDS)] = frozenset()


RESOLVED = Resolved(
    {
        "users": {"7": {"id": "7", "username": "ada"}, "6": {"id": "6", "username": "bob"}},
        "members": {"7": {"roles": [], "permissions": "0"}},
        "roles": {"8": {"id": "8", "name": "mods"}},
        "channels": {"9": {"id": "9", "type": 0}, "10": {"id": "10", "type": 2}},
        "attachments": {"5": {"id": "5", "filename": "a.png", "size": 3, "url": "https://x.org/a.png"}},
    }
)


def submitted(**leaves: dict[str, Any]) -> list[dict[str, Any]]:
    """Return `data.components` as Discord sends it (contract 3.4)."""
    labels = [
        {"type": 18, "id": 2 * n, "component": {"id": 2 * n + 1, "custom_id": name, **leaf}}
        for n, (name, leaf) in enumerate(leaves.items())
    ]
    return [{"type": 10, "id": 99}, *labels]


def appeal(**changes: Any) -> list[dict[str, Any]]:
    leaves: dict[str, dict[str, Any]] = {
        "reason": {"type": 4, "value": "I did nothing wrong."},
        "amount": {"type": 4, "value": "7"},
        "kind": {"type": 21, "value": "other"},
        "proof": {"type": 19, "values": ["5"]},
    }
    for name, value in changes.items():
        leaves[name] = leaves[name] | ({"values": value} if isinstance(value, list) else {"value": value})
    return submitted(**leaves)


def problems(components: list[dict[str, Any]], form: type[Form] = Appeal) -> dict[str, str]:
    with pytest.raises(InvalidForm) as caught:
        validate(form, read_entries(form, components, RESOLVED), RESOLVED)
    return {str(problem.label or ""): str(problem.message) for problem in caught.value.problems}


def leaf(payload: dict[str, Any], name: str) -> dict[str, Any]:
    leaves = [part["component"] for part in payload["components"] if "component" in part]
    return next(one for one in leaves if one["custom_id"] == name)


def test_a_form_is_shown_with_its_limits(assert_discord_valid: Check) -> None:
    payload = Modal(Appeal, target(), {}).render(PLAIN)
    assert_discord_valid("ModalInteractionCallbackRequest", {"type": 9, "data": payload})
    assert payload["title"] == "Appeal a decision"
    assert [part["type"] for part in payload["components"]] == [10, 18, 18, 18, 18]
    assert leaf(payload, "reason") == {
        "type": 4, "custom_id": "reason", "style": 2, "required": True, "min_length": 10, "max_length": 1000,
    }  # fmt: skip
    assert leaf(payload, "amount")["required"] is False
    assert leaf(payload, "proof") == {
        "type": 19, "custom_id": "proof", "required": False, "min_values": 0, "max_values": 3,
    }  # fmt: skip


def test_a_submission_becomes_typed_values() -> None:
    form = validate(Appeal, read_entries(Appeal, appeal(), RESOLVED), RESOLVED)
    assert (form.reason, form.amount, form.kind) == ("I did nothing wrong.", 7, Kind.OTHER)
    assert form.proof[0].filename == "a.png"


def test_fields_left_empty_take_their_defaults() -> None:
    form = validate(Appeal, read_entries(Appeal, appeal(amount="", proof=[]), RESOLVED), RESOLVED)
    assert (form.amount, form.proof) == (1, ())


def test_objects_are_resolved() -> None:
    components = submitted(
        member={"type": 5, "values": ["7"]},
        anyone={"type": 7, "values": ["7", "6", "8"]},
        channel={"type": 8, "values": ["9"]},
        agreed={"type": 23, "value": True},
        kinds={"type": 22, "values": ["spam", "other"]},
    )
    form = validate(Objects, read_entries(Objects, components, RESOLVED), RESOLVED)
    assert form.member.display_name == "ada"
    assert [type(one) for one in form.anyone] == [Member, User, Role]
    assert form.channel is not None
    assert form.channel.id == 9
    assert form.kinds == {Kind.SPAM, Kind.OTHER}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reason": ""}, {"Why?": "This is required."}),
        ({"reason": "short"}, {"Why?": "Write at least 10 characters."}),
        ({"reason": "x" * 1001}, {"Why?": "Write at most 1000 characters."}),
        ({"reason": "you are an idiot"}, {"Why?": "Please stay polite."}),
        ({"amount": "many"}, {"Amount": "Enter a whole number."}),
        ({"amount": "1.5"}, {"Amount": "Enter a whole number."}),
        ({"amount": "0"}, {"Amount": "Enter 1 or more."}),
        ({"amount": "101"}, {"Amount": "Enter 100 or less."}),
        ({"kind": None}, {"What was it?": "This is required."}),
        ({"kind": "eggs"}, {"What was it?": "Choose one of the options."}),
        ({"proof": ["5"] * 4}, {"Screenshots": "Choose at most 3."}),
        ({"proof": ["55"]}, {"Screenshots": "The file is not there any more. Attach it again."}),
        ({"kind": "spam", "amount": "51"}, {"": "Not so much for spam."}),
    ],
)
def test_every_problem_has_a_sentence(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert problems(appeal(**changes)) == expected


def test_all_problems_are_told_at_once_in_order() -> None:
    assert list(problems(appeal(proof=["55"], reason="short", amount="x"))) == [
        "Why?",
        "Amount",
        "Screenshots",
    ]


def test_objects_of_the_wrong_kind_are_refused() -> None:
    components = submitted(
        member={"type": 5, "values": ["6"]},
        anyone={"type": 7, "values": []},
        channel={"type": 8, "values": ["10"]},
        agreed={"type": 23, "value": False},
    )
    assert problems(components, Objects) == {
        "Who": "That person is not a member of this server.",
        "Whom else": "This is required.",
        "Where": "That kind of channel cannot be chosen here.",
        "I have read the rules": "Tick this box to go on.",
    }


def test_the_summary_names_each_field() -> None:
    with pytest.raises(InvalidForm) as caught:
        validate(Appeal, read_entries(Appeal, appeal(reason="short", amount="x"), RESOLVED), RESOLVED)
    assert str(caught.value.text).splitlines() == [
        "2 entries need a correction:",
        "- **Why?**: Write at least 10 characters.",
        "- **Amount**: Enter a whole number.",
    ]


def test_a_refused_form_is_shown_again_filled_in(assert_discord_valid: Check) -> None:
    entries = read_entries(Appeal, appeal(reason="short", kind="spam"), RESOLVED)
    payload = render_form(Appeal, "x", entries, PLAIN)
    assert_discord_valid("ModalInteractionCallbackRequest", {"type": 9, "data": payload})
    assert leaf(payload, "reason")["value"] == "short"
    assert leaf(payload, "amount")["value"] == "7"
    assert [option.get("default") for option in leaf(payload, "kind")["options"]] == [True, None]
    assert "values" not in leaf(payload, "proof")


def test_chosen_objects_are_filled_in_again(assert_discord_valid: Check) -> None:
    components = submitted(
        member={"type": 5, "values": ["7"]},
        anyone={"type": 7, "values": ["7", "8"]},
        channel={"type": 8, "values": ["9"]},
        agreed={"type": 23, "value": True},
        kinds={"type": 22, "values": ["spam"]},
    )
    payload = render_form(Objects, "x", read_entries(Objects, components, RESOLVED), PLAIN)
    assert_discord_valid("ModalInteractionCallbackRequest", {"type": 9, "data": payload})
    assert leaf(payload, "anyone")["default_values"] == [
        {"type": "user", "id": "7"},
        {"type": "role", "id": "8"},
    ]
    assert leaf(payload, "channel")["default_values"] == [{"type": "channel", "id": "9"}]
    assert leaf(payload, "agreed")["default"] is True


def test_a_label_in_a_row_and_unknown_leaves_are_read_too() -> None:
    """Submissions of legacy rows are not documented (contract 3.4)."""
    row = {"type": 1, "components": [{"type": 4, "custom_id": "reason", "value": "a" * 12}]}
    extra = {"type": 18, "component": {"type": 99, "custom_id": "new", "value": 3}}
    kind = {"type": 18, "component": {"type": 21, "custom_id": "kind", "value": "spam"}}
    form = validate(Appeal, read_entries(Appeal, [row, extra, kind], RESOLVED), RESOLVED)
    assert form.reason == "a" * 12


def test_a_leaf_of_another_type_counts_as_empty() -> None:
    components = submitted(reason={"type": 3, "values": ["x"]}, kind={"type": 21, "value": "spam"})
    assert problems(components) == {"Why?": "This is required."}


@pytest.mark.parametrize(
    "components",
    [
        None,
        {},
        ["x"],
        [{"type": 18, "component": None}],
        [{"type": 18, "component": {"component": {"component": {"component": {}}}}}],
        submitted(reason={"type": 4, "value": 5}),
        submitted(proof={"type": 19, "values": "5"}),
        submitted(proof={"type": 19, "values": ["x"]}),
    ],
)
def test_what_discord_would_not_send_is_refused(components: Any) -> None:
    with pytest.raises(InvalidInteraction):
        read_entries(Appeal, components, RESOLVED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "custom_id", "value", "values", "component", "components"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=150, deadline=None)
def test_no_submission_raises_anything_else(components: Any) -> None:
    for form in (Appeal, Objects):
        try:
            validate(form, read_entries(form, components, RESOLVED), RESOLVED)
        except (InvalidInteraction, InvalidForm):
            pass


def _class(title: Text, fields: dict[str, tuple[Any, Any]]) -> type[Form]:
    namespace: dict[str, Any] = {"title": title, "__module__": __name__}
    annotations: dict[str, Any] = {"title": ClassVar}
    for name, (annotation, default) in fields.items():
        annotations[name] = annotation
        if default is not ...:
            namespace[name] = default
    made = type(Form)("Made", (Form,), {**namespace, "__annotations__": annotations})
    assert issubclass(made, Form)
    return made


@st.composite
def forms(draw: st.DrawFn) -> type[Form]:
    label = texts(45).map(lambda text: text if isinstance(text, Text) else Text("{x}", params={"x": text}))
    described = {"description": draw(st.none() | label)}
    several = draw(st.booleans())
    options = [SelectOption("x", str(n)) for n in range(draw(st.integers(2, 10)))]
    bounds = Field(min_length=draw(st.integers(1, 2)), max_length=draw(st.integers(2, 10)))

    def of(kind: Any) -> Any:
        return Annotated[list[kind], bounds] if several else kind

    kinds: list[Callable[[], Any]] = [
        lambda: Annotated[str, TextField(draw(label), **described, paragraph=several), bounds],
        lambda: Annotated[of(str), SelectField(draw(label), **described, options=options)],
        lambda: Annotated[of(User), UserField(draw(label), **described)],
        lambda: Annotated[of(Role), RoleField(draw(label), **described)],
        lambda: Annotated[of(Member | Role), MentionableField(draw(label), **described)],
        lambda: Annotated[of(Channel), ChannelField(draw(label), **described)],
        lambda: Annotated[of(Attachment), FileField(draw(label), **described, file_types=["image", ".log"])],
        lambda: Annotated[str, RadioField(draw(label), **described, options=options)],
        lambda: Annotated[list[str], CheckboxGroupField(draw(label), **described, options=options), bounds],
        lambda: Annotated[bool, CheckboxField(draw(label), **described)],
    ]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    return _class(
        draw(label), {f"f{n}": (kind(), draw(st.sampled_from([..., None]))) for n, kind in enumerate(chosen)}
    )


@given(forms())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_form_that_can_be_declared_is_valid(assert_discord_valid: Check, form: type[Form]) -> None:
    payload = render_form(form, "x", {}, PLAIN)
    assert_discord_valid("ModalInteractionCallbackRequest", {"type": 9, "data": payload})


TEXT = TextField(t("Label"))
WRONG: list[tuple[str, dict[str, tuple[Any, Any]]]] = [
    ("has 0 fields", {}),
    ("has 6 fields", {f"f{n}": (Annotated[str, TEXT], ...) for n in range(6)}),
    ("needs one field or note", {"f": (str, ...)}),
    ("needs one field or note", {"f": (Annotated[str, TEXT, TEXT], ...)}),
    ("label of 'f' has 46 characters; Discord allows 1-45", {"f": (Annotated[str, TextField(t("x" * 46))], ...)}),
    ("description of 'f' has 101", {"f": (Annotated[str, TextField(t("x"), t("x" * 101))], ...)}),
    ("placeholder has 101", {"f": (Annotated[str, TextField(t("x"), placeholder=t("x" * 101))], ...)}),
    ("max_length is 4001; Discord allows 1-4000", {"f": (Annotated[str, TEXT, Field(max_length=4001)], ...)}),
    ("max_length is 3; Discord allows 5-4000", {"f": (Annotated[str, TEXT, Field(min_length=5, max_length=3)], ...)}),
    ("its type cannot be a list", {"f": (Annotated[list[str], TEXT], ...)}),
    ("its type cannot be a list", {"f": (Annotated[list[str], RadioField(t("x"), options=KINDS)], ...)}),
    ("must be a list", {"f": (Annotated[str, CheckboxGroupField(t("x"), options=KINDS)], ...)}),
    ("max_values is 11", {"f": (Annotated[list[Attachment], FileField(t("x")), Field(max_length=11)], ...)}),
    ("give it the default None", {"f": (Annotated[str | None, TEXT], ...)}),
    ("is a note", {"f": (Annotated[None, Note(t("x"))], ...)}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "fields"), WRONG, ids=[rule for rule, _ in WRONG])
def test_wrong_forms_are_refused_when_declared(rule: str, fields: dict[str, tuple[Any, Any]]) -> None:
    with pytest.raises(DeclarationError) as caught:
        _class(t("Title"), fields)
    assert rule in str(caught.value)


def test_a_form_needs_a_short_title() -> None:
    with pytest.raises(DeclarationError, match="title has 46 characters"):
        _class(t("x" * 46), {"f": (Annotated[str, TEXT], ...)})
    with pytest.raises(DeclarationError, match="needs a title"):

        class Untitled(Form):
            f: Annotated[str, TEXT]


@pytest.mark.parametrize(
    "field",
    [
        lambda: RadioField(t("x"), options=KINDS[:1]),
        lambda: SelectField(t("x"), options=[SelectOption("x", str(n)) for n in range(26)]),
        lambda: CheckboxGroupField(t("x"), options=[SelectOption("x", str(n)) for n in range(11)]),
        lambda: CheckboxGroupField(t("x"), options=[SelectOption("x", "a", emoji="🎉")]),
        lambda: FileField(t("x"), file_types=["image"] * 11),
    ],
)
def test_fields_keep_discords_limits(field: Callable[[], Any]) -> None:
    with pytest.raises(PayloadError):
        field()
