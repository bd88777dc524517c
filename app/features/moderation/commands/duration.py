"""How long something lasts, as people type it: `30m`, `2h`, `1d12h`, `4 weeks`; bare numbers are minutes."""

from __future__ import annotations

import re
from datetime import timedelta

from app.errors import UserError
from app.locale.text import t

_UNITS = {
    "s": "seconds", "sec": "seconds", "second": "seconds", "seconds": "seconds",
    "m": "minutes", "min": "minutes", "minute": "minutes", "minutes": "minutes",
    "h": "hours", "hour": "hours", "hours": "hours",
    "d": "days", "day": "days", "days": "days",
    "w": "weeks", "week": "weeks", "weeks": "weeks",
}  # fmt: skip
_PART = re.compile(r"(\d{1,6})\s*([a-z]*)", re.ASCII)


def parse_duration(text: str, *, longest: timedelta) -> timedelta:
    """Read a duration of at least a second. Raises UserError that shows what is understood and what is allowed."""
    total = timedelta()
    rest = text.strip().lower()
    position = 0
    for match in _PART.finditer(rest):
        unit = _UNITS.get(match[2] or "m")
        if unit is None or rest[position : match.start()].strip(" ,+"):
            break
        total += timedelta(**{unit: int(match[1])})
        position = match.end()
    if not rest or rest[position:].strip() or total < timedelta(seconds=1):
        raise UserError(t("“{text}” is no duration. Write for example `30m`, `2h`, `1d12h`.", text=text[:50]))
    if total > longest:
        raise UserError(t("That is too long. At most {days} days are possible.", days=longest.days))
    return total
