"""Integers take a short way; it must lead to the same text as babel's."""

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from app.locale.formats import format_number


@pytest.mark.parametrize("locale", ["en_US", "de", "fr", "es_ES", "pt_BR", "ja", "hi"])
@given(number=st.integers(-(10**7), 10**15))
def test_integers_look_as_cldr_says(locale: str, number: int) -> None:
    grouped = locale != "es_ES" or abs(number) >= 10_000  # minimumGroupingDigits is 2 for Spanish
    assert format_number(number, locale) == format_decimal(number, locale=locale, group_separator=grouped)
