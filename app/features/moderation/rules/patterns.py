"""Many patterns at once with RE2: a Set tells in one pass which of them occur, RE2 then tells where.

RE2 matches in linear time whatever pattern and text are, so people may write the patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

from app.features.moderation.text.view import Layer

MEMORY_BYTES = 64 << 20
"""At the default of 8 MiB, RE2's automaton overflows for thousands of words and becomes 400 times slower."""

EDGE_BEFORE = r"(?:^|[^\pL\pN_])"
EDGE_AFTER = r"(?:$|[^\pL\pN_])"
"""RE2's own \\b knows only ASCII letters."""


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

    def locate(self, index: int, layer: Layer) -> tuple[int, int] | None:
        """Return where the pattern occurs first, as [start, end) of the original; group 1 if it has one."""
        compiled = self._compiled(index)
        found = compiled.search(layer.text)
        if found is None:
            return None
        start, end = found.span(1 if compiled.groups else 0)
        return layer.span(start, end)

    def blank(self, index: int, text: str) -> str:
        """Return the text with every occurrence of the pattern's group 1 replaced by as many newlines."""
        compiled = self._compiled(index)
        position = 0
        while (found := compiled.search(text, position)) is not None:
            start, end = found.span(1)
            if end <= start:
                break
            text = text[:start] + "\n" * (end - start) + text[end:]
            position = end
        return text

    def _compiled(self, index: int) -> Any:
        compiled = self._located.get(index)
        if compiled is None:
            compiled = self._located[index] = re2.compile(self._patterns[index], self._options)
        return compiled
