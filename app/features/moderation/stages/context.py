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
from app.snowflake import ChannelId, MessageId

log = logging.getLogger(__name__)

KEEP = CONTEXT_MESSAGES + 3
"""A few more than are shown, since the flagged one and later ones are left out."""
SECONDS = 3600


class ChannelContext:
    """Remembers and recalls. A Redis that is away means no context, never an error."""

    def __init__(self, redis: Redis, keyring: Keyring) -> None:
        self._redis = redis
        self._boxes = [SecretBox(key) for key in keyring.derive("mod-context")]

    async def remember(self, message: Message) -> None:
        """Keep a message as context of the next ones."""
        if not message.content:
            return
        entry = orjson.dumps([message.id, message.content[:MESSAGE_CHARACTERS]])
        key = _key(message.channel_id)
        try:
            known = map(self._open, await self._redis.lrange(key, 0, -1))
            if any(pair is not None and pair[0] == message.id for pair in known):
                return  # it is looked at again, since the provider was down, and would push out others
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.rpush(key, self._boxes[0].encrypt(entry))
                pipe.ltrim(key, -KEEP, -1)
                pipe.expire(key, SECONDS)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.debug("context not kept", extra={"error": type(error).__name__})

    async def before(self, channel: ChannelId, message: MessageId) -> Context:
        """Return up to five messages that stand before this one, oldest first."""
        try:
            sealed = await self._redis.lrange(_key(channel), 0, -1)
        except (RedisError, OSError) as error:
            log.debug("context not recalled", extra={"error": type(error).__name__})
            return Context(())
        found = sorted(
            {pair for entry in sealed if (pair := self._open(entry)) is not None and pair[0] < message}
        )
        return Context([text for _, text in found[-CONTEXT_MESSAGES:]])

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
