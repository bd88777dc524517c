"""`python -m app.locale`: bring the catalogues up to date with the texts in the code. For developers.

Adds what is new with an empty translation, drops what the code no longer says, and lists what is untranslated.
"""

from __future__ import annotations

import io
from pathlib import Path

import click
from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from app import catalog as features
from app.interactions.discovery import Declarations
from app.interactions.registration import messages
from app.locale.catalogue import shipped
from app.locale.extraction import Extraction, Found, extract

ROOT = Path(__file__).resolve().parents[2]


def everything() -> Extraction:
    """Return all texts: of the code, and of the commands that are declared."""
    extraction = extract(ROOT)
    known = {found.key for found in extraction.found}
    for context, message in messages(Declarations.collect(features.packages()).commands):
        if (context, message) not in known:
            known.add((context, message))
            extraction.found.append(Found("commands", 0, message, None, context))
    return extraction


def catalogue_file(locale: str) -> Path:
    """Return where the catalogue of a Discord locale is."""
    return ROOT / "app" / "locale" / locale / "gatehouse.po"


def load(locale: str) -> Catalog:
    """Read a catalogue; an empty one where there is none yet."""
    name = locale.replace("-", "_")
    path = catalogue_file(locale)
    if not path.exists():
        return Catalog(locale=name, project="Gatehouse", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=name)


def updated(locale: str, template: Catalog) -> Catalog:
    """Return the catalogue with exactly the template's texts, translations kept."""
    old = load(locale)
    fresh = Catalog(locale=old.locale, project="Gatehouse", fuzzy=False)
    for message in template:
        if not message.id:
            continue
        known = old.get(message.id, message.context)
        same = known is not None and bool(known.pluralizable) == bool(message.pluralizable)
        fresh.add(
            message.id,
            known.string if known is not None and same else None,
            locations=message.locations,
            context=message.context,
            user_comments=known.user_comments if known is not None else (),
        )
    return fresh


def untranslated(catalog: Catalog) -> list[str]:
    """Return the texts without a complete translation."""
    return [
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalog
        if message.id and not all(message.string if isinstance(message.string, tuple) else [message.string])
    ]


def dump(locale: str, catalog: Catalog) -> bytes:
    """Return the file's text. The header holds only what is read: dates would change with every run."""
    body = io.BytesIO()
    write_po(body, catalog, width=110, include_lineno=False, omit_header=True)
    name = Locale.parse(locale, sep="-").english_name
    header = (
        f"# Gatehouse in {name}. docs/translating.md tells how to edit this file.\n"
        'msgid ""\n'
        'msgstr ""\n'
        f'"Language: {catalog.locale}\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
    )
    return header.encode() + b"\n" + body.getvalue().rstrip() + b"\n"


@click.command()
@click.option("--add", metavar="LOCALE", help="Begin a new language, by Discord's code: it, zh-CN ...")
@click.option("--check", is_flag=True, help="Change nothing; exit status 1 if a catalogue is not complete.")
def main(add: str | None, *, check: bool) -> None:
    """Bring the catalogues up to date with the texts in the code, and list what is untranslated."""
    extraction = everything()
    for problem in extraction.problems:
        click.echo(problem, err=True)
    if add is not None:
        try:
            Locale.parse(add, sep="-")
        except (UnknownLocaleError, ValueError):
            raise click.BadParameter(f"{add!r} is no locale that is known", param_hint="--add") from None
        catalogue_file(add).parent.mkdir(exist_ok=True)
    template = extraction.template()
    incomplete = bool(extraction.problems)
    for locale in sorted({*shipped(), *([add] if add else [])}):
        fresh = updated(locale, template)
        missing = untranslated(fresh)
        incomplete = incomplete or bool(missing)
        if not check:
            catalogue_file(locale).write_bytes(dump(locale, fresh))
        click.echo(f"{locale}: {len(fresh)} texts, {len(missing)} untranslated")
        for message in missing:
            click.echo(f"  {message!r}")
    raise SystemExit(1 if check and incomplete else 0)


if __name__ == "__main__":
    main()
