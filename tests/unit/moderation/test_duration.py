from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.features.moderation.commands.duration import parse_duration

LONGEST = timedelta(days=28)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30", 30), ("30m", 30), ("2h", 120), ("1d12h", 36 * 60), ("1 d, 12 hours", 36 * 60), ("4 weeks", 28 * 1440),
        (" 90 MIN ", 90), ("60s", 1), ("1h+30m", 90),
    ],
)  # fmt: skip
def test_what_people_type(text: str, minutes: int) -> None:
    assert parse_duration(text, longest=LONGEST) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "soon", "0", "0m", "-5m", "5x", "h", "1.5h", "2h nonsense", "²h"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(UserError, match="no duration"):
        parse_duration(text, longest=LONGEST)


def test_too_long_says_what_is_possible() -> None:
    with pytest.raises(UserError, match="28 days"):
        parse_duration("29d", longest=LONGEST)
    assert parse_duration("28d", longest=LONGEST) == LONGEST


@given(st.integers(0, 27), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_every_sum_of_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    wanted = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert parse_duration(f"{days}d{hours}h{minutes}m{seconds}s", longest=LONGEST) == wanted


@given(st.text(max_size=60))
def test_anything_is_a_duration_or_a_clear_answer(text: str) -> None:
    try:
        assert timedelta(seconds=1) <= parse_duration(text, longest=LONGEST) <= LONGEST
    except UserError as refused:
        assert str(refused.text)
