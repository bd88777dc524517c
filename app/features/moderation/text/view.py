"""How a text reads to a person, however it is disguised; every character knows where it came from.

Five layers, from faithful to suspicious. Patterns are written through the same layers (`as_plain`, `as_folded`,
`as_leet`), so each layer is compared with patterns of its own kind:

    plain   NFKC, case-folded, without invisible characters and combining marks, except those that spell words in
            Indic and South-East Asian scripts; letters stay what they are
    folded  look-alikes replaced by what they look like (decancer's table): Cyrillic а, 𝔞, ⓐ, á -> a
    leet    folded, with digits and signs read as letters, l read as i: b4d, 8@d -> bad
    joined  runs of single letters put together: b a d, b.a.d, b_a_d -> bad; only those runs
    bare    words with Discord's formatting inside put together: ba**d**, b||ad|| -> bad; only those words

Folding turns Russian and Arabic into nonsense, so it is a second view and never stored (libraries: decancer).
Texts are translated in one C call per layer; where a character came from is worked out only when something matched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import decancer_py
import re2

INVISIBLE_CATEGORIES = frozenset({"Cf", "Cc", "Co", "Cn", "Cs"})
MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u180e\u034f")
"""Letters that show nothing: Hangul fillers, the braille blank, Khmer inherent vowels."""
SPELLING_MARKS = frozenset(
    character
    for first, last in (
        ("\u0900", "\u0fff"),  # Devanagari to Sinhala, Thai, Lao, Tibetan
        ("\u1000", "\u109f"),  # Myanmar
        ("\u1700", "\u17ff"),  # Philippine scripts, Khmer
        ("\u1a00", "\u1aaf"),  # Buginese, Tai Tham
        ("\u1b00", "\u1bff"),  # Balinese, Sundanese, Batak
    )
    for character in map(chr, range(ord(first), ord(last) + 1))
    if unicodedata.category(character) in MARK_CATEGORIES and character not in BLANK_LETTERS
)
"""Marks that are vowels and tones: without them other words stand there."""

LEET = str.maketrans(
    {
        "0": "o", "1": "i", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
        "@": "a", "$": "s", "!": "i", "|": "i", "+": "t", "l": "i", "¡": "i", "€": "e", "£": "i", "¢": "c",
    }
)  # fmt: skip
"""Each sign is one character for one, so that the offsets stay. `1`, `!`, `|` read as i or l: l is i as well."""

MOST_KNOWN = 65_536
"""Conversions that are remembered; a flood of rare characters starts the memory anew."""

_RUN = re.compile(r"(?<![^\W_])(?:[^\W_](?:(?!\n)[\W_]){1,8}){2,}[^\W_](?![^\W_])")
"""Three or more single characters with one to eight separators between them. Letters and separators exclude each
other, so there is nothing to backtrack into: time is linear in the text."""
_HAS_RUN = re2.compile(r"(?:^|[^\pL\pN])(?:[\pL\pN][^\pL\pN\n]+){2,}[\pL\pN](?:$|[^\pL\pN])")
"""Says four times faster that there is none, which is so for most texts."""
_SHORTEST_RUN = 3
_FORMATTED = re2.compile(r"[\pL\pN]+(?:(?:[*`]|~~|\|\||__)+[\pL\pN]+)+")
"""Words with Discord's formatting inside, which readers do not see."""
_WORDS_OF_ONE_LETTER = frozenset("aeiouynr")
"""In the languages that we speak and in chats ("u r a ..."); l is read as i."""
_MOST_LEADING = 3


class Conversion(dict[int, str]):
    """A table for `str.translate` that fills itself: code point -> what it becomes ("" removes it)."""

    def __init__(self, convert: Callable[[str], str]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, code: int) -> str:
        if len(self) >= MOST_KNOWN:
            self.clear()
        converted = self[code] = self._convert(chr(code))
        return converted


class Layer:
    """A text and, for each of its characters, the index in the original."""

    __slots__ = ("_origin", "_source", "text")

    def __init__(self, text: str, source: tuple[Layer, Conversion] | Sequence[int] | None) -> None:
        """`source`: the layer below and how it was converted, or the indexes themselves; None: the same indexes."""
        self.text = text
        self._source = source if isinstance(source, tuple) else None
        self._origin: Sequence[int] | None = None if isinstance(source, tuple) else source

    @property
    def origin(self) -> Sequence[int] | None:
        """The indexes in the original; None: the same ones."""
        if self._source is not None:
            below, conversion = self._source
            known = below.origin
            found: list[int] = []
            for index, character in enumerate(below.text):
                length = len(conversion[ord(character)])
                if length == 1:
                    found.append(index if known is None else known[index])
                elif length:
                    found.extend([index if known is None else known[index]] * length)
            self._origin, self._source = found, None
        return self._origin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's [start, end) for this layer's [start, end)."""
        origin = self.origin
        if origin is None or start >= end:
            return start, end
        return origin[start], origin[end - 1] + 1

    def masked(self, text: str) -> Layer:
        """Return this layer with another text of the same length."""
        assert len(text) == len(self.text)
        return Layer(text, self._source if self._source is not None else self._origin)


@dataclass(frozen=True, slots=True)
class TextView:
    """All layers of one text. Layers that are equal to an earlier one are the same object."""

    original: str
    plain: Layer
    folded: Layer
    leet: Layer
    joined: Layer
    bare: Layer

    @classmethod
    def of(cls, original: str) -> TextView:
        """Read a text. Takes about 20 µs for 2,000 ASCII characters, 200 µs for others."""
        plain = _plain(original)
        folded = plain if plain.text.isascii() else _through(plain, _FOLDED)
        leet_text = folded.text.translate(LEET)
        leet = folded if leet_text == folded.text else folded.masked(leet_text)
        return cls(original, plain, folded, leet, _joined(folded, leet), _bare(folded, leet))

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers that differ, most faithful first."""
        found: list[Layer] = []
        for layer in (self.plain, self.folded, self.leet, self.joined, self.bare):
            if layer.text and all(layer is not known for known in found):
                found.append(layer)
        return tuple(found)


