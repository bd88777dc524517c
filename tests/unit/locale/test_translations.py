"""The catalogues hold what the code says: nothing missing, nothing unused, nothing that Discord would refuse."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from app import catalog as features
from app.interactions.discovery import Declarations, modules
from app.interactions.modal_schema import Form, render_form
from app.interactions.registration import build_manifest
from app.interactions.rendering import Rendering
from app.locale.__main__ import everything, load, untranslated
from app.locale.catalogue import SOURCE, Catalogue, shipped
from app.locale.extraction import Extraction, placeholders

LOCALES = shipped()
HOW = "run `python -m app.locale`, then translate what is new"


@cache
def extraction() -> Extraction:
    return everything()


@cache
def catalogue_of(locale: str) -> Catalog:
    return load(locale)


def keys(catalog: Catalog) -> set[tuple[str, str]]:
    return {
        (message.context or "", message.id if isinstance(message.id, str) else message.id[0])
        for message in catalog
        if message.id
    }


def test_every_text_can_be_translated() -> None:
    assert not extraction().problems


@pytest.mark.parametrize("locale", LOCALES)
def test_no_text_is_missing(locale: str) -> None:
    missing = {found.key for found in extraction().found} - keys(catalogue_of(locale))
    assert not missing, HOW


@pytest.mark.parametrize("locale", LOCALES)
def test_no_translation_is_missing(locale: str) -> None:
    assert not untranslated(catalogue_of(locale))


@pytest.mark.parametrize("locale", LOCALES)
def test_no_entry_is_unused(locale: str) -> None:
    unused = keys(catalogue_of(locale)) - {found.key for found in extraction().found}
    assert not unused, HOW


@pytest.mark.parametrize("locale", LOCALES)
def test_no_entry_is_uncertain(locale: str) -> None:
    assert not [message.id for message in catalogue_of(locale) if message.id and message.fuzzy]


@pytest.mark.parametrize("locale", LOCALES)
def test_translations_have_the_placeholders_of_their_texts(locale: str) -> None:
    wrong = []
    for message in catalogue_of(locale):
        if not message.id or not all(_strings(message.string)):
            continue
        wanted = frozenset().union(*(placeholders(text) for text in _strings(message.id)))
        # A plural form may leave the number out ("a vote"); nothing else.
        wrong += [
            (message.id, string)
            for string in _strings(message.string)
            if not wanted - {"count"} <= placeholders(string) <= wanted
        ]
    assert not wrong


def _strings(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("locale", LOCALES)
def test_translations_keep_markup_and_punctuation(locale: str) -> None:
    """Bold text, code and the colon or dots at the end are part of how an answer looks."""
    wrong = []
    for message in catalogue_of(locale):
        if not message.id or isinstance(message.id, tuple) or not message.string:
            continue
        marks = [
            mark for mark in ("**", "`", "</", "-#") if message.id.count(mark) != message.string.count(mark)
        ]
        wrong += [(mark, message.id, message.string) for mark in marks]
        if message.id.endswith(":") != message.string.endswith((":", "：")):
            wrong.append((":", message.id, message.string))
    assert not wrong


def forms() -> list[type[Form]]:
    for package in features.packages():
        for _ in modules(package):
            pass
    return sorted(_below(Form), key=lambda form: form.__qualname__)


def _below(form: type[Form]) -> set[type[Form]]:
    return {
        one
        for child in form.__subclasses__()
        for one in (child, *_below(child))
        if child.__module__.startswith("app.")
    }


@pytest.mark.parametrize("locale", [SOURCE, *LOCALES])
def test_every_modal_fits_discords_limits_in_every_language(locale: str) -> None:
    catalogue = Catalogue.load()
    assert forms()
    for form in forms():
        render_form(form, "x", {}, Rendering(locale, catalogue.render, lambda _target: "x"))


def test_every_command_fits_discords_limits_in_every_language() -> None:
    manifest = build_manifest(Declarations.collect(features.packages()).commands, Catalogue.load())
    for command in manifest.commands:
        assert set(command["name_localizations"]) == {SOURCE} | {
            locale for locale in LOCALES if locale in command["name_localizations"]
        }
    ping = next(command for command in manifest.commands if command["name"] == "help")
    assert set(ping["name_localizations"]) == {SOURCE, *LOCALES}
