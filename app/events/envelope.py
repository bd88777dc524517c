"""What the ingester writes to Redis and the worker reads: one stream entry per gateway dispatch.

Stream `events:{partition}`, partition = (guild_id >> 22) % PARTITIONS; events without a guild are in partition 0.
Fields of an entry (all bytes):

    t   event name, e.g. MESSAGE_CREATE
    sh  shard id              s   sequence            sid  gateway session id
    g   guild id, 0 if none   at  Unix milliseconds at which the ingester had it
    d   the dispatch's `d`, JSON as Discord sent it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

PARTITIONS = 16
"""Fixed: a guild's partition must not change while entries are in the streams."""

STREAM_PREFIX = "events:"


def partition_of(guild_id: int) -> int:
    """Return the partition of a guild; the low 22 bits of a snowflake are not spread evenly."""
    return (guild_id >> 22) % PARTITIONS


def stream_name(partition: int) -> str:
    """Return the Redis key of a partition's stream."""
    return f"{STREAM_PREFIX}{partition}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One dispatch as it crossed from the ingester."""

    type: str
    shard: int
    session: str
    sequence: int
    guild_id: int
    received_ms: int
    payload: bytes

    @property
    def partition(self) -> int:
        """The stream this envelope belongs to."""
        return partition_of(self.guild_id)

    def json(self) -> Any:
        """Parse the payload. Raises orjson.JSONDecodeError (a ValueError) on garbage."""
        return orjson.loads(self.payload)

    def to_fields(self) -> dict[bytes, bytes]:
        """Return the stream entry's fields."""
        return {
            b"t": self.type.encode(),
            b"sh": b"%d" % self.shard,
            b"s": b"%d" % self.sequence,
            b"sid": self.session.encode(),
            b"g": b"%d" % self.guild_id,
            b"at": b"%d" % self.received_ms,
            b"d": self.payload,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Envelope:
        """Rebuild the envelope. Raises ValueError when a field is missing or not a number."""
        try:
            return cls(
                type=fields[b"t"].decode(),
                shard=int(fields[b"sh"]),
                session=fields[b"sid"].decode(),
                sequence=int(fields[b"s"]),
                guild_id=int(fields[b"g"]),
                received_ms=int(fields[b"at"]),
                payload=fields[b"d"],
            )
        except KeyError as error:
            message = f"stream entry lacks the field {error.args[0]!r}"
            raise ValueError(message) from None
