"""The stream of interaction jobs, from the web processes to the workers.

Stream `jobs`, consumer group `jobs`. Fields of an entry (bytes):

    i   interaction id        j   name of the job
    s   sealed JSON: token, arguments, guild, user, locale, v2 (the message is components v2), defer

An entry is deleted when its job is finished, so what is there is waiting or being worked on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.errors import UserError
from app.interactions.declarations import Defer
from app.interactions.interaction import Interaction
from app.interactions.replies import JobCall
from app.interactions.responses import Audience
from app.jobs.sealing import Sealer
from app.locale.text import t
from app.observability import metrics
from app.snowflake import GuildId, InteractionId, UserId

STREAM = "jobs"
GROUP = "jobs"
MOST_WAITING = 10_000
"""More waiting jobs than that could not be finished while their tokens live."""


class JobsUnavailable(UserError):
    """The job cannot be taken on."""

    def __init__(self) -> None:
        super().__init__(t("I cannot take on longer work right now. Please try again in a few minutes."))


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One entry of the stream."""

    entry_id: str
    interaction_id: InteractionId
    job: str
    token: str = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)
    audience: Audience
    defer: Defer

    @classmethod
    def from_entry(cls, entry_id: bytes, fields: Mapping[bytes, bytes], sealer: Sealer) -> Self:
        """Rebuild it. Raises ValueError when fields are missing, CannotOpen when no key fits."""
        try:
            sealed = orjson.loads(sealer.open(fields[b"s"]))
            return cls(
                entry_id.decode(),
                InteractionId(int(fields[b"i"])),
                fields[b"j"].decode(),
                sealed["token"],
                sealed["arguments"],
                Audience(
                    sealed["locale"],
                    None if sealed["guild"] is None else GuildId(int(sealed["guild"])),
                    UserId(int(sealed["user"])),
                    sealed["v2"],
                ),
                Defer(sealed["defer"]),
            )
        except KeyError as error:
            message = f"the entry lacks {error.args[0]!r}"
            raise ValueError(message) from None


class JobQueue:
    """Puts jobs into the stream."""

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def enqueue(
        self, call: JobCall, interaction: Interaction, audience: Audience, defer: Defer
    ) -> None:
        """Write the job; when this returns it survives this process. Raises JobsUnavailable."""
        sealed = self._sealer.seal(
            orjson.dumps(
                {
                    "token": interaction.token,
                    "arguments": dict(call.arguments),
                    "guild": None if audience.guild is None else str(audience.guild),
                    "user": str(audience.user),
                    "locale": audience.locale,
                    "v2": audience.message_is_v2,
                    "defer": defer.value,
                }
            )
        )
        try:
            if await self._redis.xlen(STREAM) >= MOST_WAITING:
                raise JobsUnavailable
            await self._redis.xadd(STREAM, {"i": str(interaction.id), "j": call.job, "s": sealed})
        except (RedisError, OSError):
            raise JobsUnavailable from None
        metrics.JOBS_ENQUEUED.labels(call.job).inc()
