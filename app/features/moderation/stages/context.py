"""The last messages of each channel, for stage 3: in Redis, sealed, for an hour.

A message is kept only where the guild has the agent switched on.
"""

from __future__ import annotations

import logging

import orjson
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.events.message import Message
from app.features.moderation.stages.agent import CONTEXT_MESSAGES, MESSAGE_CHARACTERS, Context
from app.keyring import Keyring
from app.snowflake import ChannelId

log = logging.getLogger(__name__)

KEEP = CONTEXT_MESSAGES + 3
"""A few more than are shown, since the flagged one and later ones are left out."""
SECONDS = 3600


class ChannelContext:
    """Recalls and remembers. A Redis that is away means no context, never an error."""

    def __init__(self, redis: Redis, keyring: Keyring) -> None:
        self._redis = redis
        self._boxes = [SecretBox(key) for key in keyring.derive("mod-context")]

    async def before(self, message: Message) -> Context:
        """Return up to five messages that stand before this one, oldest first; remember it for the next ones."""
        key = _key(message.channel_id)
        known: list[tuple[int, str]] = []
        try:
            sealed = await self._redis.lrange(key, 0, -1)
            known = sorted({pair for entry in sealed if (pair := self._open(entry)) is not None})
            # One that is known is looked at again, since the provider was down, and would push out others.
            if message.content and all(number != message.id for number, _ in known):
                await self._remember(key, message)
        except (RedisError, OSError) as error:
            log.debug("context not recalled or kept", extra={"error": type(error).__name__})
        return Context([text for number, text in known if number < message.id][-CONTEXT_MESSAGES:])

    async def _remember(self, key: str, message: Message) -> None:
        entry = orjson.dumps([message.id, message.content[:MESSAGE_CHARACTERS]])
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.rpush(key, self._boxes[0].encrypt(entry))
            pipe.ltrim(key, -KEEP, -1)
            pipe.expire(key, SECONDS)
            await pipe.execute()

    def _open(self, sealed: bytes | str) -> tuple[int, str] | None:
        assert isinstance(sealed, bytes)
        for box in self._boxes:
            try:
                number, text = orjson.loads(box.decrypt(sealed))
            except CryptoError:
                continue  # sealed with another key of the ring
            return int(number), str(text)
        return None


def _key(channel: ChannelId) -> str:
    return f"moderation:context:{channel}"
