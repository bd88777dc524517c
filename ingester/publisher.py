"""All feeds of a process: when batches are sent, how much may wait, how leases are kept.

The buffer is bounded in events and bytes. While it is full, `room` is cleared: sockets are not read, TCP pushes
back, and Discord keeps the events. Leases and sequences ride on the batches; a quiet feed sends an empty one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from importlib.resources import files

from app.observability import metrics
from ingester import keys
from ingester.feed import Batch, Feed, FeedOwner
from ingester.redis_writer import RedisWriter

log = logging.getLogger(__name__)

BUFFER_EVENTS = 20_000
BUFFER_BYTES = 48 << 20
"""A full buffer of ordinary messages is about 30 MB; a single event above the limit still passes when it is empty."""


class Publisher:
    """Sends what feeds hold. `run()` keeps the connection and the leases until cancelled."""

    def __init__(self, redis_url: str, *, events: int = BUFFER_EVENTS, size: int = BUFFER_BYTES) -> None:
        self._writer = RedisWriter(redis_url, files(__package__).joinpath("publish.lua").read_text("utf-8"))
        self._feeds: dict[int, Feed] = {}
        self._dirty: dict[Feed, None] = {}
        self._scheduled = False
        self._max_events = events
        self._max_bytes = size
        self.room = asyncio.Event()
        """Set while events may be read from sockets."""
        self.room.set()
        self.full_since: float | None = None
        self._publish_time = metrics.GATEWAY_STAGE.labels("publish")

    @property
    def connected(self) -> bool:
        """Whether Redis takes what is sent."""
        return self._writer.connected

    @property
    def events(self) -> int:
        """Number of events received and not yet stored."""
        return sum(feed.events for feed in self._feeds.values() if not feed.shadow)

    @property
    def bytes(self) -> int:
        """Bytes of the events received and not yet stored."""
        return sum(feed.bytes for feed in self._feeds.values() if not feed.shadow)

    @property
    def feeds(self) -> list[Feed]:
        """The open feeds."""
        return list(self._feeds.values())

    def open(self, shard: int, total: int, token: str, owner: FeedOwner) -> Feed:
        """Make the feed of a shard whose lease has this token."""
        feed = Feed(
            shard,
            total,
            token,
            submit=self._writer.submit,
            schedule=self._schedule,
            owner=owner,
            sha=self._writer.sha,
        )
        feed.on_stored = self._stored
        self._feeds[shard] = feed
        return feed

    def close(self, feed: Feed) -> None:
        """Forget a feed with what it still holds."""
        feed.stopped = True
        if self._feeds.get(feed.shard) is feed:
            del self._feeds[feed.shard]
        self._dirty.pop(feed, None)
        self._measure()

    async def run(self) -> None:
        """Keep the connection to Redis, and renew leases of quiet feeds, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._writer.run())
            group.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            for feed in self.feeds:
                feed.flush(touch=True)
            self._measure()
            await asyncio.sleep(keys.RENEW_SECONDS)

    async def drain(self, feed: Feed, seconds: float) -> bool:
        """Wait until Redis has everything of the feed; False when it takes longer."""
        deadline = time.monotonic() + seconds
        feed.flush(touch=True)
        while not feed.stored and not feed.stopped:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.005)
        return not feed.stopped

    def _schedule(self, feed: Feed) -> None:
        """Send the feed's events when this turn of the event loop is over."""
        self._dirty[feed] = None
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        dirty, self._dirty = self._dirty, {}
        for feed in dirty:
            feed.flush()
        self._measure()

    def _measure(self) -> None:
        """Open or close the door for events."""
        events, size = self.events, self.bytes
        full = events >= self._max_events or size >= self._max_bytes
        if full and self.room.is_set():
            self.room.clear()
            self.full_since = time.monotonic()
            metrics.GATEWAY_BACKPRESSURE.inc()
            log.warning("the buffer is full; sockets are not read", extra={"events": events, "bytes": size})
        elif not self.room.is_set() and events <= self._max_events // 2 and size <= self._max_bytes // 2:
            self.room.set()
            self.full_since = None
            log.info("the buffer has room; sockets are read again")

    def _stored(self, batch: Batch) -> None:
        if batch.events:
            metrics.GATEWAY_BATCH_SIZE.observe(batch.events)
            waited = max(0.0, time.time() - batch.oldest)
            metrics.EVENT_PROCESSING_TIME.labels(batch.feed.shard).observe(waited * 1000)
            self._publish_time.observe((time.monotonic() - batch.sent_at) * 1000)
        if not self.room.is_set():
            self._measure()
