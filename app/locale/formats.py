"""How the values of placeholders look in a language (CLDR, through babel).

int, float, Decimal   the locale's separators: 1,234.5 · 1.234,5 · 1 234,5. Ids and case numbers: pass a str
Percent               50% · 50 %
datetime              Discord's own markup, which each reader sees in their language and time zone
date                  29 February 2028 · 29. Februar 2028
timedelta             the two largest units: 1 minute and 15 seconds
list, tuple           a, b and c
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from app.locale.text import Percent

SECONDS: tuple[tuple[Literal["day", "hour", "minute", "second"], int], ...] = (
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
    ("second", 1),
)

_GROUPED_FROM = {"es": 10_000}
"""CLDR's minimumGroupingDigits is 2 for Spanish (1234, 12.345), which babel 2.18 does not apply."""


def format_value(value: Any, locale: str, render: Callable[[Any], str]) -> str:
    """Return a value as text. `locale` is babel's name, e.g. `pt_BR`; `render` translates nested texts."""
    match value:
        case str():
            return value
        case bool():
            return str(value)
        case Percent():
            from babel.numbers import format_percent

            return format_percent(value, locale=locale)
        case int() | float() | Decimal():
            return format_number(value, locale)
        case datetime():
            return f"<t:{int(value.timestamp())}:f>"
        case date():
            from babel.dates import format_date

            return format_date(value, "long", locale=locale)
        case timedelta():
            return format_duration(value, locale)
        case list() | tuple():
            from babel.lists import format_list

            return format_list([render(item) for item in value], locale=locale)
        case _:
            return str(value)


def format_number(number: float | Decimal, locale: str) -> str:
    """Return a number with the locale's separators. Integers, the usual case, cost next to nothing."""
    if isinstance(number, int) and number > -1000:
        if number < 1000:
            return str(int(number))
        if (separator := _thousands(locale)) is not None:
            grouped = number >= _GROUPED_FROM.get(locale.partition("_")[0], 0)
            return f"{number:,}".replace(",", separator) if grouped else str(number)
    from babel.numbers import format_decimal

    grouped = abs(float(number)) >= _GROUPED_FROM.get(locale.partition("_")[0], 0)
    return format_decimal(number, locale=locale, group_separator=grouped)


@cache
def _thousands(locale: str) -> str | None:
    """Return what stands between groups of three digits; None where groups have other sizes."""
    from babel import Locale
    from babel.numbers import get_group_symbol

    pattern = Locale.parse(locale).decimal_formats[None]
    return get_group_symbol(locale) if pattern.grouping == (3, 3) else None


def format_duration(duration: timedelta, locale: str) -> str:
    """Return a duration in its two largest units, rounded up to whole seconds, at least one."""
    from babel.dates import format_timedelta
    from babel.lists import format_list

    left = max(1, math.ceil(duration.total_seconds()))
    parts: list[str] = []
    for unit, seconds in SECONDS:
        number, rest = divmod(left, seconds)
        if number:
            part = timedelta(seconds=number * seconds)
            parts.append(format_timedelta(part, granularity=unit, threshold=math.inf, locale=locale))
            left = rest
        elif parts:
            break
        if len(parts) == 2 or not left:
            break
    return format_list(parts, locale=locale)
