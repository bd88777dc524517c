"""Letters with so many marks that they cover the lines around them."""

from __future__ import annotations

from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.features.moderation.rules.patterns import options
from app.locale.text import t


class ZalgoSettings(BaseModel):
    """More than `most` combining marks on one letter match. Vietnamese, Thai and Hebrew need up to three."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=2, le=20)] = 4


class _Zalgo:
    def __init__(self, settings: ZalgoSettings) -> None:
        self._marks = re2.compile(rf"[\p{{Mn}}\p{{Me}}]{{{settings.most + 1},}}", options())

    def __call__(self, sample: Sample) -> Match | None:
        text = sample.view.original
        if text.isascii():
            return None
        spans = tuple(found.span() for found, _ in zip(self._marks.finditer(text), range(20), strict=False))
        return Match("stacked marks", spans) if spans else None


def compile_zalgo(settings: ZalgoSettings) -> Judge:
    """Return the judge of marks."""
    return _Zalgo(settings)


KIND = RuleKind(
    name="zalgo",
    sentence=t("Letters under piles of marks."),
    settings=ZalgoSettings,
    compile=compile_zalgo,
    category="zalgo",
    by_text=False,
    names=True,
)