def as_plain(pattern: str) -> str:
    """Write a word as it stands in the plain layer."""
    return _plain(pattern).text


def as_folded(pattern: str) -> str:
    """Write a word as it stands in the folded layer."""
    return _through(_plain(pattern), _FOLDED).text


def as_leet(pattern: str) -> str:
    """Write a word as it stands in the leet and joined layers."""
    return as_folded(pattern).translate(LEET)


def _plain(original: str) -> Layer:
    if original.isascii() and original.isprintable():
        return Layer(original.lower(), None)
    return _through(Layer(original, None), _PLAIN)


def _through(layer: Layer, conversion: Conversion) -> Layer:
    text = layer.text.translate(conversion)
    return layer if text == layer.text else Layer(text, (layer, conversion))


def _plain_character(character: str) -> str:
    """Return what a character is in the plain layer, until another pass would change nothing."""
    if character in "\n\t":
        return character
    converted = _plain_once(character)
    while converted and converted != (again := "".join(map(_plain_once, converted))):
        converted = again
    return converted


def _plain_once(character: str) -> str:
    kept = []
    for part in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold()):
        category = unicodedata.category(part)
        if category in INVISIBLE_CATEGORIES or part in BLANK_LETTERS:
            continue
        if category in MARK_CATEGORIES and part not in SPELLING_MARKS:
            continue
        kept.append(" " if category in {"Zs", "Zl", "Zp"} else part)
    return "".join(kept)


def _folded_character(character: str) -> str:
    if character in SPELLING_MARKS:
        return ""  # on a letter of another script it is a disguise
    sign = unicodedata.category(character) == "So"
    if character.isascii() or not (character.isalnum() or sign):
        return character
    folded = str(decancer_py.parse(character)).lower() or character
    # Of the signs those that show letters are read: squared and circled ones, those of flags.
    return character if sign and not (folded.isascii() and folded.isalnum()) else folded


_PLAIN = Conversion(_plain_character)
_FOLDED = Conversion(_folded_character)


def _joined(folded: Layer, leet: Layer) -> Layer:
    """Put runs of single letters together, each on a line of its own.

    A run whose separators change is also read in parts: of "i a m b.a.d" come "iambad", "iamb" and "bad". Words of
    one letter beside it are also left out: "you are a b a d ..." reads "abad" and "bad". Signs may be letters (b.!.g)
    or not (b.a.d!), so runs are looked for in both layers.
    """
    lines: dict[tuple[int, ...], None] = {}
    for text in (leet.text,) if leet is folded else (leet.text, folded.text):
        if _HAS_RUN.search(text) is None:
            continue
        for match in _RUN.finditer(text):
            letters = [index for index in range(*match.span()) if text[index].isalnum()]
            for part in (letters, *_same_separators(text, letters)):
                lines.update(dict.fromkeys(_readings(leet.text, tuple(part))))
    return _in_lines(leet, lines)


def _bare(folded: Layer, leet: Layer) -> Layer:
    """Take Discord's formatting out of words, each on a line of its own; `|` is a letter in the leet layer."""
    text = folded.text
    return _in_lines(
        leet,
        [
            tuple(index for index in range(*match.span()) if text[index].isalnum())
            for match in _FORMATTED.finditer(text)
        ],
    )


def _in_lines(leet: Layer, lines: Collection[tuple[int, ...]]) -> Layer:
    """Return the characters at these indexes of a layer, line by line."""
    if not lines:
        return _EMPTY
    known = leet.origin
    origin: list[int] = []
    for line in lines:
        origin += line if known is None else [known[index] for index in line]
        origin.append(origin[-1])
    return Layer("".join("".join([leet.text[index] for index in line]) + "\n" for line in lines), origin)


def _readings(text: str, letters: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the run, and what is left of it without words of one letter before and behind."""
    ends = [len(letters)]
    if text[letters[-1]] in _WORDS_OF_ONE_LETTER:
        ends.append(len(letters) - 1)
    for start in range(_MOST_LEADING + 1):
        yield from (letters[start:end] for end in ends if end - start >= _SHORTEST_RUN)
        if start >= len(letters) or text[letters[start]] not in _WORDS_OF_ONE_LETTER:
            return


_EMPTY = Layer("", None)


def _same_separators(text: str, letters: list[int]) -> list[list[int]]:
    """Split a run where its separator changes; the letter in between belongs to both parts."""
    parts: list[list[int]] = [[letters[0]]]
    current: str | None = None
    for before, after in pairwise(letters):
        separator = text[before + 1 : after]
        if current is not None and separator != current:
            parts.append([before])
        current = separator
        parts[-1].append(after)
    return parts
