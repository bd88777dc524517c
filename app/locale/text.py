"""A text that is translated when it is shown: handlers and errors carry it, the edge renders it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


class Percent(float):
    """A share as the value of a placeholder: 0.5 is shown as 50%, 50 % in some languages."""


@dataclass(frozen=True, slots=True)
class Text:
    """An English message with named placeholders, looked up in the catalogue of the reader's locale.

    `plural` and `count` choose a plural form; `params` fill `{name}` placeholders (numbers and dates are
    formatted for the locale).
    """

    message: str
    plural: str | None = None
    count: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def filled(self, **params: Any) -> Text:
        """Return the same text with these values: for templates that stand at the top of a module."""
        return replace(self, params={**self.params, **params})

    def __str__(self) -> str:
        """Return the untranslated English text: for logs and tests, not for Discord."""
        chosen = self.plural if self.plural is not None and self.count != 1 else self.message
        return chosen.format_map({"count": self.count, **self.params})


def t(message: str, /, **params: Any) -> Text:
    """Mark a message for translation. `t("Hello {name}", name=…)`."""
    return Text(message, params=params)


def tn(one: str, many: str, /, count: int, **params: Any) -> Text:
    """Mark a message with plural forms. `{count}` is filled in with the number."""
    return Text(one, plural=many, count=count, params=params)


def joined(texts: Sequence[Text], separator: str = "\n") -> Text:
    """Return several texts as one, each translated on its own."""
    template = separator.join(f"{{part{number}}}" for number in range(len(texts)))
    return Text(template, params={f"part{number}": text for number, text in enumerate(texts)})
