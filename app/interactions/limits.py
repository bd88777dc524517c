"""Checks of Discord's limits, with one form of message: what, how much it has, how much is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from app.interactions.errors import PayloadError

MAX_URL = 2048
"""The OpenAPI document's limit for media and embed addresses; a button's is 512 (contract 3.1)."""


def check_text(what: str, value: str, high: int, *, low: int = 1) -> str:
    """Return the text. Raises PayloadError unless it has `low` to `high` characters."""
    if not low <= len(value) <= high:
        raise PayloadError(f"{what} has {len(value)} characters; Discord allows {low}-{high}")
    return value


def check_count(what: str, items: Sequence[Any], high: int, *, low: int = 1) -> None:
    """Raise PayloadError unless there are `low` to `high` items. `what` is a plural."""
    if not low <= len(items) <= high:
        raise PayloadError(f"{len(items)} {what}; Discord allows {low}-{high}")


def check_range(what: str, value: int, low: int, high: int) -> int:
    """Return the number. Raises PayloadError unless it lies between `low` and `high`."""
    if not low <= value <= high:
        raise PayloadError(f"{what} is {value}; Discord allows {low}-{high}")
    return value


def check_choices(what: str, low: int, high: int, most: int, defaults: int) -> None:
    """Raise PayloadError unless `low` to `high` of at most `most` choices go with so many defaults."""
    check_range(f"{what}: min_values", low, 0, most)
    check_range(f"{what}: max_values", high, 1, most)
    if low > high:
        raise PayloadError(f"{what}: min_values {low} is above max_values {high}")
    if defaults and not low <= defaults <= high:
        raise PayloadError(f"{what}: {defaults} default values; there must be {low}-{high} of them, or none")


def check_url(what: str, url: str, high: int = MAX_URL, *, schemes: Sequence[str] = ("http", "https")) -> str:
    """Return the address. Raises PayloadError for a wrong scheme or length."""
    check_text(what, url, high)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise PayloadError(f"{what} is not an address") from None
    if parts.scheme not in schemes or not (parts.netloc or parts.path) or not url.isascii() or " " in url:
        raise PayloadError(
            f"{what} must be an address that starts with {' or '.join(f'{s}://' for s in schemes)}"
        )
    return url


def check_media(what: str, url: str) -> str:
    """Return the address of a picture, video or file: on the web or `attachment://name`."""
    return check_url(what, url, schemes=("http", "https", "attachment"))


def check_colour(what: str, colour: int) -> int:
    """Return the RGB number. Raises PayloadError outside 0x000000-0xFFFFFF."""
    return check_range(what, colour, 0, 0xFFFFFF)
