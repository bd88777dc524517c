"""Run the handlers of a group for one entry and say what came of each."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from app.events.envelope import Envelope
from app.events.event import Event, MalformedEvent
from app.observability import metrics
from app.services import Services, bind
from app.streams.declare import Consumer
from app.streams.discovery import Group
from app.streams.entry import ALL_HANDLERS, Entry
from app.streams.failure import Again, Dead, Lost, Unavailable, describe, judge
from app.streams.fencing import Fence, current_fence
from app.streams.settlement import Failed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What came of an entry; nothing of it: it succeeded.

    `unavailable`: why a store could not be reached. `lost`: the lease is an older one. `gone`: there is no body.
    """

    failed: list[Failed] = field(default_factory=list)
    gone: bool = False
    unavailable: str | None = None
    lost: bool = False


class Handling:
    """The handlers of one group with their services. Raises MissingService when it is made."""

    def __init__(self, group: Group, services: Services) -> None:
        self._group = group
        self._by_event = {
            name: tuple((consumer, _event_type(consumer, name)) for consumer in consumers)
            for name, consumers in group.by_event().items()
        }
        self._running_time = {
            consumer.name: metrics.STREAM_HANDLER_MS.labels(group.name, consumer.name)
            for consumer in group.consumers
        }
        self._services = {consumer.name: bind(consumer.function, services) for consumer in group.consumers}

    def wants(self, entry: Entry) -> bool:
        """Tell whether any handler consumes an event of this type. A malformed entry is wanted: it is reported."""
        assert entry.fields is not None
        name = entry.fields.get(b"t")
        return name is None or name.decode(errors="replace") in self._by_event

    async def run(self, entry: Entry, fence: Fence) -> Outcome:
        """Run the handlers one after another. Handlers that succeeded are not run again with a later attempt."""
        current_fence.set(fence)
        outcome = Outcome()
        assert entry.fields is not None
        try:
            envelope = Envelope.from_fields(entry.fields)
        except ValueError:
            problem = MalformedEvent("the stream entry lacks a field, or holds no number in one")
            outcome.failed.append(Failed(ALL_HANDLERS, Dead("malformed", entry.failures + 1), problem))
            return outcome
        chosen = self._by_event.get(envelope.type, ())
        if entry.handlers is not None:
            known = {consumer.name for consumer, _ in chosen}
            gone = [name for name in entry.handlers if name not in known]
            outcome.failed += [Failed(name, Dead("handler-gone", entry.failures), None) for name in gone]
            chosen = tuple(pair for pair in chosen if pair[0].name in entry.handlers)
        succeeded: set[str] = set()
        for consumer, event_type in chosen:
            error = await self._call(consumer, event_type, envelope)
            if error is None:
                succeeded.add(consumer.name)
                continue
            age = time.time() - entry.created_ms / 1000
            verdict = judge(error, consumer.retry, failures=entry.failures, age=age)
            if isinstance(verdict, Lost):
                outcome.lost = True
                return outcome
            if isinstance(verdict, Unavailable):
                outcome.unavailable = verdict.reason
                entry.handlers = tuple(c.name for c, _ in chosen if c.name not in succeeded)
                return outcome
            outcome.failed.append(Failed(consumer.name, verdict, error))
            put_off = isinstance(verdict, Again) and verdict.failures == entry.failures
            log.log(
                logging.DEBUG if put_off else logging.WARNING,
                "an event is put off" if put_off else "an event handler failed",
                extra={
                    "group": self._group.name,
                    "handler": consumer.name,
                    "entry": entry.id.decode(),
                    "guild_id": entry.guild_id,
                    "failures": verdict.failures,
                    "follows": type(verdict).__name__.lower(),
                    "error": describe(error),
                },
            )
        return outcome

    async def _call(
        self, consumer: Consumer, event_type: type[Event], envelope: Envelope
    ) -> Exception | None:
        started = time.perf_counter()
        try:
            event = event_type.parse(envelope)
            if event is not None:
                async with asyncio.timeout(consumer.seconds):
                    await consumer.function(event, **self._services[consumer.name])
        except Exception as error:
            return error
        finally:
            took = (time.perf_counter() - started) * 1000
            self._running_time[consumer.name].observe(took)
        return None


def _event_type(consumer: Consumer, name: str) -> type[Event]:
    return next(event for event in consumer.events if name == event.GATEWAY_EVENT)
