"""The timer that looks after slow handlers, at short times."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from app.interactions.declarations import Defer
from app.interactions.payloads import InteractionType
from app.interactions.responses import Response
from app.interactions.routing import Route
from app.web import flights as module
from app.web.flights import NO_CHOICES, Flight, Flights

WAITING = Response(b'{"type":5}')


class Log:
    """What the timer did."""

    def __init__(self) -> None:
        self.prolonged: list[Flight] = []
        self.answered: list[Flight] = []

    def flights(self, deferral: Response | None = WAITING) -> Flights:
        return Flights(lambda _: deferral, self.prolonged.append, self.answered.append, defer_seconds=0.02)


def start(
    flights: Flights, kind: InteractionType = InteractionType.APPLICATION_COMMAND, age: float = 0
) -> Flight:
    route = Route(kind, "x", defer=Defer.PRIVATE)
    return flights.start(route, None, None, time.perf_counter() - age)  # type: ignore[arg-type]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)
    return Log()


async def test_a_fast_handler_is_left_alone(log: Log, wait_until: Any) -> None:
    flights = log.flights()
    flights.end(start(flights))
    await wait_until(lambda: flights._timer is None)
    assert (log.prolonged, log.answered, len(flights)) == ([], [], 0)


async def test_a_slow_one_is_prolonged_and_answered_for_once(log: Log, wait_until: Any) -> None:
    flights = log.flights()
    flight = start(flights)
    await wait_until(lambda: log.answered)
    await asyncio.sleep(0.05)
    assert (log.prolonged, log.answered) == ([flight], [flight])
    assert flight.waiting is WAITING


async def test_one_that_had_to_wait_for_admission_is_answered_for_sooner(log: Log, wait_until: Any) -> None:
    flights = log.flights()
    flights.defer_seconds = 100
    young, old = start(flights), start(flights, age=200)
    flights.prolong(young)
    log.prolonged.clear()
    await wait_until(lambda: log.answered)
    assert log.answered == [old]
    flights.end(young)
    flights.end(old)


async def test_what_cannot_be_deferred_is_waited_for(log: Log, wait_until: Any) -> None:
    flights = log.flights(deferral=None)
    flight = start(flights, age=1)
    await wait_until(lambda: log.prolonged)
    await asyncio.sleep(0.02)
    assert log.answered == []
    flights.end(flight)


async def test_an_autocompletion_is_given_up_in_time(log: Log, wait_until: Any) -> None:
    flights = log.flights(deferral=None)
    flight = start(flights, InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE, age=module.GIVE_UP_SECONDS)
    await wait_until(lambda: log.answered)
    assert flight.waiting is NO_CHOICES
