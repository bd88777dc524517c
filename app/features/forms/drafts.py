"""Refused entries in Redis: sealed, for half an hour."""

from __future__ import annotations

import secrets

import redis.asyncio
import structlog
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from redis.exceptions import RedisError

from app.interactions.modals import DRAFT_LIFETIME
from app.keyring import Keyring

log = structlog.get_logger(__name__)


class RedisDrafts:
    """Keeps drafts under random keys. They hold what people wrote, so Redis sees only cipher text."""

    def __init__(self, redis: redis.asyncio.Redis, keyring: Keyring) -> None:
        self._redis = redis
        self._boxes = [SecretBox(key) for key in keyring.derive("form-draft")]

    async def keep(self, draft: bytes) -> int | None:
        """See `Drafts.keep`; None when Redis does not answer."""
        key = secrets.randbits(63)
        sealed = bytes(self._boxes[0].encrypt(draft))
        try:
            await self._redis.set(_name(key), sealed, px=int(DRAFT_LIFETIME.total_seconds() * 1000))
        except RedisError as error:
            log.warning("a refused form cannot be kept", error=type(error).__name__)
            return None
        return key

    async def find(self, key: int) -> bytes | None:
        """See `Drafts.find`; None when Redis does not answer or the key that sealed it is retired."""
        try:
            sealed = await self._redis.get(_name(key))
        except RedisError as error:
            log.warning("a refused form cannot be read", error=type(error).__name__)
            return None
        if not isinstance(sealed, bytes):
            return None
        for box in self._boxes:
            try:
                return box.decrypt(sealed)
            except CryptoError:  # sealed with another key of the set
                continue
        return None


def _name(key: int) -> str:
    return f"form-draft:{key:x}"
