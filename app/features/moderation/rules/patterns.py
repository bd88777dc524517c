"""Many patterns at once with RE2: a Set tells in one pass which of them occur, RE2 then tells where.

RE2 matches in linear time whatever pattern and text are, so people may write the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import re2

from app.features.moderation.text.view import SPELLING_MARKS, Layer

MEMORY_BYTES = 64 << 20
"""At the default of 8 MiB, RE2's automaton overflows for thousands of words and becomes 400 times slower."""

TRIE_BYTES = 8 << 20
"""Of a trie's automaton. When it is full RE2 starts anew: throwing away 64 MiB takes 30 ms, 8 MiB a few."""

EDGE = "\x01"
"""Stands in a marked text wherever a word begins or ends. RE2's own \\b knows only ASCII letters, and a class of all
letters, twice in each of 5,000 patterns, makes an automaton of a gigabyte; one character costs nothing. No layer
contains it: control characters are invisible and are left out."""
_EDGES = re.compile(r"\b")
_VOWEL_SIGNS = "".join(sorted(SPELLING_MARKS))
_HAS_SIGNS = re.compile(f"[{_VOWEL_SIGNS}]")
_EDGES_BY_SIGNS = re.compile(
    f"(?<![\\w{_VOWEL_SIGNS}])(?=[\\w{_VOWEL_SIGNS}])|(?<=[\\w{_VOWEL_SIGNS}])(?![\\w{_VOWEL_SIGNS}])"
)
"""As _EDGES, but signs of vowels belong to the word."""


def marked(text: str) -> str:
    """Return the text with an EDGE at each end of each word (letters, digits, underscores, vowel signs)."""
    edges = _EDGES if text.isascii() or _HAS_SIGNS.search(text) is None else _EDGES_BY_SIGNS
    return edges.sub(EDGE, text)


def unmarked_spans(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield where spans of a marked text, in their order, lie in the text without marks."""
    edges = done = 0
    for start, end in spans:
        edges += text.count(EDGE, done, start)
        first = start - edges
        edges += text.count(EDGE, start, end)
        done = end
        yield first, end - edges


def options(*, memory: int = MEMORY_BYTES, case_sensitive: bool = True) -> Any:
    """Return RE2 options: quiet (a bad pattern raises, nothing goes to stderr), bounded memory."""
    chosen = re2.Options()
    chosen.case_sensitive = case_sensitive
    chosen.max_mem = memory
    chosen.log_errors = False
    return chosen


def problem_of(error: Exception) -> str:
    """Return RE2's own words for what is wrong with a pattern."""
    first = error.args[0] if error.args else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


class PatternSet:
    """Compiled patterns, matched together. Raises ValueError with RE2's message for a bad one."""

    def __init__(self, patterns: Sequence[str], *, case_sensitive: bool = True) -> None:
        self._patterns = tuple(patterns)
        self._located: dict[int, Any] = {}
        self._options = options(case_sensitive=case_sensitive)
        self._set = re2.Set.SearchSet(self._options)
        try:
            for pattern in self._patterns:
                self._set.Add(pattern)
            if self._patterns:
                self._set.Compile()
        except re2.error as error:
            raise ValueError(problem_of(error)) from None

    def match(self, text: str) -> list[int]:
        """Return the indexes of the patterns that occur in the text."""
        if not self._patterns or not text:
            return []
        return self._set.Match(text) or []

    def find(self, index: int, text: str) -> tuple[int, int] | None:
        """Return where the pattern occurs first, as [start, end) of the text; group 1 if it has one."""
        compiled = self._compiled(index)
        found = compiled.search(text)
        if found is None:
            return None
        start, end = found.span(1 if compiled.groups else 0)
        return start, end

    def locate(self, index: int, layer: Layer) -> tuple[int, int] | None:
        """Return where the pattern occurs first in a layer, as [start, end) of the original."""
        found = self.find(index, layer.text)
        return None if found is None else layer.span(*found)

    def _compiled(self, index: int) -> Any:
        compiled = self._located.get(index)
        if compiled is None:
            compiled = self._located[index] = re2.compile(self._patterns[index], self._options)
        return compiled


class WordTrie:
    """Many words as one expression that shares their beginnings.

    A Set of 5,000 patterns carries all of them in every state of its automaton, and a text that it has not seen costs
    tens of milliseconds; in a trie only the words that are still possible are alive. Words are sequences of pieces of
    RE2 syntax. Raises ValueError when RE2 cannot hold them.
    """

    def __init__(self, words: Iterable[Sequence[str]]) -> None:
        root: dict[str, Any] = {}
        for word in words:
            node = root
            for piece in word:
                node = node.setdefault(piece, {})
            node[""] = {}
        self._compiled = None
        if root:
            try:
                self._compiled = re2.compile(_alternatives(root), options(memory=TRIE_BYTES))
            except re2.error as error:
                raise ValueError(problem_of(error)) from None

    def spans(self, text: str, *, most: int) -> list[tuple[int, int]]:
        """Return where words stand in the text, up to `most` of them, without overlaps."""
        return list(islice(self.places(text), most))

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where words stand in the text, without overlaps."""
        if self._compiled is not None and text and self._compiled.search(text) is not None:
            yield from (found.span() for found in self._compiled.finditer(text))


def _alternatives(node: Mapping[str, Any]) -> str:
    """Write a trie as an expression; the longest words have ~200 pieces, RE2 allows 1,000 levels."""
    written = []
    for piece, below in sorted(node.items(), reverse=True):
        run = piece
        while len(below) == 1 and "" not in below:
            ((following, below),) = below.items()  # a chain without branches needs no groups
            run += following
        rest = _alternatives(below) if below and set(below) != {""} else ""
        written.append(run + rest)
    return written[0] if len(written) == 1 else f"(?:{'|'.join(written)})"
