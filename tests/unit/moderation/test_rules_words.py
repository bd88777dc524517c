from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.features.moderation.rules.kind import InvalidRule, Sample, kinds
from app.features.moderation.text.view import TextView
from tests.unit.moderation.rule_samples import judge

INVISIBLE = ["\u200b", "\u2060", "\u00ad", "\u0336", "\u3164"]
LOOKALIKES = {"d": "dԁⅾ𝐝ｄ", "a": "aа@4áａ", "n": "nո𝓷ｎ", "g": "gɡ9ｇ", "e": "eе3é€ｅ", "r": "rг𝗿ｒ"}


def caught(text: str, *words: str, **settings: object) -> bool:
    return judge("words", {"words": list(words), **settings}, text) is not None


@given(st.data())
def test_no_disguise_hides_a_listed_word(data: st.DataObject) -> None:
    word = "danger"
    separator = data.draw(st.sampled_from(["", "", " ", ".", "-", "_", "*"]))
    letters = []
    for letter in word:
        look = data.draw(st.sampled_from(LOOKALIKES[letter]))
        times = data.draw(st.integers(1, 4)) if not separator else 1
        hidden = "".join(data.draw(st.lists(st.sampled_from(INVISIBLE), max_size=2)))
        letters.append(look * times + hidden)
    text = f"Look, {separator.join(letters)} ahead"
    assert caught(text, word), text


@pytest.mark.parametrize(
    ("text", "word", "hit"),
    [
        ("you are bad", "bad", True),
        ("BAD!", "bad", True),
        ("badger", "bad", False),
        ("badger", "bad*", True),
        ("superbad", "*bad", True),
        ("superbadly", "*bad", False),
        ("superbadly", "*bad*", True),
        ("snake_bad_case", "bad", False),
        ("so bad", "so bad", True),
        ("Это плохо", "плохо", True),
        ("Это ПЛОХО!", "плохо", True),
        ("hel lo", "hello", False),
        ("b a d luck", "bad", True),
        ("ba d luck", "bad", False),
        ("boook", "book", True),
        ("bok", "book", False),
        ("bk", "book", False),
        ("ｂａｄ", "bad", True),
        ("b\u0301a\u0301d", "bad", True),
        ("C++ is nice", "c++", True),
        ("room 455", "ass", False),
        ("4 5 5, or 4-5-5, or 4**5**5", "ass", False),
        ("455, you 4s5", "ass", True),
        ("area 455", "455", True),
        ("**ba**d", "bad", True),
        ("ba||d||", "bad", True),
        ("**the**rapists", "rapist", False),
        ("b||||a||||d", "bad", True),
        ("🅱🅰🅳", "bad", True),
        ("🇧 🇦 🇩", "bad", True),
        ("b\u0e47ad", "bad", True),
        ("तेरी चूत।", "चूत", True),
        ("चूता", "चूत", False),
        ("मेरा चित शांत है", "चूत", False),
    ],
)
def test_whole_words_and_parts(text: str, word: str, hit: bool) -> None:
    assert caught(text, word) is hit


@pytest.mark.parametrize(
    ("text", "word", "hit"),
    [
        ("you are a b a d w o r d", "badword", True),
        ("I b-a-d-w-o-r-d you", "badword", True),
        ("y o u b a d w o r d", "badword", True),
        ("b a d w o r d s a l l a r o u n d", "badword", True),
        ("you are a b a d !", "bad", True),
        ("u r a b a d", "bad", True),
        ("so b a d u", "bad", True),
        ("b a d g e r", "bad", False),
        ("g l a s s", "ass", False),
        ("a g l a s s", "ass", False),
        ("s o b a d", "so bad", True),
        ("b a d g e r", "bad*", True),
        ("g l a s s", "*ass", True),
    ],
)
def test_words_that_are_spelt_out(text: str, word: str, hit: bool) -> None:
    """Where words end is not said in them: longer ones are found amid letters, shorter ones beside words of one."""
    assert caught(text, word) is hit


def test_an_exception_counts_for_what_is_spelt_out_too() -> None:
    assert caught("a t h e r a p i s t", "rapist")
    assert not caught("a t h e r a p i s t", "rapist", exceptions=["therapist"])
    assert caught("a t h e r a p i s t, n o r a p i s t", "rapist", exceptions=["therapist"])


@given(st.sampled_from(["a ", "I ", "u r ", "", "you a "]), st.sampled_from(["", " u", " i"]))
def test_words_of_one_letter_beside_it_hide_nothing(before: str, after: str) -> None:
    view = TextView.of(f"{before}{' '.join('d4nger')}{after}")
    assert "danger" in view.joined.text.splitlines()


def test_exceptions_are_allowed_but_hide_nothing_else() -> None:
    assert not caught("Scunthorpe", "*cunt*", exceptions=["scunthorpe"])
    assert caught("Scunthorpe, you cunt", "*cunt*", exceptions=["scunthorpe"])


def test_without_disguises_only_the_plain_word_counts() -> None:
    assert not caught("b4d", "bad", disguised=False)
    assert caught("Bad", "bad", disguised=False)


def test_spans_point_at_the_word_as_it_was_written() -> None:
    text = "so b\u200bа\u200bd, yes"
    match = judge("words", {"words": ["bad"]}, text)
    assert match is not None
    assert [text[start:end] for start, end in match.spans] == ["b\u200bа\u200bd"]


@pytest.mark.parametrize("words", [[], ["***"], ["x" * 101], ["!!!"]])
def test_lists_that_find_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidRule):
        kinds()["words"].parse({"words": words})


def test_five_thousand_words_fit_and_are_found() -> None:
    words = [
        f"{a}{b}{c}{d}x"
        for a in "bcdfghk"
        for b in "aeiou"
        for c in "lmnprst"
        for d in "aeiouyrtlnmsdkgbpfvz"
    ]
    words = (words + [f"y{word}" for word in words])[:5000]
    compiled = kinds()["words"].compile(kinds()["words"].parse({"words": words}))
    for text, hit in (
        (f"say {words[4999]}!", True),
        (f"say {words[0]}s", False),
        (f"{words[3][0]}.{'.'.join(words[3][1:])}", True),
    ):
        assert (compiled(Sample(TextView.of(text))) is not None) is hit
