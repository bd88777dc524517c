"""Messages that push all others off the screen."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.locale.text import t


class NewlineSettings(BaseModel):
    """More than `most` line breaks match."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=1, le=1000)] = 30


class _Newlines:
    def __init__(self, settings: NewlineSettings) -> None:
        self._most = settings.most

    def __call__(self, sample: Sample) -> Match | None:
        text = sample.view.original if sample.message is None else sample.message.content
        count = text.count("\n")
        return Match(f"{count} line breaks") if count > self._most else None


def compile_newlines(settings: NewlineSettings) -> Judge:
    """Return the judge of line breaks."""
    return _Newlines(settings)


KIND = RuleKind(
    name="newlines",
    sentence=t("Very many line breaks."),
    settings=NewlineSettings,
    compile=compile_newlines,
    category="newlines",
)
