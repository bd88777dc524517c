"""What lies in Redis for a job is encrypted: interaction tokens are bearer secrets, arguments may be people's words.

XSalsa20-Poly1305 (PyNaCl's SecretBox) with keys derived from the signing keys: the newest seals, all open, so a
rotation loses no job (decision 0016).
"""

from __future__ import annotations

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from app.errors import AppError
from app.keyring import Keyring

PURPOSE = "gatehouse-jobs"


class CannotOpen(AppError):
    """Sealed with a key that we do not have, or altered."""


class Sealer:
    """Seals and opens bytes."""

    def __init__(self, keyring: Keyring) -> None:
        self._boxes = tuple(SecretBox(key) for key in keyring.derive(PURPOSE))

    def seal(self, plain: bytes) -> bytes:
        """Return nonce and cipher text, 40 bytes longer than the plain one."""
        return bytes(self._boxes[0].encrypt(plain))

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed. Raises CannotOpen."""
        for box in self._boxes:
            try:
                return box.decrypt(sealed)
            except (CryptoError, ValueError):
                continue
        raise CannotOpen("no key of CUSTOM_ID_KEYS opens it")
