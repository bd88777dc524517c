from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.features.moderation.text.view import SPELLING_MARKS, TextView, as_folded, as_leet, as_plain

TEXTS = st.text(max_size=120)
WORDS = st.text(alphabet="abcdefghijkmnopqrstuvwxyz", min_size=3, max_size=10)
INVISIBLE = [
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u034f",
    "\u3164",
    "\u202e",
    "\u0301",
    "\u20e3",
]
LOOKALIKES = {
    "a": "аɑ𝒂ⓐáａ",
    "e": "е𝖊ⓔéｅ",
    "o": "о𝐨ⓞöｏ",
    "i": "і𝕚ⓘíｉ",
    "c": "с𝓬ⓒçｃ",
    "p": "р𝗽ⓟｐ",
    "s": "ѕ𝔰ⓢｓ",
}


@given(TEXTS)
def test_every_offset_stays_inside_the_original(text: str) -> None:
    for layer in TextView.of(text).layers():
        if layer.origin is not None:
            assert len(layer.origin) == len(layer.text)
            assert all(0 <= index < len(text) for index in layer.origin)
        start, end = layer.span(0, len(layer.text))
        assert 0 <= start <= end <= len(text)


@given(TEXTS)
def test_a_layer_of_single_letters_keeps_their_order(text: str) -> None:
    view = TextView.of(text)
    for layer in (view.plain, view.folded, view.leet):
        assert layer.origin is None or list(layer.origin) == sorted(layer.origin)


@given(TEXTS)
def test_reading_twice_changes_nothing(text: str) -> None:
    plain = as_plain(text)
    assert as_plain(plain) == plain
    assert TextView.of(plain).leet.text == TextView.of(text).leet.text


@given(TEXTS)
def test_patterns_are_written_like_texts(text: str) -> None:
    view = TextView.of(text)
    assert (as_plain(text), as_folded(text), as_leet(text)) == (
        view.plain.text,
        view.folded.text,
        view.leet.text,
    )


@given(TEXTS)
def test_the_plain_layer_has_nothing_invisible(text: str) -> None:
    for character in TextView.of(text).plain.text:
        assert (
            character in "\n\t"
            or character in SPELLING_MARKS
            or unicodedata.category(character) not in {"Cf", "Cc", "Mn", "Me", "Mc"}
        )


@pytest.mark.parametrize("text", ["मैं तुम्हें मार डालूंगा", "আমি তোমাকে মারব", "ฉันจะฆ่าคุณ", "ខ្ញុំស្អប់អ្នក"])
def test_vowel_signs_stay_in_the_plain_layer(text: str) -> None:
    assert as_plain(text) == unicodedata.normalize("NFKC", text)


@given(WORDS, st.data())
def test_invisible_characters_disappear(word: str, data: st.DataObject) -> None:
    disguised = "".join(
        letter + "".join(data.draw(st.lists(st.sampled_from(INVISIBLE), max_size=3))) for letter in word
    )
    view = TextView.of(f"say {disguised} now")
    assert as_plain(word) in view.plain.text
    start = view.plain.text.index(word)
    first, last = view.plain.span(start, start + len(word))
    assert as_plain(view.original[first:last]) == word


@given(WORDS, st.data())
def test_lookalikes_are_read_as_what_they_look_like(word: str, data: st.DataObject) -> None:
    disguised = "".join(data.draw(st.sampled_from(letter + LOOKALIKES.get(letter, ""))) for letter in word)
    assert as_leet(word) in TextView.of(f"say {disguised} now").leet.text


@given(WORDS, st.sampled_from([" ", ".", "-", "_", " . ", "*", "\u200b ", "||||", " " * 8]))
def test_spaced_letters_are_put_together(word: str, separator: str) -> None:
    view = TextView.of(f"I say: {separator.join(word)}, yes")
    assert as_leet(word) in view.joined.text


@pytest.mark.parametrize("text", ["x y b.a.d", "b.a.d x y", "i a m b_a_d", "o k b - a - d"])
def test_other_separators_end_a_run(text: str) -> None:
    assert "bad" in TextView.of(text).joined.text.splitlines()


def test_mixed_separators_do_not_hide() -> None:
    assert "bad" in TextView.of("so b.a-d!").joined.text.splitlines()
    assert "big" in TextView.of("so b.!.g").joined.text.splitlines()


def test_words_are_not_runs() -> None:
    assert TextView.of("this is a normal sentence, I am.").joined.text == ""
    assert TextView.of("a b\nc d").joined.text == ""


def test_formatting_inside_words_is_taken_out() -> None:
    text = "so **b**a4 and b||a||d, b`a`d"
    view = TextView.of(text)
    assert view.bare.text.splitlines() == ["baa", "bad", "bad"]
    start = view.bare.text.index("bad")
    assert text[slice(*view.bare.span(start, start + 3))] == "b||a||d"
    assert TextView.of("**whole** words, snake_case and C:\\\\users\\them").bare.text == ""


def test_joined_offsets_point_at_the_letters() -> None:
    text = "so ｂ . á . d!"
    joined = TextView.of(text).joined
    start = joined.text.index("bad")
    assert text[slice(*joined.span(start, start + 3))] == "ｂ . á . d"


def test_equal_layers_are_one() -> None:
    view = TextView.of("no sign of it")
    assert view.layers() == (view.plain,)
