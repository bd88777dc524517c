"""Interactions under way, and the one timer that looks after them all.

Handlers run inside their request's own task: a timer and a task for each would cost as much as the admission. Ten
times a second the timer looks at all that are under way. What it does with a slow one:

    0.4 s   tells the gate that it is alive (`prolong`), so that no other replica takes it over
    1.5 s   answers "thinking" in its place; what the handler returns later goes out over REST
    2.4 s   an autocompletion, which cannot be deferred, is answered with no choices
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.interactions.interaction import Interaction
from app.interactions.payloads import InteractionType
from app.interactions.responses import Response
from app.interactions.routing import Route
from app.web.asgi import Send

LOOK_SECONDS = 0.1
PROLONG_SECONDS = 0.4
DEFER_SECONDS = 1.5
"""Design section 2. With LOOK_SECONDS on top there is more than a second left of Discord's three."""
GIVE_UP_SECONDS = 2.4

NO_CHOICES = Response(b'{"type":8,"data":{"choices":[]}}')


@dataclass(slots=True, eq=False)
class Flight:
    """One interaction that is being handled. `waiting` is what was answered in its place, once it was."""

    route: Route
    interaction: Interaction
    send: Send
    started: float
    prolonged: bool = False
    waiting: Response | None = None


@dataclass(slots=True)
class Flights:
    """All of this process.

    `prolong(flight)` and `answer(flight)` are called by the timer; `answer` has to send `flight.waiting`, which is
    set. `deferral(flight)` gives the answer that buys time, or None.
    """

    deferral: Callable[[Flight], Response | None]
    prolong: Callable[[Flight], None]
    answer: Callable[[Flight], None]
    defer_seconds: float = DEFER_SECONDS
    _flights: dict[Flight, None] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None

    def start(self, route: Route, interaction: Interaction, send: Send, started: float) -> Flight:
        """Look after a handler from now on; `started` is the request's begin by `time.perf_counter`."""
        flight = Flight(route, interaction, send, started)
        self._flights[flight] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                min(PROLONG_SECONDS, self.defer_seconds), self._look
            )
        return flight

    def end(self, flight: Flight) -> None:
        """The handler is done: nobody answers in its place any more."""
        self._flights.pop(flight, None)

    def __len__(self) -> int:
        return len(self._flights)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = time.perf_counter()
        for flight in list(self._flights):
            age = now - flight.started
            if age < min(PROLONG_SECONDS, self.defer_seconds):
                continue
            if not flight.prolonged:
                flight.prolonged = True
                self.prolong(flight)
            if age >= self.defer_seconds and flight.waiting is None:
                self._defer(flight, age)
        self._timer = loop.call_later(LOOK_SECONDS, self._look) if self._flights else None

    def _defer(self, flight: Flight, age: float) -> None:
        waiting = self.deferral(flight)
        if waiting is None:
            if (
                age < GIVE_UP_SECONDS
                or flight.route.kind is not InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE
            ):
                return
            waiting = NO_CHOICES
        flight.waiting = waiting
        self.answer(flight)
