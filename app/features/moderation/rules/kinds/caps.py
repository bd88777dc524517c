"""Shouting: mostly capital letters."""

from __future__ import annotations

from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.features.moderation.rules.patterns import options
from app.locale.text import t

_MARKUP = re2.compile(r"<[^<>\s]{1,100}>|https?://\S+", options())
"""Mentions, custom emoji and links: nobody's voice."""


class CapsSettings(BaseModel):
    """At least `percent` capitals among `least` or more letters match. Scripts without capitals never do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: Annotated[int, Field(ge=1, le=100)] = 80
    least: Annotated[int, Field(ge=1, le=1000)] = 12


class _Caps:
    def __init__(self, settings: CapsSettings) -> None:
        self._settings = settings

    def __call__(self, sample: Sample) -> Match | None:
        text = sample.view.original
        if len(text) < self._settings.least or text.islower():
            return None
        if "<" in text or "://" in text:
            text = _MARKUP.sub("", text)
        upper = sum(map(str.isupper, text))
        if upper < self._settings.least * self._settings.percent // 100:
            return None
        letters = upper + sum(map(str.islower, text))
        if letters < self._settings.least or upper * 100 < letters * self._settings.percent:
            return None
        return Match(f"{upper * 100 // letters} % capitals")


def compile_caps(settings: CapsSettings) -> Judge:
    """Return the judge of capitals."""
    return _Caps(settings)


KIND = RuleKind(
    name="caps",
    sentence=t("Mostly capital letters."),
    settings=CapsSettings,
    compile=compile_caps,
    category="caps",
    by_text=False,
)
