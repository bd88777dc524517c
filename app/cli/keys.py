"""`gatehouse keys`: change the keys that sign component ids."""

from __future__ import annotations

import click

from app.errors import ConfigurationError
from app.keyring import Keyring, key_file, load_keyring, write_keyring
from app.settings import Settings


@click.group()
def keys() -> None:
    """Manage the keys that sign the ids of buttons, selects and modals (CUSTOM_ID_KEYS)."""


@keys.command()
@click.option(
    "--retire",
    metavar="KID",
    multiple=True,
    help="Drop this key too: buttons signed with it stop working. May be repeated.",
)
@click.option("--write", is_flag=True, help="Replace the set kept in DATA_DIR instead of printing it.")
def rotate(retire: tuple[str, ...], *, write: bool) -> None:
    """Make a set with a new key in front: it signs from now on, the older ones still verify.

    Without --write the set is printed to standard output, and nothing else is: it is a secret, for
    CUSTOM_ID_KEYS. Start all web and worker processes with the new set in two steps, or a button that one has
    signed is unknown to another: first the old set with the new key at its end, then the new key in front.
    """
    settings = Settings.from_environment()
    if write and settings.custom_id_keys is not None:
        raise ConfigurationError(
            "CUSTOM_ID_KEYS", "is set and wins over DATA_DIR; unset it, or rotate without --write"
        )
    rotated = _without(load_keyring(settings).rotated(), retire)
    if write:
        path = key_file(settings)
        try:
            write_keyring(path, rotated)
        except OSError as error:
            raise ConfigurationError("DATA_DIR", f"cannot write {path}: {error.strerror}") from None
        click.echo(f"{path}: {_described(rotated)}. Restart web and worker processes.")
    else:
        click.echo(rotated.dump())
        click.echo(f"{_described(rotated)}. Put the line above into CUSTOM_ID_KEYS.", err=True)


def _without(keyring: Keyring, retire: tuple[str, ...]) -> Keyring:
    """Return the set without these keys, which must be older ones."""
    for kid in dict.fromkeys(retire):
        older = [key.kid for key in keyring.keys[1:]]
        if kid not in older:
            problem = f"{kid!r} is not one of the older keys ({', '.join(older) or 'there are none'})"
            raise click.BadParameter(problem, param_hint="--retire")
        keyring = keyring.without(kid)
    return keyring


def _described(keyring: Keyring) -> str:
    newest, *older = (key.kid for key in keyring.keys)
    verify = (
        f", {', '.join(older)} still verify"
        if len(older) > 1
        else f", {older[0]} still verifies"
        if older
        else ""
    )
    return f"{newest} signs{verify}"
