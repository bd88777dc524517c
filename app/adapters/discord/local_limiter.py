"""Limits within one process, for the time that Redis is out of reach: each process keeps to its share.

Simpler than the shared limiter, and more cautious: buckets are learnt all the time, so that their sizes are known
when the outage comes; a bucket that is smaller than the number of processes is used less often instead.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from app.adapters.discord.limits import Limits
from app.adapters.discord.slots import Answer, Outcome, Scope, Ticket, Verdict

PROBE_SECONDS = 2.0
POLL_SECONDS = 0.025
BAD_WINDOW_SECONDS = 600.0
STEADY = 0.8
"""Part of the global share that goes out evenly; the rest lets urgent calls go at once."""
OUT_SECONDS = 600.0
LANES = 10_000
"""Buckets that are remembered; the longest unused are forgotten."""

_GLOBAL = "@"
_UNLIMITED = ""


@dataclass(slots=True)
class _Lane:
    limit: int | None = None
    window: float = 0.0
    used: int = 0
    began: float = 0.0
    reset: float = 0.0
    shut: float = 0.0
    probe_until: float = 0.0


@dataclass(slots=True)
class _Place:
    position: tuple[int, int]
    queues: set[str] = field(default_factory=set)


class LocalLimiter:
    """Gives slots from this process's share. `processes` is kept up to date by the owner."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.processes = limits.processes
        self._limits = limits
        self._clock = clock
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._routes: OrderedDict[str, str] = OrderedDict()
        self._waiting: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._places: dict[str, _Place] = {}
        self._arrivals = 0
        self._next = self._pause = self._blocked = self._out = 0.0
        self._bad: deque[float] = deque()
        self._gone: OrderedDict[str, None] = OrderedDict()

    async def take(self, ticket: Ticket, left: float) -> Verdict:
        now = self._clock()
        if answer := self._stopped(ticket, now):
            return answer
        if (spent := self._spent(now)) > 0:
            return self._verdict(Answer.BAD if spent > left else Answer.WAIT, spent)
        if ticket.id not in self._places:
            self._arrivals += 1
            self._places[ticket.id] = _Place((int(ticket.priority), self._arrivals))
        name = self._lane_name(ticket)
        lane = self._lane(name) if name else None
        in_bucket = self._bucket_wait(name, lane, ticket, now) if lane else 0.0
        counts_globally = not ticket.target.route.has_token
        globally = self._global_wait(ticket, now) if counts_globally else 0.0
        wait = max(in_bucket, globally)
        if wait > left:
            self.withdraw(ticket)
            return self._verdict(Answer.LATE_BUCKET if in_bucket > 0 else Answer.LATE_GLOBAL, wait)
        if wait > 0:
            self._queue_up(
                ticket, {name} - {_UNLIMITED} | ({_GLOBAL} if counts_globally and not in_bucket else set())
            )
            return self._verdict(Answer.WAIT, wait if wait < 4 * POLL_SECONDS else min(wait / 2, 15.0))
        self.withdraw(ticket)
        if lane:
            self._spend(lane, now)
        if counts_globally:
            self._next = max(self._next, now) + self._period
        return self._verdict(Answer.GO, 0.0, name)

    async def settle(self, ticket: Ticket, verdict: Verdict, outcome: Outcome) -> None:
        now = self._clock()
        name = self._lane_name(ticket)
        if name and (lane := self._lanes.get(name)):
            lane.probe_until = 0.0
        if (bucket := outcome.bucket) is not None:
            name = f"{bucket.id}:{ticket.target.top_level}"
            self._remember_route(ticket, name)
            lane = self._lane(name)
            first = bucket.remaining == bucket.limit - 1
            lane.window = bucket.reset_after if first else max(lane.window, bucket.reset_after)
            if lane.limit is None:
                lane.used, lane.began = 1, now - lane.window
            elif not verdict.counted_here:
                lane.used, lane.began = (1, now) if now >= lane.reset else (lane.used + 1, lane.began)
            # Windows are Discord's, not ours: another process may have begun this one. (An answer that was slow
            # tells of the window before.)
            if now + bucket.reset_after > lane.began + lane.window / 10:
                _, window = self._share(bucket.limit, lane.window)
                lane.reset = now + bucket.reset_after + window - lane.window
            lane.limit = bucket.limit
            if bucket.remaining == 0:
                lane.shut = max(lane.shut, now + bucket.reset_after)
        elif outcome.answered and outcome.scope is None:
            self._remember_route(ticket, _UNLIMITED)
        self._note(ticket, outcome, now)

    def withdraw(self, ticket: Ticket) -> None:
        """Forget a ticket that has its slot or whose caller gave up."""
        if place := self._places.pop(ticket.id, None):
            for queue in place.queues.copy():
                self._leave(queue, place)

    def _queue_up(self, ticket: Ticket, queues: set[str]) -> None:
        place = self._places[ticket.id]
        for queue in place.queues - queues:
            self._leave(queue, place)
        for queue in queues:
            self._enter(queue, place)

    def _note(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        until = now + outcome.retry_after
        if outcome.scope is Scope.GLOBAL:
            self._pause = max(self._pause, until)
        elif outcome.scope is Scope.EDGE:
            self._blocked = max(self._blocked, until)
        elif outcome.scope is not None:
            name = self._lane_name(ticket)
            if not name:
                self._routes.pop(_route_key(ticket), None)
                name = self._lane_name(ticket)
            lane = self._lane(name)
            lane.shut = max(lane.shut, until)
        if outcome.bad:
            self._bad.append(now)
        if outcome.webhook_gone and ticket.target.webhook:
            self._gone[ticket.target.webhook] = None
            while len(self._gone) > LANES:
                self._gone.popitem(last=False)
        if outcome.logged_out is not None:
            self._out = now + OUT_SECONDS if outcome.logged_out else 0.0

    def _stopped(self, ticket: Ticket, now: float) -> Verdict | None:
        if now < self._out and not (ticket.target.route.has_token or ticket.checks_token):
            return self._verdict(Answer.OUT, self._out - now)
        if ticket.target.webhook in self._gone:
            return self._verdict(Answer.GONE, 0.0)
        return None

    def _spent(self, now: float) -> float:
        """Seconds until the share of the budget for bad answers, or the address, is free again."""
        while self._bad and self._bad[0] <= now - BAD_WINDOW_SECONDS:
            self._bad.popleft()
        share = max(1, self._limits.bad_answers_stop // self.processes)
        until = self._blocked
        if len(self._bad) >= share:
            until = max(until, self._bad[-share] + BAD_WINDOW_SECONDS)
        return until - now

    def _bucket_wait(self, name: str, lane: _Lane, ticket: Ticket, now: float) -> float:
        ahead = self._ahead(name, ticket)
        if lane.shut > now:
            return lane.shut - now + ahead * POLL_SECONDS
        if lane.limit is None:
            if lane.probe_until > now:
                return min(lane.probe_until - now, POLL_SECONDS)
            return POLL_SECONDS * ahead
        allowed, window = self._share(lane.limit, lane.window)
        used = 0 if now >= lane.reset else lane.used
        free = allowed - used
        if ticket.priority.paced and free > 0:
            due = lane.reset - window + window * (used / allowed) ** ticket.priority.pace if used else now
            if due > now:
                return due - now + ahead * window / allowed
            free = 1
        if ahead < free:
            return 0.0
        start = lane.reset - now if used else window
        return max(start + (ahead - free) // allowed * window, POLL_SECONDS)

    def _global_wait(self, ticket: Ticket, now: float) -> float:
        at_once = 0.0 if ticket.priority.paced else self._at_once * self._period
        due = max(self._next - at_once, self._pause)
        return max(due - now, 0.0) + self._ahead(_GLOBAL, ticket) * self._period

    def _spend(self, lane: _Lane, now: float) -> None:
        if lane.limit is None:
            lane.probe_until = now + PROBE_SECONDS
            return
        if now >= lane.reset:
            _, window = self._share(lane.limit, lane.window)
            lane.used, lane.began, lane.reset = 0, now, now + window
        lane.used += 1

    def _share(self, limit: int, window: float) -> tuple[int, float]:
        """Calls per window, and its length, that are this process's part of a bucket."""
        if limit >= self.processes:
            return limit // self.processes, window
        return 1, window * math.ceil(self.processes / limit)

    @property
    def _period(self) -> float:
        return self.processes / (STEADY * self._limits.global_rate)

    @property
    def _at_once(self) -> int:
        """Urgent calls that need no gap between them: together with the steady ones they fill the share."""
        return max(0, int((1 - STEADY) * self._limits.global_rate / self.processes) - 1)

    def _lane_name(self, ticket: Ticket) -> str:
        key = _route_key(ticket)
        return self._routes.get(key, key)

    def _remember_route(self, ticket: Ticket, name: str) -> None:
        self._routes[_route_key(ticket)] = name
        self._routes.move_to_end(_route_key(ticket))
        while len(self._routes) > LANES:
            self._routes.popitem(last=False)

    def _lane(self, name: str) -> _Lane:
        lane = self._lanes.setdefault(name, _Lane())
        self._lanes.move_to_end(name)
        while len(self._lanes) > LANES:
            self._lanes.popitem(last=False)
        return lane

    def _ahead(self, queue: str, ticket: Ticket) -> int:
        return bisect_left(self._waiting.get(queue, ()), self._places[ticket.id].position)

    def _enter(self, queue: str, place: _Place) -> None:
        if queue not in place.queues:
            insort(self._waiting[queue], place.position)
            place.queues.add(queue)

    def _leave(self, queue: str, place: _Place) -> None:
        if queue in place.queues:
            line = self._waiting[queue]
            del line[bisect_left(line, place.position)]
            place.queues.remove(queue)
            if not line:
                del self._waiting[queue]

    def _verdict(self, answer: Answer, wait: float, lane: str = "") -> Verdict:
        return Verdict(
            answer, wait, lane, 0, self.processes, len(self._bad) * self.processes, counted_here=True
        )


def _route_key(ticket: Ticket) -> str:
    return f"{ticket.target.route.name}|{ticket.target.top_level}"
