"""Regular expressions, written by the server's own people: RE2, checked before they are saved."""

from __future__ import annotations

import random
import re
import string
import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample, SteppedJudge
from app.features.moderation.rules.patterns import PatternSet, options, problem_of
from app.features.moderation.text.view import Layer, TextView
from app.interactions.form_problems import FieldError
from app.locale.text import Text, t

MAX_PATTERNS = 100
MAX_RULES = 10
"""Of one server: each may take LINT_SECONDS for every message."""
MAX_LENGTH = 260
"""What Discord's own AutoMod takes as a pattern."""
MAX_PROGRAM = 1_000
"""Instructions of a compiled pattern; counted repetitions multiply them."""
LINT_SECONDS = 0.0015
"""CPU time that the worst of the hostile texts may take in one match call: a third of the bar of 5 ms."""
HOPELESS_SECONDS = 0.02
"""What takes longer for one text is not worth building up further."""
LINT_LENGTH = 4_000
"""Characters of the longest message."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_PROBES = ("", "a", " a b ", "\n", "0 _", "é!")


class RegexSettings(BaseModel):
    """Patterns in RE2's syntax, matched without regard to case; `disguised`: also in the layers behind disguises."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patterns: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_PATTERNS)]
    disguised: bool = True

    @field_validator("patterns")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            problem = _problem(pattern)
            if problem is not None:
                raise FieldError(t("`{pattern}`: {problem}", pattern=pattern[:60], problem=problem))
        return patterns


def _problem(pattern: str) -> Text | str | None:
    """Say what is wrong with a pattern; what RE2 says about it is English."""
    if not 1 <= len(pattern) <= MAX_LENGTH:
        return t("A pattern has 1 to {count} characters.", count=MAX_LENGTH)
    try:
        compiled = re2.compile(pattern, options(case_sensitive=False))
    except re2.error as error:
        return problem_of(error)
    size = max(compiled.programsize, compiled.reverseprogramsize)
    if size > MAX_PROGRAM:
        return t(
            "It is too large ({size} instructions, {most} are allowed). Make its repetitions smaller.",
            size=size,
            most=MAX_PROGRAM,
        )
    if any(
        (found := compiled.search(probe)) is not None and found.start() == found.end() for probe in _PROBES
    ):
        return t("It matches the empty text, so it would match every message.")
    return None


class _Regexes(SteppedJudge):
    def __init__(self, settings: RegexSettings) -> None:
        self._set = PatternSet(settings.patterns, case_sensitive=False)
        self._disguised = settings.disguised

    def warm(self, text: str) -> float:
        """Have RE2 build what it needs for such a text; return the CPU seconds that took."""
        started = time.thread_time()
        self._set.match(text)
        return time.thread_time() - started

    def steps(self, sample: Sample) -> Iterator[Match | None]:
        """Look into one layer after the other."""
        view = sample.view
        layers = [Layer(view.original, None)]
        if self._disguised:
            if view.plain.text != view.original.lower():
                layers.append(view.plain)
            if view.folded is not view.plain:
                layers.append(view.folded)
        for layer in layers:
            hits = self._set.match(layer.text)
            if hits:
                spans = tuple(span for hit in hits[:20] if (span := self._set.locate(hit, layer)) is not None)
                yield Match(f"{len(hits)} pattern(s)", spans)
                return
            yield None


def compile_regexes(settings: RegexSettings) -> Judge:
    """Return the judge of these patterns. Raises ValueError if RE2 cannot hold them together."""
    judge = _Regexes(settings)
    for text in hostile_texts(settings.patterns, 0):
        if judge.warm(text) > HOPELESS_SECONDS:
            break  # lint will refuse it
    return judge


def lint_regexes(settings: RegexSettings, judge: Judge) -> None:
    """Try the patterns on texts made to slow them down. Raises ValueError when one match call takes too long.

    RE2 builds its automaton while it reads: a text that it has seen before is fast, so every text here is a new one.
    The first of a kind is not counted (the engine reads those when it compiles), of the others the better counts: the
    machine has other work.
    """
    rounds = [hostile_texts(settings.patterns, seed) for seed in range(3)]
    for texts in zip(*rounds, strict=True):
        _, second, third = (_seconds(judge, text) for text in texts)
        spent = min(second, third)
        if spent > LINT_SECONDS:
            raise FieldError(
                t(
                    "Together they take {spent} ms for one long message, {most} ms are allowed. "
                    "Shorten counted repetitions such as {example}.",
                    spent=round(spent * 1000, 1),
                    most=round(LINT_SECONDS * 1000, 1),
                    example="`.{0,100}`",
                )
            )


def _seconds(judge: Judge, text: str) -> float:
    # A view of one layer: what is measured is the matching.
    layer = Layer(text, None)
    sample = Sample(TextView(text, layer, layer, layer, layer, layer))
    started = time.thread_time()
    judge(sample)
    return time.thread_time() - started


def hostile_texts(patterns: Sequence[str], seed: int) -> list[str]:
    """Return texts of 4,000 characters that keep an automaton of these patterns busy.

    They are made of the patterns' own letters and words, and of letters at large; another seed gives other texts.
    """
    shuffled = random.Random(seed)
    joined = " ".join(patterns).lower()
    letters = sorted({character for character in joined if character.isalpha()}) or ["a"]
    words = sorted(set(_WORD.findall(joined))) or letters
    size = LINT_LENGTH
    texts = [
        "".join(shuffled.choices(letters, k=size)),
        "".join(shuffled.choices(letters[:2], k=size)),
        "".join(shuffled.choices([*letters, " ", " ", "."], k=size)),
        "".join(shuffled.choices(words, k=size)),
        " ".join(shuffled.choices(words, k=size)),
        "".join(shuffled.choices("ab", k=size)),
        "".join(shuffled.choices(string.ascii_lowercase + string.digits + " .", k=size)),
    ]
    return [text[:size] for text in texts]


KIND = RuleKind(
    name="regex",
    sentence=t("Regular expressions (RE2)."),
    settings=RegexSettings,
    compile=compile_regexes,
    category="regex",
    options={"patterns": "pattern"},
    as_written=True,
    names=True,
    lint=lint_regexes,
    most=MAX_RULES,
)
