"""The keys that sign custom ids and seal what we keep for a while: the newest is used, all are accepted.

They come from CUSTOM_ID_KEYS. Where that is unset, a key is made once and kept in DATA_DIR for all processes of
that folder: one machine needs no configuration, several need the variable (`gatehouse keys rotate` prints one).
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from app.errors import ConfigurationError
from app.settings import Settings

KEY_BYTES = 32
"""Length of a new key. Given keys may have 16 to 64 bytes (BLAKE2b's limit, RFC 7693)."""

_ENTRY = re.compile(r"(?P<kid>[A-Za-z0-9_-]{1,16}):(?P<secret>(?:[0-9A-Fa-f]{2}){16,64})")


class InvalidKeys(ValueError):
    """The text is not `kid:hex,kid:hex`. The message never repeats a key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `label` is what a custom id carries of the key id: two characters of its hash."""

    kid: str
    secret: bytes = field(repr=False)
    label: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        digest = blake2b(self.kid.encode("ascii"), digest_size=3, person=b"gatehouse-kid").digest()
        object.__setattr__(self, "label", urlsafe_b64encode(digest)[:2].decode("ascii"))

    @classmethod
    def new(cls, kid: str) -> Key:
        """Make a key from the system's random source."""
        return cls(kid, secrets.token_bytes(KEY_BYTES))


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys, newest first. At least one; key ids are unique."""

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise InvalidKeys("holds no key; expected kid:hex,kid:hex")
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise InvalidKeys("holds the same key id twice")

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `kid:hex,kid:hex`. Raises InvalidKeys, which names the position and no key."""
        keys = []
        for number, entry in enumerate(filter(None, re.split(r"[,\s]+", text)), 1):
            match = _ENTRY.fullmatch(entry)
            if match is None:
                raise InvalidKeys(
                    f"entry {number} is not kid:hex (kid: 1-16 letters, digits, - or _; hex: 64 digits)"
                )
            keys.append(Key(match["kid"], bytes.fromhex(match["secret"])))
        return cls(tuple(keys))

    @classmethod
    def new(cls) -> Keyring:
        """Make a set of one new key."""
        return cls((Key.new("k1"),))

    def dump(self) -> str:
        """Return `kid:hex,kid:hex`, the secret text that `parse` reads."""
        return ",".join(f"{key.kid}:{key.secret.hex()}" for key in self.keys)

    @property
    def newest(self) -> Key:
        """The key that signs."""
        return self.keys[0]

    def labelled(self, label: str) -> list[Key]:
        """Return the keys that an id with this label may have been signed with: nearly always one or none."""
        return [key for key in self.keys if key.label == label]

    def rotated(self) -> Keyring:
        """Return a set with a new key in front; the old ones still verify."""
        numbers = [int(key.kid[1:]) for key in self.keys if re.fullmatch(r"k\d{1,9}", key.kid)]
        return Keyring((Key.new(f"k{max(numbers, default=0) + 1}"), *self.keys))

    def without(self, kid: str) -> Keyring:
        """Return a set without that key: ids signed with it are refused from then on.

        Raises KeyError for an unknown key id and InvalidKeys for the only key.
        """
        left = tuple(key for key in self.keys if key.kid != kid)
        if len(left) == len(self.keys):
            raise KeyError(kid)
        return Keyring(left)

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """Return a 32-byte key per key, newest first, for a purpose of at most 16 ASCII characters."""
        person = purpose.encode("ascii")
        return tuple(blake2b(key=key.secret, digest_size=32, person=person).digest() for key in self.keys)


def load_keyring(settings: Settings) -> Keyring:
    """Return the keys of this installation. Raises ConfigurationError naming variable or file, never a key."""
    if settings.custom_id_keys is not None:
        try:
            return Keyring.parse(settings.custom_id_keys.get_secret_value())
        except InvalidKeys as error:
            raise ConfigurationError("CUSTOM_ID_KEYS", str(error)) from None
    path = key_file(settings)
    try:
        if not path.exists():
            _create(path, Keyring.new())
        return Keyring.parse(path.read_text(encoding="ascii"))
    except InvalidKeys as error:
        raise ConfigurationError("DATA_DIR", f"{path} {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("DATA_DIR", f"cannot keep keys in {path}: {type(error).__name__}") from None


def key_file(settings: Settings) -> Path:
    """Return where a generated set of keys is kept, mode 0600."""
    return settings.data_dir / "custom_id_keys"


def write_keyring(path: Path, keyring: Keyring) -> None:
    """Replace the kept set at once. Raises OSError."""
    written = _written_beside(path, keyring)
    written.replace(path)


def _create(path: Path, keyring: Keyring) -> None:
    """Keep the set unless another process was first: a link to a finished file either appears whole or not."""
    written = _written_beside(path, keyring)
    try:
        os.link(written, path)
    except FileExistsError:
        pass  # another process was first; its key is read by all
    finally:
        written.unlink()


def _written_beside(path: Path, keyring: Keyring) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".custom_id_keys.")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{keyring.dump()}\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
