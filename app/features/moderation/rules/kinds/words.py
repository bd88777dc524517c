"""Listed words, found through look-alikes, invisible characters, leetspeak, stretching and spacing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample, SteppedJudge
from app.features.moderation.rules.patterns import EDGE, WordTrie, marked, unmarked_spans
from app.features.moderation.text.view import SPELLING_MARKS, Layer, as_folded, as_leet, as_plain
from app.interactions.form_problems import FieldError
from app.locale.text import t

MAX_WORDS = 5_000
"""Seed S4's budget of 1 ms is measured with this many words."""

MAX_RULES = 20
"""Of one server: each is looked for in every message."""
MOST_SHOWN = 20
"""Places of words in one message that are noted."""

STEP = 100
"""Places that are looked at in one go."""

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


SHORTEST_WITHIN = 5
"""Letters that a word spelt out with spaces must have to be found amid other letters, as in "y o u b a d w o r d": the
text does not say where words end. Shorter ones are whole, or stand beside words of one letter: g l a s s is no ass."""


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
                raise FieldError(t("“{word}” has no letter or digit to look for.", word=word))
        return words


_WARM_WORDS = 300
_EXACTLY = WordSettings(words=("x",))
_WITHIN = WordSettings(words=("x",), anywhere=True)


class _Words(SteppedJudge):
    """The words as tries, once per layer of a text."""

    def __init__(self, settings: WordSettings) -> None:
        self._plain = WordTrie(_pieces(word, as_plain, settings) for word in settings.words)
        self._folded = self._leet = self._joined = None
        if settings.disguised:
            # A word that is spelt with marks would be another one without them, as it stands in these layers.
            words = [word for word in settings.words if SPELLING_MARKS.isdisjoint(as_plain(word))]
            self._folded = WordTrie(_pieces(word, as_folded, settings) for word in words)
            self._leet = WordTrie(_pieces(word, as_leet, settings, stretch=True) for word in words)
            self._joined = WordTrie(_spelt_out(word, settings) for word in words)
        self._exceptions = [
            *(
                WordTrie(_pieces(word, convert, _EXACTLY) for word in settings.exceptions)
                for convert in (as_plain, as_folded, as_leet)
            ),
            WordTrie(_spelt_out(word, _EXACTLY) for word in settings.exceptions),
        ]
        self._has_exceptions = bool(settings.exceptions)
        self._warm(settings.words)

    def _warm(self, words: Sequence[str]) -> None:
        """Have RE2 build the automaton now, in 30 ms for 5,000 words, instead of under the first hostile messages."""
        for start in range(0, len(words), _WARM_WORDS):
            almost = " ".join(word.strip("*")[:-1] for word in words[start : start + _WARM_WORDS])
            tries = (
                (self._plain, as_plain),
                (self._folded, as_folded),
                (self._leet, as_leet),
                (self._joined, as_leet),
            )
            for trie, convert in tries:
                if trie is not None:
                    # Words that fail in the end, then words that match: their begin is found by a second automaton.
                    trie.spans(marked(convert(almost)), most=1)
                    trie.spans(marked(convert(" ".join(words[start : start + MOST_SHOWN]))), most=MOST_SHOWN)

    def steps(self, sample: Sample) -> Iterator[Match | None]:
        """Look into one layer after the other."""
        view = sample.view
        pairs: list[tuple[WordTrie | None, Layer, int]] = [(self._plain, view.plain, 0)]
        if self._folded is not None:
            if view.folded is not view.plain:
                pairs.append((self._folded, view.folded, 1))
            pairs += [(self._leet, view.leet, 2), (self._joined, view.joined, 3), (self._leet, view.bare, 2)]
        for words, layer, kind in pairs:
            if words is None or not layer.text:
                continue
            text = marked(layer.text)
            if self._has_exceptions:
                text = self._without_exceptions(text, kind)
            spans: list[tuple[int, int]] = []
            for number, place in enumerate(unmarked_spans(text, words.places(text))):
                span = layer.span(*place)
                # Digits alone are a number (455 is no ass); numbers that are listed are found in the plain layer.
                if kind < _LEET or not _NUMBER.fullmatch(as_plain(view.original[slice(*span)])):
                    spans.append(span)
                    if len(spans) == MOST_SHOWN:
                        break
                if number % STEP == STEP - 1:
                    yield None
            if spans:
                yield Match(detail=f"{len(spans)} listed word(s)", spans=tuple(spans))
                return
            yield None

    def _without_exceptions(self, text: str, kind: int) -> str:
        """Blank out the allowed words, in place, so that offsets stay. Their edges stay edges."""
        parts, done = [], 0
        for start, end in self._exceptions[kind].spans(text, most=len(text)):
            parts += [text[done:start], _BLANKED.sub("\n", text[start:end])]
            done = end
        return text if not parts else "".join([*parts, text[done:]])


_LEET = 2
"""From this kind of layer on digits are read as letters."""
_NUMBER = re.compile(r"[\d\s.,:/()+*_`~|-]+")
_BLANKED = re.compile(f"[^{EDGE}]")


def _pieces(
    word: str, convert: Callable[[str], str], settings: WordSettings, *, stretch: bool = False
) -> list[str]:
    """Return the pieces of the pattern that finds the word in a marked text."""
    text = marked(convert(word.strip("*")))
    first, last = text.startswith(EDGE), text.endswith(EDGE)
    pieces = _stretched(text[first : len(text) - last], stretch=stretch)
    whole = not settings.anywhere
    # A word that ends in a sign (c++) has its edge where no word goes on.
    if whole and not word.startswith("*"):
        pieces.insert(0, EDGE if first else _NO_EDGE_BEFORE)
    if whole and not word.endswith("*"):
        pieces.append(EDGE if last else _NO_EDGE_AFTER)
    return pieces


def _spelt_out(word: str, settings: WordSettings) -> list[str]:
    """Return the pieces of the pattern that finds the word in the marked joined layer."""
    letters = "".join(character for character in as_leet(word) if character.isalnum() or character == "*")
    within = len(letters.strip("*")) >= SHORTEST_WITHIN
    return _pieces(letters, as_leet, _WITHIN if within else settings, stretch=True)


_NO_EDGE_BEFORE = f"(?:^|[^{EDGE}])"
_NO_EDGE_AFTER = f"(?:$|[^{EDGE}])"


def _stretched(text: str, *, stretch: bool) -> list[str]:
    """Return the characters, or let every letter be repeated: bad -> b+a+d+; a double letter needs two."""
    if not stretch:
        return [re2.escape(character) for character in text]
    pieces = []
    for character, run in groupby(text):
        count = len(list(run))
        escaped = re2.escape(character)
        pieces += [f"{escaped}{{{count},}}"] if character.isalnum() else [escaped] * count
    return pieces


def compile_words(settings: WordSettings) -> Judge:
    """Return the judge of these words. Raises ValueError if RE2 cannot hold them."""
    return _Words(settings)


KIND = RuleKind(
    name="words",
    sentence=t("Listed words, also when they are disguised."),
    settings=WordSettings,
    compile=compile_words,
    category="words",
    options={"words": "listed"},
    names=True,
    most=MAX_RULES,
)
