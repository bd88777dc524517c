"""One shard: its lease, its session, its socket, and what to do when one of them ends.

wait for the lease -> RESUME the stored session, or wait for a slot and IDENTIFY -> read
  socket closed      resume, or identify, or stop: as the close code says (contract section 5.3)
  buffer full        close resumably, wait for room, resume
  hole in Redis      close, resume from what Redis has
  lease lost         close and end: another instance has the session now
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from redis.exceptions import RedisError

from app.observability import metrics
from ingester import keys
from ingester.discord_gateway import (
    RESUMABLE,
    After,
    BufferFull,
    Closed,
    GatewaySocket,
)
from ingester.feed import Feed, Session
from ingester.floor import Floor, ShardStopped
from ingester.frames import TRACKED, MalformedFrame, Ready, WantedEvent, guild_of
from ingester.guild_index import GuildIndex
from ingester.leases import Lease
from ingester.member_search import MemberSearch
from ingester.overlap import overlap_key
from ingester.reconnect import Reconnect

log = logging.getLogger(__name__)

CHECK_SECONDS = 0.05
CONFIRM_SECONDS = 0.3
CONFIRM_POLL_SECONDS = 0.005
DRAIN_SECONDS = 3.0
CLOSED_FOR_GOOD = frozenset({1000, 1001})
RESUME_TRIES = 2
"""RESUMEs answered by closing for good before the session is taken for lost."""
RESUME_URL_TRIES = 2
"""Connections refused at the resume address before the one that Discord gives for new sessions is tried."""


class Shard:
    """Run `run()` in a task. It ends when the lease is lost or given up, or raises ShardStopped."""

    def __init__(self, number: int, floor: Floor, *, overlap: bool = False, shadow: bool = False) -> None:
        self.number = number
        self.guilds = GuildIndex()
        self.search = MemberSearch()
        self.room = floor.publisher.room
        self.status = "waiting"
        """waiting (for the lease), identifying, resuming, ready, disconnected, closing."""
        self.counts: Counter[str] = Counter()
        self.registered = asyncio.Event()
        """Set once it holds the lease and has resumed, or has asked for its IDENTIFY slot."""
        self._floor = floor
        self._overlap = overlap
        self._shadow = shadow
        self._feed: Feed | None = None
        self._socket: GatewaySocket | None = None
        self._session: Session | None = None
        self._session_at = 0.0
        self._patient = False
        """The session was left for lack of room: Discord keeps it longer than S4's 58 s, and RESUME is free."""
        self._again_from: int | None = None
        self._successor: str | None = None
        self._stopping = asyncio.Event()
        self._unanswered = 0
        self._turned_away = 0
        self._reconnect = Reconnect()
        self._tasks: set[asyncio.Task[None]] = set()

    # What others see
    @property
    def latency_ms(self) -> float | None:
        """Time from heartbeat to acknowledgement, None while unknown."""
        latency = self._socket.latency if self._socket is not None else float("inf")
        return None if latency == float("inf") else latency * 1000

    @property
    def silent_seconds(self) -> float | None:
        """Seconds since the socket brought anything, None without a socket."""
        return None if self._socket is None else time.monotonic() - self._socket.received_at

    @property
    def released(self) -> bool:
        """Whether it was told to end."""
        return self._stopping.is_set()

    @property
    def feed(self) -> Feed | None:
        """The way to Redis, while the lease is held."""
        return self._feed

    @property
    def socket(self) -> GatewaySocket | None:
        """The open socket, for requests to Discord."""
        return self._socket if self.status == "ready" else None

    # What others ask
    def release(self, successor: str = "") -> None:
        """Hand the shard over: close resumably, store everything, give the lease back."""
        self._successor = successor
        self._stopping.set()
        self._interrupt()

    def overlap(self, *, on: bool) -> None:
        """Begin or end to tell events apart from those of another set of shards."""
        self._overlap = on
        if self._feed is not None:
            self._feed.overlap(on=on)

    def lead(self) -> None:
        """The set of shards this one belongs to is in charge from now on."""
        self._shadow = False
        if self._feed is not None:
            self._feed.lead()

    # Life
    async def run(self) -> None:
        """Hold the shard until it is released or lost. Raises ShardStopped."""
        lease = await self._floor.leases.wait(self.number, self._stopping)
        if lease is None:
            return
        self.guilds.load(await self._floor.leases.guilds(self.number))
        feed = self._open(lease)
        try:
            while not self._stopping.is_set() and not feed.stopped:
                await self._connection(feed)
        finally:
            self.status = "closing"
            await asyncio.shield(self._leave(feed))

    def _open(self, lease: Lease) -> Feed:
        floor = self._floor
        feed = floor.publisher.open(self.number, floor.total, lease.token, self)
        feed.shadow = self._shadow
        feed.overlap(on=self._overlap)
        feed.guild_changes = self.guilds.changes
        self._feed = feed
        if (stored := lease.stored) is not None:
            self._session = stored.session
            self._session_at = time.monotonic() - stored.age_ms / 1000
            feed.begin(stored.session, stored.sequence)
        log.info("shard acquired", extra={"shard": self.number, "resumable": self._resumable() is not None})
        return feed

    def _resumable(self) -> tuple[Session, int] | None:
        """Return the session to resume and its sequence, if it is young enough (seed S4)."""
        if self._session is None or self._feed is None:
            return None
        if not self._patient and (time.monotonic() - self._session_at) * 1000 >= keys.RESUME_MS:
            self._lose("too_old")
            return None
        return self._session, self._feed.sequence

    def _lose(self, reason: str) -> None:
        """Give the session up: what happened since its last dispatch will not be replayed."""
        if self._session is not None:
            self._session = None
            metrics.GATEWAY_SESSIONS_LOST.labels(reason).inc()
            log.error("session lost", extra={"shard": self.number, "reason": reason})

    async def _connection(self, feed: Feed) -> None:
        """Open one connection and read it to its end; wait as long as that end demands."""
        if not await self._confirmed(feed):
            return
        try:
            socket = await self._connect(feed)
            if socket is None:
                return
            self._socket = socket
            await socket.read()
        except Closed as closed:
            await self._after(closed, feed)
        except BufferFull:
            log.error(
                "no room for 30 s: socket closed, Discord keeps the events", extra={"shard": self.number}
            )
            await self._close_socket()
            self._patient = True
            while not (self.room.is_set() or feed.stopped or self._stopping.is_set()):
                await self._pause(CHECK_SECONDS)
        except MalformedFrame as error:
            metrics.ERRORS.labels("gateway_malformed_frame").inc()
            log.error("malformed frame", extra={"shard": self.number, "problem": str(error)})
            if self._reconnect.malformed(error, feed.sequence):
                self._lose("malformed")
            await self._close_socket()
            await self._pause(self._reconnect.delay())
        finally:
            await self._close_socket()

    async def _confirmed(self, feed: Feed) -> bool:
        """Have Redis confirm the lease: only its holder may use the session.

        While Redis is slow to answer, a confirmation that cannot have lapsed yet will do.
        """
        asked = time.monotonic()
        sure = keys.LEASE_MS / 1000 - 2 * keys.RENEW_SECONDS
        while feed.blocked or feed.renewed_at <= asked:
            if feed.stopped or self._stopping.is_set():
                return False
            now = time.monotonic()
            if now - asked > CONFIRM_SECONDS and now - feed.renewed_at < sure and not feed.blocked:
                break
            feed.flush(touch=True)
            await asyncio.sleep(CONFIRM_POLL_SECONDS)
        if self._again_from is not None:
            if self._session is not None:
                feed.begin(self._session, self._again_from)
            self._again_from = None
        return not feed.stopped

    async def _connect(self, feed: Feed) -> GatewaySocket | None:
        """Return an open socket on which RESUME or IDENTIFY was sent; None when told to stop. Raises Closed."""
        floor = self._floor
        if (resume := self._resumable()) is not None:
            self.status, feed.state = "resuming", b"resuming"
            # An address that nobody answers at is not worth the session's last seconds: ask at the front door.
            if self._unanswered >= RESUME_URL_TRIES:
                return await floor.client.connect(self.number, floor.gateway_url, self, resume)
            self._unanswered += 1
            socket = await floor.client.connect(self.number, resume[0].url, self, resume)
            self._unanswered = 0
            return socket
        self.status, feed.state = "identifying", b"identifying"
        self.registered.set()
        slot = asyncio.create_task(floor.slots.acquire(self.number))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({slot, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not slot.done():
                return None
            slot.result()
        finally:
            slot.cancel()
            stop.cancel()
        if feed.stopped or self._stopping.is_set():
            await floor.slots.not_sent(self.number)
            return None
        try:
            socket = await floor.client.connect(self.number, floor.gateway_url, self, None)
        except BaseException:
            await floor.slots.not_sent(self.number)
            raise
        await floor.slots.sent(self.number)
        return socket

    async def _after(self, closed: Closed, feed: Feed) -> None:
        """React to a closed socket."""
        await self._close_socket()
        if self._stopping.is_set() or feed.stopped or self._again_from is not None:
            return
        metrics.GATEWAY_CLOSES.labels(str(closed.code or "none")).inc()
        if closed.after is After.STOP and closed.code is not None:
            raise ShardStopped(self.number, closed.code)
        self._turned_away += self.status == "resuming" and closed.code in CLOSED_FOR_GOOD
        if self._turned_away >= RESUME_TRIES:
            self._turned_away = 0
            self._lose("turned_away")
        if closed.after is After.IDENTIFY:
            self._lose("invalid" if closed.code is None or closed.code == 1000 else f"close_{closed.code}")
        delay = self._reconnect.delay()
        log.warning(
            "gateway connection ended",
            extra={
                "shard": self.number,
                "why": str(closed),
                "next": closed.after.value,
                "delay_s": round(delay, 1),
            },
        )
        await self._pause(delay)

    async def _close_socket(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            if self.status == "ready":
                # Not when it last brought something: a socket that fell silent was in use until we gave it up.
                self._session_at = time.monotonic()
                self.status = "disconnected"
                if self._feed is not None:
                    self._feed.state = b"disconnected"
            with contextlib.suppress(Exception):
                await socket.close(RESUMABLE)

    async def _leave(self, feed: Feed) -> None:
        """Store what was received, then give the lease back."""
        await self._close_socket()
        for task in self._tasks:
            task.cancel()
        if not feed.stopped:
            feed.state = b"released"
            if not await self._floor.publisher.drain(feed, DRAIN_SECONDS):
                log.error(
                    "not everything stored before leaving; Discord replays it to whoever resumes in time",
                    extra={"shard": self.number, "events": feed.events},
                )
            try:
                await self._floor.leases.release(self.number, feed.token, self._successor or "")
            except RedisError as error:
                log.warning(
                    "lease not released; it lapses",
                    extra={"shard": self.number, "error": type(error).__name__},
                )
        self._floor.publisher.close(feed)
        self._feed = None

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless told to stop."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    def _interrupt(self) -> None:
        """Make the reading end."""
        if self._socket is not None:
            self._spawn(self._socket.close(RESUMABLE))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The feed's owner
    def fenced(self, feed: Feed) -> None:
        """Another instance has the shard: end, without touching the session."""
        given_up = feed.counts.discarded
        log.error("lease lost to another instance", extra={"shard": self.number, "discarded": given_up})
        self._interrupt()

    def lease_unknown(self, feed: Feed) -> None:
        """Redis has forgotten the lease: take it again, and go on."""
        log.warning("Redis has forgotten the lease; acquiring it again", extra={"shard": self.number})
        self.guilds.unsaved()
        self._spawn(self._acquire_again(feed))

    async def _acquire_again(self, feed: Feed) -> None:
        if (token := await self._floor.leases.again(self.number)) is not None:
            feed.renew(token)
        elif not feed.stopped:
            feed.discard()
            feed.stopped = True
            self.fenced(feed)

    def gap(self, feed: Feed, stored: int) -> None:
        """Redis has lost its last writes: have Discord replay them."""
        found = {"shard": self.number, "sequence": stored}
        log.error("Redis has lost events; resuming from what it has", extra=found)
        self._again_from = stored
        self.guilds.unsaved()
        self._interrupt()

    # The socket's receiver
    def skip_malformed(self) -> bool:
        """Whether the malformed frame that has come is passed over."""
        return self._feed is not None and self._reconnect.skip(self._feed.sequence)

    def event(self, event: WantedEvent, sequence: int, guild: bytes, payload: bytes) -> None:
        """Take a dispatch for the app."""
        feed = self._feed
        assert feed is not None
        self.counts[event.name] += 1
        if event.tracked:
            self._track(event.name, payload)
        key = overlap_key(event.name, guild, payload) if feed.seen else b""
        feed.append(event.heads, sequence, guild, payload, key)

    def other(self, name: str, sequence: int, payload: bytes) -> None:
        """Take note of a dispatch that nobody wants."""
        if self._feed is not None:
            self._feed.passed(sequence)
        if name in TRACKED or name == "GUILD_MEMBERS_CHUNK":
            self._track(name, payload)

    def ready(self, ready: Ready, url: str, sequence: int) -> None:
        """A new session: remember it at once."""
        assert self._feed is not None
        self.guilds.reset(int(guild.id) for guild in ready.guilds)
        self._session = Session(ready.session_id, url)
        self._online(resumed=False)
        self._spawn(self._floor.slots.accepted(self.number))
        self._feed.begin(self._session, sequence)
        log.info("shard ready", extra={"shard": self.number, "guilds": len(self.guilds)})

    def resumed(self, sequence: int) -> None:
        """The session goes on."""
        assert self._feed is not None
        self._online(resumed=True)
        self._feed.passed(sequence)
        metrics.GATEWAY_RESUMES.labels(self.number).inc()
        log.info("shard resumed", extra={"shard": self.number})

    def _online(self, *, resumed: bool) -> None:
        assert self._feed is not None
        self.status, self._feed.state = "ready", b"ready"
        self._turned_away = self._unanswered = 0
        self._reconnect.online(resumed=resumed)
        self._patient = False
        self.registered.set()

    def _track(self, name: str, payload: bytes) -> None:
        try:
            if name == "GUILD_MEMBERS_CHUNK":
                self.search.chunk(payload)
            else:
                self.guilds.take(name, guild_of(name, payload), payload)
        except ValueError:
            log.warning(
                "dispatch not noted: not the payload Discord documents",
                extra={"shard": self.number, "type": name},
            )
