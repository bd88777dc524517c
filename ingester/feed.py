"""The events of one shard on their way to Redis: gathered into batches, kept until Redis has them.

A batch is what has come while the event loop was busy or earlier batches were under way, so batches grow under
load and add no delay when idle. Each batch says which sequence it continues from; Redis refuses one that would
leave a hole. The feed is the only place that knows what is received and not yet stored.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from app.events.envelope import PARTITIONS, stream_name
from ingester import keys

MAX_BATCH_EVENTS = 512
MAX_BATCH_BYTES = 1 << 18
"""One batch blocks Redis for about 1 ms; up to four of every shard are in memory twice while they are sent."""
MAX_BATCHES_UNDER_WAY = 4

SHADOW_SECONDS = 10.0
"""What a set of shards that is not in charge yet remembers: longer than both sets can be apart."""
SHADOW_EVENTS = 5_000

FIRST_STREAM = 4
"""Index of events:0 among the keys of publish.lua, which come after lease, session and guilds."""
FIXED_ARGUMENTS = 12

STREAM_KEYS = tuple(stream_name(partition).encode() for partition in range(PARTITIONS))


def bulk(value: bytes) -> bytes:
    """Return the RESP of one argument."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def event_heads(name: str) -> tuple[bytes, ...]:
    """Return, per partition, the RESP of an event's first two arguments: index of its stream, type."""
    return tuple(
        bulk(b"%d" % (partition + FIRST_STREAM)) + bulk(name.encode()) for partition in range(PARTITIONS)
    )


def received_at(part: bytes) -> float:
    """Return when an encoded event came (Unix seconds): its fifth argument."""
    return int(part.split(b"\r\n", 10)[9]) / 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A gateway session: what RESUME needs (contract section 5.3)."""

    id: str
    url: str


class FeedOwner(Protocol):
    """What a feed tells its shard and its publisher."""

    def fenced(self, feed: Feed) -> None:
        """Another instance holds the lease: everything here is theirs now."""

    def lease_unknown(self, feed: Feed) -> None:
        """Redis knows no lease: acquire it again, then call `feed.renew(token)`."""

    def gap(self, feed: Feed, stored: int) -> None:
        """Redis has forgotten events after `stored`: resume the session from there."""


@dataclass(slots=True, eq=False)
class Batch:
    """Some events of one session in order, and where the sequence stands after them."""

    feed: Feed
    session: Session | None
    epoch: int
    token: str
    """Of the lease at that time: once the lease is renewed with another, an old call must not get through."""
    seen: bytes
    guilds: list[bytes]
    """Pairs of guild id and entry, empty for one that is gone."""
    data: bytes
    events: int
    before: int
    after: int
    oldest: float
    """When its first event came (Unix seconds)."""
    sent_at: float = 0.0

    def encode(self) -> list[bytes]:
        """Return the RESP of the script call."""
        return [self.feed.call_head(self), self.data]

    def answered(self, reply: list[int]) -> None:
        """Take the script's reply."""
        self.feed.answered(self, reply[0], reply[1])


@dataclass(slots=True)
class FeedCounts:
    """What went through a feed since the process started."""

    received: int = 0
    appended: int = 0
    refused: int = 0
    """Already in Redis, or seen from the other set of shards while resharding."""
    batches: int = 0
    discarded: int = 0
    """Received but left to the next holder of the session, which gets them replayed."""


