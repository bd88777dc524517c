"""Texts in the reader's language: which one, plural forms, numbers, dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.locale.catalogue import Catalogue
from app.locale.formats import format_duration, format_number
from app.locale.text import Percent, Text, joined, t, tn

CATALOGUE = Catalogue.load()


def render(text: Text | str, locale: str) -> str:
    return CATALOGUE.render(text, locale)


def test_six_languages_are_there() -> None:
    assert set(CATALOGUE.locales) >= {"en-US", "de", "fr", "es-ES", "pt-BR", "ja"}
    assert CATALOGUE.locales[0] == "en-US"


@pytest.mark.parametrize(
    ("locale", "guild_locale", "chosen"),
    [
        ("de", "fr", "de"),
        (None, "fr", "fr"),
        ("ko", "fr", "fr"),
        ("ko", "zh-TW", "en-US"),
        (None, None, "en-US"),
        ("en-GB", "fr", "en-US"),
        ("es-419", "de", "es-ES"),
        ("", "ja", "ja"),
        ("../../etc", "pt-BR", "pt-BR"),
    ],
)
def test_the_persons_language_wins_then_the_guilds(locale: Any, guild_locale: Any, chosen: str) -> None:
    assert CATALOGUE.choose(locale, guild_locale) == chosen


def test_a_catalogue_is_read_when_it_is_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    from app.locale import catalogue as module

    read = module.read
    monkeypatch.setattr(module, "read", lambda locale: opened.append(locale) or read(locale))
    catalogue = Catalogue.load()
    catalogue.render(t("Version"), "en-US")
    assert opened == []
    for _ in range(2):
        catalogue.render(t("Correct it"), "de")
    assert opened == ["de"]


def test_plural_forms_follow_the_language() -> None:
    def votes(count: int, locale: str) -> str:
        return render(tn("{count} vote", "{count} votes", count), locale)

    assert [votes(n, "en-US") for n in (0, 1, 2)] == ["0 votes", "1 vote", "2 votes"]
    assert [votes(n, "de") for n in (0, 1, 2)] == ["0 Stimmen", "1 Stimme", "2 Stimmen"]
    assert [votes(n, "pt-BR") for n in (0, 1, 2)] == ["0 voto", "1 voto", "2 votos"]
    assert [votes(n, "ja") for n in (0, 1, 2)] == ["0 票", "1 票", "2 票"]


def test_numbers_follow_the_language() -> None:
    shown = {
        locale: render(t("{n}", n=1234567.5), locale)
        for locale in ("en-US", "de", "fr", "es-ES", "pt-BR", "ja")
    }
    assert shown == {
        "en-US": "1,234,567.5",
        "de": "1.234.567,5",
        "fr": "1\u202f234\u202f567,5",
        "es-ES": "1.234.567,5",
        "pt-BR": "1.234.567,5",
        "ja": "1,234,567.5",
    }


@pytest.mark.parametrize(
    ("number", "locale", "shown"),
    [
        (0, "de", "0"),
        (-999, "de", "-999"),
        (1000, "de", "1.000"),
        (1000, "es_ES", "1000"),
        (10000, "es_ES", "10.000"),
        (Decimal("0.25"), "fr", "0,25"),
        (2.0, "en_US", "2"),
    ],
)
def test_small_and_round_numbers(number: Any, locale: str, shown: str) -> None:
    assert format_number(number, locale) == shown


@pytest.mark.parametrize(
    ("seconds", "locale", "shown"),
    [
        (0, "en_US", "1 second"),
        (1.2, "en_US", "2 seconds"),
        (60, "en_US", "1 minute"),
        (61, "en_US", "1 minute and 1 second"),
        (3725, "de", "1 Stunde und 2 Minuten"),
        (3601, "en_US", "1 hour"),
        (90_000, "fr", "1 jour et 1 heure"),
        (172_800, "ja", "2 日"),
        (40 * 86_400, "de", "40 Tage"),
        (150, "es_ES", "2 minutos y 30 segundos"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, locale: str, shown: str) -> None:
    assert (
        format_duration(timedelta(seconds=seconds), locale).replace("\u202f", " ").replace("\xa0", " ")
        == shown
    )


def test_shares_and_joined_texts() -> None:
    share = joined([t("{share}", share=Percent(2 / 3)), t("Back")])
    assert render(share, "en-US") == "67%\nBack"
    assert render(share, "fr").replace("\u202f", " ").replace("\xa0", " ") == "67 %\nRetour"


def test_times_are_left_to_discord_and_dates_are_written_out() -> None:
    moment = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)
    assert render(t("{when}", when=moment), "de") == f"<t:{int(moment.timestamp())}:f>"
    assert render(t("{day}", day=date(2028, 2, 29)), "de") == "29. Februar 2028"
    assert render(t("{day}", day=date(2028, 2, 29)), "ja") == "2028年2月29日"


def test_lists_and_nested_texts_are_translated() -> None:
    text = t("{things}", things=[t("Back"), "x", 1000])
    assert render(text, "de") == "Zurück, x und 1.000"
    assert render(text, "en-US") == "Back, x, and 1,000"


def test_what_people_wrote_is_never_a_template() -> None:
    assert render(t("{name} won", name="{secret} {0}"), "de") == "{secret} {0} won"
    assert render("{not} a template", "de") == "{not} a template"


def test_a_forgotten_value_is_left_standing() -> None:
    assert render(t("{name} won", other=1), "en-US") == "{name} won"


def test_a_template_is_filled_in_later() -> None:
    template = t("{name} won")
    assert str(template.filled(name="Ada")) == "Ada won"
    assert template == t("{name} won")


def test_names_have_their_own_entries() -> None:
    assert CATALOGUE.translate("command", "de", "option") == "befehl"
    assert CATALOGUE.translate("help", "de", "command") == "hilfe"
    assert CATALOGUE.translate("help", "de") == "help"
    assert CATALOGUE.translate("nothing we know", "de", "command") == "nothing we know"


def test_an_unknown_language_is_english() -> None:
    assert render(t("Correct it"), "ko") == "Correct it"
    assert len(CATALOGUE._loaded) <= len(CATALOGUE.locales)
