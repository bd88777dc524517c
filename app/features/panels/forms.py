"""What admins fill in: one modal for each kind of panel, for a new one and to change one."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from app.features.panels.models import (
    MAX_LABEL,
    MAX_POLL_OPTIONS,
    MAX_QUESTION,
    MAX_ROLES,
    MAX_TITLE,
    Choice,
    Draft,
    Panel,
    renumbered,
)
from app.interactions.components import SelectOption
from app.interactions.form_problems import FieldError
from app.interactions.modal_fields import Entry, RadioField, RoleField, SelectField, TextField
from app.interactions.modal_schema import Form
from app.interactions.payloads import Role
from app.locale.text import t, tn


class Lasts(Enum):
    """How long a poll can be voted in."""

    HOUR = "hour"
    DAY = "day"
    THREE_DAYS = "three-days"
    WEEK = "week"
    FOREVER = "forever"

    @property
    def duration(self) -> timedelta | None:
        """Return the time, None for ever."""
        hours = {Lasts.HOUR: 1, Lasts.DAY: 24, Lasts.THREE_DAYS: 72, Lasts.WEEK: 168}.get(self)
        return None if hours is None else timedelta(hours=hours)


LASTS = (
    SelectOption(t("One hour"), "hour"),
    SelectOption(t("One day"), "day"),
    SelectOption(t("Three days"), "three-days"),
    SelectOption(t("One week"), "week"),
    SelectOption(t("Until it is closed by hand"), "forever"),
)


class PollForm(Form):
    """A poll."""

    title: ClassVar = t("Poll")
    question: Annotated[
        str,
        TextField(t("Question"), placeholder=t("Which evening suits you?")),
        Field(min_length=1, max_length=MAX_QUESTION),
    ]
    answers: Annotated[
        str,
        TextField(t("Answers"), t("One in each line, two to ten."), paragraph=True),
        Field(max_length=MAX_POLL_OPTIONS * (MAX_LABEL + 1)),
    ]
    lasts: Annotated[
        Lasts | None,
        SelectField(
            t("How long"), options=LASTS, placeholder=t("As it is; a new poll until it is closed by hand")
        ),
    ] = None

    @field_validator("question")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not (question := " ".join(value.split())):
            raise FieldError(t("This is required."))
        return question

    @field_validator("answers")
    @classmethod
    def _distinct_lines(cls, value: str) -> str:
        lines = _lines(value)
        if not 2 <= len(lines) <= MAX_POLL_OPTIONS:
            raise FieldError(t("Write two to ten answers, each in a line of its own."))
        if len({line.casefold() for line in lines}) != len(lines):
            raise FieldError(t("Two answers are the same."))
        if any(len(line) > MAX_LABEL for line in lines):
            raise FieldError(
                tn(
                    "An answer may have {count} character.",
                    "An answer may have {count} characters.",
                    MAX_LABEL,
                )
            )
        return "\n".join(lines)

    def draft(self, now: datetime, before: Panel | None = None) -> Draft:
        """Return what was entered; answers that were there before keep their votes."""
        choices = renumbered(self.answers.split("\n"), () if before is None else before.choices)
        if self.lasts is None:
            closes_at = None if before is None else before.closes_at
        else:
            closes_at = None if self.lasts.duration is None else now + self.lasts.duration
        return Draft(self.question, choices, closes_at=closes_at)


class RolesForm(Form):
    """A role picker."""

    title: ClassVar = t("Role picker")
    heading: Annotated[
        str,
        TextField(t("Heading"), placeholder=t("What do you want to hear of?")),
        Field(min_length=1, max_length=MAX_TITLE),
    ]
    roles: Annotated[
        tuple[Role, ...],
        RoleField(t("Roles"), t("Those below mine, without rights over others.")),
        Field(min_length=1, max_length=MAX_ROLES),
    ]
    many: Annotated[
        str,
        RadioField(
            t("How many can a member have?"),
            options=(SelectOption(t("As many as they like"), "many"), SelectOption(t("One of them"), "one")),
        ),
    ]

    @field_validator("heading")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not (heading := " ".join(value.split())):
            raise FieldError(t("This is required."))
        return heading

    def draft(self) -> Draft:
        """Return what was entered."""
        choices = tuple(Choice(role.id, role.name[:MAX_LABEL] or str(role.id)) for role in self.roles)
        return Draft(self.heading, choices, only_one=self.many == "one")


def entries(panel: Panel) -> dict[str, Entry]:
    """Return what fills in the form of an existing panel."""
    keys: list[str] = [str(choice.key) for choice in panel.choices]
    return {
        "question": panel.title,
        "answers": "\n".join(choice.label for choice in panel.choices),
        "heading": panel.title,
        "roles": keys,
        "many": "one" if panel.only_one else "many",
    }


def _lines(text: str) -> list[str]:
    return [line for line in (" ".join(part.split()) for part in text.splitlines()) if line]
