"""How a text reads to a person, however it is disguised; every character knows where it came from.

Four layers, from faithful to suspicious. Patterns are written through the same layers (`as_plain`, `as_folded`,
`as_leet`), so each layer is compared with patterns of its own kind:

    plain   NFKC, case-folded, without invisible characters and combining marks; letters stay what they are
    folded  look-alikes replaced by what they look like (decancer's table): Cyrillic а, 𝔞, ⓐ, á -> a
    leet    folded, with digits and signs read as letters, l read as i: b4d, 8@d -> bad
    joined  runs of single letters put together: b a d, b.a.d, b_a_d -> bad; only those runs

Folding turns Russian and Arabic into nonsense, so it is a second view and never stored (libraries: decancer).
ASCII texts, the most, never enter the per-character loop.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import decancer_py
import re2

INVISIBLE_CATEGORIES = frozenset({"Cf", "Cc", "Co", "Cn", "Cs"})
MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u180e\u034f")
"""Letters that show nothing: Hangul fillers, the braille blank, Khmer inherent vowels."""

LEET = str.maketrans(
    {
        "0": "o", "1": "i", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
        "@": "a", "$": "s", "!": "i", "|": "i", "+": "t", "l": "i", "¡": "i", "€": "e", "£": "i", "¢": "c",
    }
)  # fmt: skip
"""Each sign is one character for one, so that the offsets stay. `1`, `!`, `|` read as i or l: l is i as well."""

_RUN = re2.compile(r"(?:^|[^\pL\pN])((?:[\pL\pN][^\pL\pN\n]{1,3}){2,}[\pL\pN])(?:$|[^\pL\pN])")
"""Three or more single characters with one to three separators between them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A text and, for each of its characters, the index in the original; None: the same index."""

    text: str
    origin: Sequence[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's [start, end) for this layer's [start, end)."""
        if self.origin is None or start >= end:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


@dataclass(frozen=True, slots=True)
class TextView:
    """All layers of one text. Layers that are equal to an earlier one are the same object."""

    original: str
    plain: Layer
    folded: Layer
    leet: Layer
    joined: Layer

    @classmethod
    def of(cls, original: str) -> TextView:
        """Read a text. Takes about 20 µs for 2,000 ASCII characters."""
        plain = _layer(original, _plain_character)
        folded = plain if plain.text.isascii() else _through(plain, _folded_character)
        leet_text = folded.text.translate(LEET)
        leet = folded if leet_text == folded.text else Layer(leet_text, folded.origin)
        return cls(original, plain, folded, leet, _joined(leet))

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers that differ, most faithful first."""
        found: list[Layer] = []
        for layer in (self.plain, self.folded, self.leet, self.joined):
            if layer.text and all(layer is not known for known in found):
                found.append(layer)
        return tuple(found)


def as_plain(pattern: str) -> str:
    """Write a word as it stands in the plain layer."""
    return _layer(pattern, _plain_character).text


def as_folded(pattern: str) -> str:
    """Write a word as it stands in the folded layer."""
    return _through(_layer(pattern, _plain_character), _folded_character).text


def as_leet(pattern: str) -> str:
    """Write a word as it stands in the leet and joined layers."""
    return as_folded(pattern).translate(LEET)


def _layer(original: str, convert: Callable[[str], str]) -> Layer:
    if original.isascii() and original.isprintable():
        return Layer(original.lower(), None)
    return _through(Layer(original, None), convert)


def _through(layer: Layer, convert: Callable[[str], str]) -> Layer:
    parts: list[str] = []
    origin: list[int] = []
    known = layer.origin
    for index, character in enumerate(layer.text):
        converted = convert(character)
        if converted:
            parts.append(converted)
            source = index if known is None else known[index]
            if len(converted) == 1:
                origin.append(source)
            else:
                origin.extend([source] * len(converted))
    return Layer("".join(parts), origin)


@lru_cache(maxsize=65_536)
def _plain_character(character: str) -> str:
    if character in "\n\t":
        return character
    kept = []
    for part in unicodedata.normalize("NFKC", character).casefold():
        category = unicodedata.category(part)
        if category in INVISIBLE_CATEGORIES or category in MARK_CATEGORIES or part in BLANK_LETTERS:
            continue
        kept.append(" " if category in {"Zs", "Zl", "Zp"} else part)
    return "".join(kept)


@lru_cache(maxsize=65_536)
def _folded_character(character: str) -> str:
    if character.isascii() or not character.isalnum():
        return character
    return str(decancer_py.parse(character)).lower() or character


def _joined(leet: Layer) -> Layer:
    """Put runs of single letters together, each on a line of its own."""
    parts: list[str] = []
    origin: list[int] = []
    position = 0
    while (match := _RUN.search(leet.text, position)) is not None:
        start, end = match.span(1)
        for index in range(start, end):
            character = leet.text[index]
            if character.isalnum():
                parts.append(character)
                origin.append(index if leet.origin is None else leet.origin[index])
        parts.append("\n")
        origin.append(origin[-1])
        position = end
    return Layer("".join(parts), origin)
