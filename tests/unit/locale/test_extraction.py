"""What is found in code, and which calls are complained about."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from app.locale.__main__ import dump, load, untranslated, updated
from app.locale.catalogue import shipped
from app.locale.extraction import Extraction, extract, placeholders


def extracted(folder: Path, source: str) -> Extraction:
    (folder / "app").mkdir(exist_ok=True)
    (folder / "app" / "module.py").write_text(dedent(source))
    return extract(folder)


def test_texts_are_found_with_their_plurals(tmp_path: Path) -> None:
    found = extracted(
        tmp_path,
        """
        def reply(name, n):
            t("one")
            t("two "
              "parts")
            t("yes" if name else "no")
            tn("{count} vote", "{count} votes", n)
            raise Refused("refused {why}", why=name)

        class Refused(UserError): ...
        class Later(Refused): ...
        later = Later("later")
        other = something("not a text")
        """,
    )
    assert [(one.message, one.plural) for one in found.found] == [
        ("one", None),
        ("two parts", None),
        ("yes", None),
        ("no", None),
        ("{count} vote", "{count} votes"),
        ("refused {why}", None),
        ("later", None),
    ]
    assert found.found[0].path == "app/module.py"
    assert not found.problems


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("t(message)", "must be a literal"),
        ('t(f"{x} won")', "must be a literal"),
        ('t("{who} won")', "no value for who"),
        ('t("{who} won", whom=1)', "no value for who"),
        ('tn("a {what}", "{count} {what}s", n)', "no value for what"),
        ('t("{0} won")', "not a plain name"),
        ('t("{n:.2f} won", n=1)', "not a plain name"),
        ('t("{ won")', "expected '}'"),
    ],
)
def test_what_nobody_can_translate_is_a_problem(tmp_path: Path, call: str, problem: str) -> None:
    found = extracted(tmp_path, f"def reply(message, n, x):\n    return {call}\n")
    assert len(found.problems) == 1
    assert found.problems[0].startswith("app/module.py:2: ")
    assert problem in found.problems[0]


def test_values_from_a_mapping_and_templates_of_a_module_are_fine(tmp_path: Path) -> None:
    found = extracted(
        tmp_path,
        """
        TOLD = t("You were warned in {guild}.")
        def reply(values):
            return t("{who} won", **values)
        """,
    )
    assert not found.problems
    assert len(found.found) == 2


def test_braces_can_be_shown() -> None:
    assert placeholders("{{not}} {this}") == {"this"}


def test_an_update_keeps_translations_drops_what_is_gone_and_adds_what_is_new(tmp_path: Path) -> None:
    template = extracted(tmp_path, 'x = [t("Correct it"), t("Brand new")]').template()
    fresh = updated("de", template)
    assert {message.id: message.string for message in fresh if message.id} == {
        "Correct it": "Korrigieren",
        "Brand new": None,
    }
    assert untranslated(fresh) == ["Brand new"]


@pytest.mark.parametrize("locale", shipped())
def test_writing_a_catalogue_again_changes_nothing(locale: str) -> None:
    path = Path(__file__).resolve().parents[3] / "app" / "locale" / locale / "gatehouse.po"
    assert dump(locale, load(locale)) == path.read_bytes()