class Feed:
    """Events of one shard, from its socket to the script. `submit` sends a batch to the writer."""

    def __init__(
        self,
        shard: int,
        total: int,
        token: str,
        *,
        submit: Callable[[Batch], None],
        schedule: Callable[[Feed], None],
        owner: FeedOwner,
        sha: bytes,
    ) -> None:
        self.shard = shard
        self.token = token
        self.state = b"starting"
        """Shown in the lease: starting, identifying, ready, resuming."""
        self.session: Session | None = None
        self.sequence = 0
        """Of the last dispatch that came, whether forwarded or not."""
        self.epoch = 0
        self.oldest = 0.0
        self.seen: bytes = b""
        """Prefix of seen keys while two sets of shards overlap, else empty; set by `overlap`."""
        self.shadow = False
        """Hold everything back: the set of shards this one belongs to is not in charge yet."""
        self.counts = FeedCounts()
        self.events = 0
        self.bytes = 0
        """What is held here: pending or under way."""
        self.stopped = False
        self.blocked = False
        self._deaf = False
        """Ignore what comes, since it will come again: set by `discard`, ended by `begin`."""
        self.renewed_at = time.monotonic()
        """When a call was sent that Redis has answered: the lease was ours at that time or later."""
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._part_sequences: list[int] = []
        self._before = 0
        self._before_shadow = 0
        self._under_way: deque[Batch] = deque()
        self.guild_changes: Callable[[], list[bytes]] = list
        """Returns what has changed in the shard's index since the last call, as `Batch.guilds`."""
        self._submit = submit
        self._schedule = schedule
        self._owner = owner
        self._keys = b"".join(
            [
                bulk(b"EVALSHA"),
                bulk(sha),
                bulk(b"%d" % (FIRST_STREAM - 1 + PARTITIONS)),
                bulk(keys.lease(total, shard).encode()),
                bulk(keys.session(total, shard).encode()),
                bulk(keys.guilds(total, shard).encode()),
                *map(bulk, STREAM_KEYS),
            ]
        )
        self._shard_argument = bulk(b"%d" % shard)
        self.on_stored: Callable[[Batch], None] = lambda _batch: None

    # Receiving
    def begin(self, session: Session, sequence: int) -> None:
        """Start with a session, new or resumed, whose dispatches up to `sequence` are in Redis or held here."""
        if session != self.session or sequence < self.sequence:
            self.cut()
            self.session = session
            self._before = self._before_shadow = sequence
        self.sequence = sequence
        self._deaf = False
        self.flush(touch=True)

    def passed(self, sequence: int) -> None:
        """Note a dispatch that nobody wants."""
        if not self._deaf:
            self.sequence = sequence

    def append(
        self, heads: tuple[bytes, ...], sequence: int, guild: bytes, payload: bytes, key: bytes = b""
    ) -> None:
        """Take one dispatch. `guild` is b"0" when it has none; `key` is wanted while `seen` is set."""
        if self._deaf:
            return
        s = b"%d" % sequence
        now = time.time()
        part = b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n$13\r\n%d\r\n$%d\r\n%b\r\n" % (
            heads[(int(guild) >> 22) % PARTITIONS],
            len(s),
            s,
            len(guild),
            guild,
            now * 1000,
            len(payload),
            payload,
        )
        if self.seen:
            part += bulk(key)
        if not self._parts:
            self.oldest = now
            self._schedule(self)
        self._parts.append(part)
        self._part_sequences.append(sequence)
        self.sequence = sequence
        size = len(part)
        self._parts_bytes += size
        self.bytes += size
        self.events += 1
        self.counts.received += 1

    def overlap(self, *, on: bool) -> None:
        """Tell events apart by their keys, since another set of shards receives them too."""
        seen = keys.SEEN_PREFIX.encode() if on else b""
        if seen != self.seen:
            if not self.shadow:
                self.cut()
            self.seen = seen

    def lead(self) -> None:
        """Leave the shadow: publish, starting with what came in the last seconds."""
        self.shadow = False
        self._schedule(self)

    def _trim_shadow(self) -> int:
        """Forget what the set in charge has certainly published, never hold too much; return the sequence before."""
        limit = time.time() - SHADOW_SECONDS
        count = max(0, len(self._parts) - SHADOW_EVENTS)
        while count < len(self._parts) and received_at(self._parts[count]) < limit:
            count += 1
        if count:
            size = sum(map(len, self._parts[:count]))
            self._before_shadow = self._part_sequences[count - 1]
            del self._parts[:count], self._part_sequences[:count]
            self._parts_bytes -= size
            self.bytes -= size
            self.events -= count
        return max(self._before, self._before_shadow)

    @property
    def pending(self) -> int:
        """Number of events that wait for their batch."""
        return len(self._parts)

    @property
    def stored(self) -> bool:
        """Whether Redis has everything that came."""
        return not self._parts and not self._under_way

    # Sending
    def flush(self, *, touch: bool = False) -> None:
        """Send what is pending, as far as batches may be under way; with `touch` at least an empty batch."""
        if self.stopped or self.blocked:
            return
        if self._deaf:
            # What was discarded is not stored: until it comes again, only the lease is renewed.
            if touch and len(self._under_way) < MAX_BATCHES_UNDER_WAY:
                self._send(self._batch(b"", 0, self._before))
            return
        if self.shadow:
            passed = self._trim_shadow()
            if touch and len(self._under_way) < MAX_BATCHES_UNDER_WAY:
                # Stored is only what is forgotten here: the rest may still have to be published.
                self._send(self._batch(b"", 0, passed))
            return
        while len(self._under_way) < MAX_BATCHES_UNDER_WAY and self._parts:
            self._send(self._next_batch())
            touch = False
        if touch and not self._parts and len(self._under_way) < MAX_BATCHES_UNDER_WAY:
            self._send(self._batch(b"", 0, self.sequence))

    def cut(self) -> None:
        """Close the pending batch, since what follows belongs to another session or goes another way."""
        while self._parts:
            batch = self._next_batch()
            if self.blocked or self.stopped:
                self._under_way.append(batch)
            else:
                self._send(batch)

    def _next_batch(self) -> Batch:
        count, size = len(self._parts), self._parts_bytes
        if count > MAX_BATCH_EVENTS or size > MAX_BATCH_BYTES:
            count = size = 0
            for part in self._parts:
                if count and (count >= MAX_BATCH_EVENTS or size + len(part) > MAX_BATCH_BYTES):
                    break
                count += 1
                size += len(part)
        after = self.sequence if count == len(self._parts) else self._part_sequences[count - 1]
        batch = self._batch(b"".join(self._parts[:count]), count, after)
        del self._parts[:count], self._part_sequences[:count]
        self._parts_bytes -= size
        return batch

    def _batch(self, data: bytes, events: int, after: int) -> Batch:
        before, self._before = self._before, after
        session = None if self._deaf else self.session
        return Batch(
            feed=self,
            session=session,
            epoch=self.epoch,
            token=self.token,
            seen=self.seen,
            guilds=self.guild_changes() if session else [],  # the script takes them with a session only
            data=data,
            events=events,
            before=before,
            after=after,
            oldest=self.oldest,
        )

    def _send(self, batch: Batch) -> None:
        self._under_way.append(batch)
        batch.sent_at = time.monotonic()
        self.counts.batches += 1
        self._submit(batch)

    def call_head(self, batch: Batch) -> bytes:
        """Return the RESP of the call up to the events."""
        step = 7 if batch.seen else 6
        session = batch.session
        fixed = b"".join(
            [
                bulk(batch.token.encode()),
                bulk(b"%d" % keys.LEASE_MS),
                bulk(self.state),
                bulk(session.id.encode() if session else b""),
                bulk(session.url.encode() if session else b""),
                bulk(b"%d" % batch.before),
                bulk(b"%d" % batch.after),
                bulk(b"%d" % keys.SESSION_KEY_MS),
                self._shard_argument,
                bulk(batch.seen),
                bulk(b"%d" % keys.SEEN_MS),
                bulk(b"%d" % len(batch.guilds)),
                *map(bulk, batch.guilds),
            ]
        )
        arguments = FIXED_ARGUMENTS + len(batch.guilds) + step * batch.events
        # EVALSHA, its digest and the number of keys come first.
        return b"*%d\r\n%b%b" % (3 + FIRST_STREAM - 1 + PARTITIONS + arguments, self._keys, fixed)

    # Answers
    def answered(self, batch: Batch, code: int, number: int) -> None:
        """Take the script's reply to a batch."""
        # Blocked: the lease is being acquired again, which makes our own earlier token look like a stranger's.
        if batch.epoch != self.epoch or self.stopped or self.blocked:
            return
        if code == 1:
            self._under_way.popleft()
            self.renewed_at = batch.sent_at
            self.counts.appended += number
            self.counts.refused += batch.events - number
            self._forget(batch)
            self.on_stored(batch)
            if self._parts:
                self._schedule(self)
        elif code == 0:
            self.discard()
            self.stopped = True
            self._owner.fenced(self)
        elif code == 2:
            self.blocked = True
            self._owner.lease_unknown(self)
        else:
            self.discard()
            self._owner.gap(self, number)

    def renew(self, token: str) -> None:
        """Go on under a new lease: everything not stored yet is sent again, in order."""
        self.token = token
        self.blocked = False
        self.epoch += 1
        again, self._under_way = self._under_way, deque()
        for batch in again:
            # A new object: the old one may still be answered.
            self._send(replace(batch, epoch=self.epoch, token=token))
        self._schedule(self)

    def discard(self) -> None:
        """Forget everything that is not stored; whoever resumes the session gets it again."""
        self.counts.discarded += self.events
        self.epoch += 1
        self._deaf = True
        self._under_way.clear()
        self._parts.clear()
        self._part_sequences.clear()
        self._parts_bytes = self.events = self.bytes = 0

    def _forget(self, batch: Batch) -> None:
        self.events -= batch.events
        self.bytes -= len(batch.data)
