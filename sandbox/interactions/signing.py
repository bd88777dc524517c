"""Signs outgoing requests the way Discord does (contract 1.1): Ed25519 over timestamp + raw body."""

from __future__ import annotations

import secrets
import time

from nacl.signing import SigningKey

USER_AGENT = "Discord-Interactions/1.0 (+https://discord.com)"


class RequestSigner:
    """Holds the application's signing key; only the public half ever leaves."""

    def __init__(self, seed_hex: str) -> None:
        self._key = SigningKey(bytes.fromhex(seed_hex))

    @property
    def public_key(self) -> str:
        """64 hex digits, the DISCORD_PUBLIC_KEY of the application."""
        return self._key.verify_key.encode().hex()

    def headers(self, body: bytes, *, skew_seconds: int = 0) -> dict[str, str]:
        """Headers of a genuine request; `skew_seconds` moves its timestamp (negative: into the past)."""
        return _headers(self._key, body, skew_seconds)

    def forged_headers(self, body: bytes) -> dict[str, str]:
        """Headers that look right and are signed by somebody else: what the automated checks send."""
        return _headers(SigningKey(secrets.token_bytes(32)), body, 0)


def _headers(key: SigningKey, body: bytes, skew_seconds: int) -> dict[str, str]:
    timestamp = str(int(time.time()) + skew_seconds)
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Signature-Ed25519": key.sign(timestamp.encode() + body).signature.hex(),
        "X-Signature-Timestamp": timestamp,
    }
