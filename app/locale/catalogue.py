"""The catalogues: gettext .po files beside this module, read when a language is first needed.

`<locale>/gatehouse.po` is named by Discord's locale code (contract 2.3). English needs no file: its texts are the
keys. A text without a translation is shown in English, never as nothing. Messages with the context `command` or
`option` are names of slash commands and options, which follow Discord's pattern for names.

To add a text: write it in the code (`t`, `tn`, a description), run `python -m app.locale`, translate what it
lists. To add a language: `python -m app.locale --add it`. docs/translating.md says more.
"""

from __future__ import annotations

import gettext
import io
from functools import cache
from importlib.resources import files
from typing import Any

from app.locale.formats import format_value
from app.locale.text import Text

SOURCE = "en-US"
"""The language of the texts in the code, and the default."""

COMMAND = "command"
OPTION = "option"
"""Contexts of names, so that `ban` the name is another entry than `ban` the word."""

_RELATED = {"en-GB": "en-US", "es-419": "es-ES"}
"""Discord's own fallbacks (contract 2.3)."""


class Catalogue:
    """Texts in the languages that we have. Safe to share by threads and tasks."""

    def __init__(self, locales: tuple[str, ...]) -> None:
        self._locales = frozenset(locales)
        self._loaded: dict[str, gettext.NullTranslations] = {SOURCE: gettext.NullTranslations()}

    @classmethod
    def load(cls) -> Catalogue:
        """Find the catalogues that the package holds; each is read when it is first used."""
        return cls((SOURCE, *shipped()))

    @property
    def locales(self) -> tuple[str, ...]:
        """Return Discord's codes of the languages that we have, the source language first."""
        return (SOURCE, *sorted(self._locales - {SOURCE}))

    def choose(self, locale: str | None, guild_locale: str | None = None) -> str:
        """Return the language to answer in: the person's, else the guild's, else English.

        Another variant of a language serves where we have only one (en-GB, es-419).
        """
        for wanted in (locale, guild_locale):
            if wanted is not None:
                related = _RELATED.get(wanted, wanted)
                if related in self._locales:
                    return related
        return SOURCE

    def render(self, text: Text | str, locale: str) -> str:
        """Return a Text in this language with its placeholders filled in; a plain string as it is.

        A placeholder without a value is left standing, which the tests of the catalogues find.
        """
        if isinstance(text, str):
            return text
        translations = self._translations(locale)
        if text.plural is None:
            template = translations.gettext(text.message)
        else:
            template = translations.ngettext(text.message, text.plural, text.count or 0)
        if text.plural is None and not text.params:
            return template
        language = locale.replace("-", "_")
        values = {
            name: value if type(value) is str else self._value(value, locale, language)
            for name, value in text.params.items()
        }
        if text.count is not None and "count" not in values:
            values["count"] = self._value(text.count, locale, language)
        try:
            return template.format_map(values)
        except KeyError:
            return template.format_map(_Filled(values))

    def translate(self, message: str, locale: str, context: str = "") -> str:
        """Return the translation of a text without placeholders, e.g. a description; itself if there is none."""
        translations = self._translations(locale)
        return translations.pgettext(context, message) if context else translations.gettext(message)

    def _value(self, value: Any, locale: str, language: str) -> str:
        if isinstance(value, Text):
            return self.render(value, locale)
        return format_value(value, language, lambda item: self._value(item, locale, language))

    def _translations(self, locale: str) -> gettext.NullTranslations:
        if (found := self._loaded.get(locale)) is not None:
            return found
        known = self.choose(locale)
        if known not in self._loaded:
            self._loaded[known] = read(known)
        return self._loaded[known]


class _Filled(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


@cache
def shipped() -> tuple[str, ...]:
    """Return the locale codes of the catalogues in the package."""
    return tuple(
        sorted(
            folder.name
            for folder in files("app.locale").iterdir()
            if folder.is_dir() and folder.joinpath("gatehouse.po").is_file()
        )
    )


def read(locale: str) -> gettext.GNUTranslations:
    """Read a catalogue: .po to the compiled form that gettext knows, in memory."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with files("app.locale").joinpath(locale, "gatehouse.po").open("rb") as source:
        catalog = read_po(source, locale=locale.replace("-", "_"))
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
