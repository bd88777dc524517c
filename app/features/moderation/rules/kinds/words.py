"""Listed words, found through look-alikes, invisible characters, leetspeak, stretching and spacing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.features.moderation.rules.patterns import EDGE_AFTER, EDGE_BEFORE, PatternSet
from app.features.moderation.text.view import Layer, as_folded, as_leet, as_plain
from app.locale.text import t

MAX_WORDS = 5_000
"""Seed S4's budget of 1 ms is measured with this many words."""

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class WordSettings(BaseModel):
    """`words` with `*` at an end match as part of a longer word; the others only as whole words.

    `anywhere` treats all of them as parts. `exceptions` are allowed although they contain one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: Annotated[tuple[Word, ...], Field(min_length=1, max_length=MAX_WORDS)]
    anywhere: bool = False
    exceptions: Annotated[tuple[Word, ...], Field(max_length=MAX_WORDS)] = ()
    disguised: bool = True

    @field_validator("words")
    @classmethod
    def _must_leave_something(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if not any(character.isalnum() for character in as_plain(word)):
                message = f"“{word}” has no letter or digit to look for"
                raise ValueError(message)
        return words


class _Words:
    """The words as patterns, once per layer of a text."""

    def __init__(self, settings: WordSettings) -> None:
        self._plain = PatternSet([_pattern(w, as_plain, settings) for w in settings.words])
        self._folded = self._leet = None
        if settings.disguised:
            self._folded = PatternSet([_pattern(w, as_folded, settings) for w in settings.words])
            self._leet = PatternSet([_pattern(w, as_leet, settings, stretch=True) for w in settings.words])
        self._exceptions = [
            (PatternSet([_exact(convert(word)) for word in settings.exceptions]))
            for convert in (as_plain, as_folded, as_leet)
        ]
        self._has_exceptions = bool(settings.exceptions)

    def __call__(self, sample: Sample) -> Match | None:
        view = sample.view
        pairs: list[tuple[PatternSet | None, Layer, int]] = [(self._plain, view.plain, 0)]
        if self._folded is not None:
            if view.folded is not view.plain:
                pairs.append((self._folded, view.folded, 1))
            pairs += [(self._leet, view.leet, 2), (self._leet, view.joined, 2)]
        for patterns, layer, kind in pairs:
            assert patterns is not None
            text = self._without_exceptions(layer.text, kind) if self._has_exceptions else layer.text
            hits = patterns.match(text)
            if hits:
                shown = layer.masked(text)
                spans = tuple(span for hit in hits[:20] if (span := patterns.locate(hit, shown)) is not None)
                return Match(detail=f"{len(hits)} listed word(s)", spans=spans)
        return None

    def _without_exceptions(self, text: str, kind: int) -> str:
        """Blank out the allowed words, in place, so that offsets stay."""
        exceptions = self._exceptions[kind]
        for index in exceptions.match(text):
            text = exceptions.blank(index, text)
        return text


def _pattern(
    word: str, convert: Callable[[str], str], settings: WordSettings, *, stretch: bool = False
) -> str:
    core = word.strip("*")
    text = convert(core)
    body = _stretched(text) if stretch else re2.escape(text)
    before = "" if settings.anywhere or word.startswith("*") else EDGE_BEFORE
    after = "" if settings.anywhere or word.endswith("*") else EDGE_AFTER
    return f"{before}({body}){after}"


def _stretched(text: str) -> str:
    """Let every letter be repeated: bad -> b+a+d+; a double letter needs two."""
    parts = []
    for character, run in groupby(text):
        count = len(list(run))
        escaped = re2.escape(character)
        parts.append(f"{escaped}{{{count},}}" if character.isalnum() else escaped * count)
    return "".join(parts)


def _exact(text: str) -> str:
    return f"{EDGE_BEFORE}({re2.escape(text)}){EDGE_AFTER}"


def compile_words(settings: WordSettings) -> Judge:
    """Return the judge of these words. Raises ValueError if RE2 cannot hold them."""
    return _Words(settings)


KIND = RuleKind(
    name="words",
    sentence=t("Listed words, also when they are disguised."),
    settings=WordSettings,
    compile=compile_words,
    category="words",
    names=True,
)
