"""The gate of signed interactions: each id once, and no more than the limits, in one Redis round trip.

    admit ──> ADMITTED    go on; `settle` it with the answer's bytes, or `abandon` it
          ──> Repeated    the answer that the same interaction got before, here or on another replica
          ──> Limited     a window is full; `settle` it with the refusal, so that a repeat gets the same
          ──> UNDER_WAY   the first of the same id has not been answered in time

A claim without an answer is a lease: a replica that dies leaves it behind, and a repeat (the proxy tries the
other replica) takes it over when it ends, without being charged again. A handler that needs longer than the
lease is `prolong`ed. Effects do not rest on this: they carry the interaction id as a unique key in PostgreSQL
(`app.admission.store`).

Without Redis the process goes on alone: its own claims (which it keeps anyway) and its own windows.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.resources
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import hiredis

from app.adapters.redis.shared_connection import NotConnected, SharedConnection
from app.admission.answers import Answers
from app.admission.limits import Charge
from app.admission.windows import Windows
from app.observability import metrics

log = logging.getLogger(__name__)

SCRIPT = importlib.resources.files(__package__).joinpath("admission.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest().encode()

MOST_CHARGES = 8
_PREFIXES = [(b"EVALSHA", _SHA, b"%d" % (1 + charges)) for charges in range(MOST_CHARGES + 1)]

LEASE_MS = 1_000
"""How long a claim holds off repeats while nothing is answered: far above what a handler takes, and short
enough for a repeat to take over and still answer within Discord's 3 s (contract 1.3)."""
PROLONGED_MS = 4_000
ANSWER_MS = 16 * 60 * 1_000
"""A bit longer than an interaction token lives (15 min, contract 1.3)."""
REPEAT_WAITS = 2.2
"""Seconds that a repeat waits for the first one's answer: below Discord's 3 s."""
POLL_SECONDS = 0.04

_LEASE, _ANSWER_LIFE = b"%d" % LEASE_MS, b"%d" % ANSWER_MS


class State(Enum):
    """Verdicts without further words."""

    ADMITTED = auto()
    UNDER_WAY = auto()


ADMITTED, UNDER_WAY = State.ADMITTED, State.UNDER_WAY


@dataclass(frozen=True, slots=True)
class Repeated:
    """The id was answered before."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Limited:
    """A window is full. `wait_ms` is the time, rounded up, until this would be admitted."""

    scope: str
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """The verdict on a request that is only counted. Times in milliseconds, rounded up.

    `wait_ms` is 0 when it was admitted; after `reset_ms` without requests the whole limit is free again.
    """

    limit: int
    remaining: int
    wait_ms: int
    reset_ms: int

    @property
    def admitted(self) -> bool:
        """Tell whether the request may go on."""
        return self.wait_ms == 0


Verdict = State | Repeated | Limited


def _milliseconds(microseconds: int) -> int:
    return -(-microseconds // 1000)


class Gate:
    """One per process. `shared` is a connection on which SCRIPT is loaded."""

    def __init__(self, shared: SharedConnection, *, answers: Answers | None = None) -> None:
        self._shared = shared
        self._answers = answers if answers is not None else Answers()
        self._under_way: dict[int, asyncio.Future[bytes | None] | None] = {}
        self._windows = Windows()
        self._alone = False

    async def admit(self, interaction_id: int, charges: Sequence[Charge]) -> Verdict:
        """Claim the interaction and charge its windows. Never raises for Redis' sake."""
        answer = self._answers.get(interaction_id)
        if answer is not None:
            metrics.INTERACTION_REPLAYS.inc()
            return Repeated(answer)
        if interaction_id in self._under_way:
            metrics.INTERACTION_REPLAYS.inc()
            return await self._wait_here(interaction_id)
        self._under_way[interaction_id] = None
        try:
            reply = await self._evaluate(b"claim:%d" % interaction_id, _LEASE, charges)
            if reply == 1:
                if self._alone:
                    self._rejoin()
                return ADMITTED
            if type(reply) is bytes:
                metrics.INTERACTION_REPLAYS.inc()
                return await self._wait_elsewhere(interaction_id, reply)
        except (NotConnected, hiredis.ReplyError) as error:
            return self._admit_alone(charges, error)
        except asyncio.CancelledError:
            self.abandon(interaction_id)
            raise
        index, wait = reply
        return self._refuse(charges[index - 1], wait)

    def settle(self, interaction_id: int, answer: bytes) -> None:
        """Keep the answer for repeats, here and in Redis, and wake those that wait. Waits for nothing."""
        self._answers.put(interaction_id, answer)
        self._shared.post(b"SET", b"claim:%d" % interaction_id, answer, b"PX", _ANSWER_LIFE)
        waiting = self._under_way.pop(interaction_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def prolong(self, interaction_id: int) -> None:
        """Keep repeats off for longer: the handler is slow but alive."""
        self._shared.post(b"PEXPIRE", b"claim:%d" % interaction_id, b"%d" % PROLONGED_MS)

    def abandon(self, interaction_id: int) -> None:
        """Give a claim up without an answer; a repeat may take it over when the lease ends."""
        waiting = self._under_way.pop(interaction_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def charge(self, charge: Charge) -> Allowance:
        """Count one request that carries no interaction id."""
        limit = charge.limit
        try:
            reply = await self._evaluate(b"", b"0", (charge,))
        except (NotConnected, hiredis.ReplyError) as error:
            self._note_alone(error)
            now = time.monotonic_ns() // 1000
            refused = self._windows.charge((charge,), now)
            room = self._windows.room(charge, now)
            reply = (1, refused[1]) if refused else (0, room, limit.microseconds)
        else:
            if self._alone:
                self._rejoin()
        if reply[0] == 0:
            return Allowance(limit.count, reply[1], 0, _milliseconds(reply[2]))
        metrics.ADMISSION_REFUSALS.labels(charge.scope).inc()
        return Allowance(limit.count, 0, _milliseconds(reply[1]), _milliseconds(limit.microseconds))

    async def _evaluate(self, claim: bytes, lease: bytes, charges: Sequence[Charge]) -> Any:
        command = (
            *_PREFIXES[len(charges)],
            claim,
            *[key for _, key, _ in charges],
            lease,
            b"",
            *[argument for _, _, limit in charges for argument in limit.arguments],
        )
        try:
            return await self._shared.send(*command)
        except hiredis.ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        # Somebody flushed the scripts; EVAL loads it again.
        return await self._shared.send(b"EVAL", SCRIPT, *command[2:])

    async def _wait_here(self, interaction_id: int) -> Verdict:
        """Wait for the first of this id in this process."""
        waiting = self._under_way[interaction_id]
        if waiting is None:
            waiting = self._under_way[interaction_id] = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait({waiting}, timeout=REPEAT_WAITS)
        answer = waiting.result() if done else None
        return UNDER_WAY if answer is None else Repeated(answer)

    async def _wait_elsewhere(self, interaction_id: int, answer: bytes) -> Verdict:
        """Wait for another replica's answer; take the claim over when its lease ends."""
        claim = b"claim:%d" % interaction_id
        deadline = time.monotonic() + REPEAT_WAITS
        while not answer:
            if time.monotonic() > deadline:
                self.abandon(interaction_id)
                return UNDER_WAY
            await asyncio.sleep(POLL_SECONDS)
            reply = await self._evaluate(claim, _LEASE, ())
            if reply == 1:
                metrics.INTERACTION_TAKEOVERS.inc()
                return ADMITTED
            answer = reply
        self._answers.put(interaction_id, answer)
        waiting = self._under_way.pop(interaction_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        return Repeated(answer)

    def _refuse(self, charge: Charge, wait: int) -> Limited:
        metrics.ADMISSION_REFUSALS.labels(charge.scope).inc()
        return Limited(charge.scope, _milliseconds(wait))

    def _admit_alone(self, charges: Sequence[Charge], error: Exception) -> Verdict:
        self._note_alone(error)
        refused = self._windows.charge(charges, time.monotonic_ns() // 1000)
        if refused is None:
            return ADMITTED
        return self._refuse(charges[refused[0]], refused[1])

    def _note_alone(self, error: Exception) -> None:
        metrics.ADMISSION_FALLBACKS.inc()
        if not self._alone:
            self._alone = True
            metrics.ADMISSION_ALONE.set(1)
            log.warning("admission goes on without redis", extra={"error": type(error).__name__})

    def _rejoin(self) -> None:
        self._alone = False
        self._windows.clear()
        metrics.ADMISSION_ALONE.set(0)
        log.info("admission is back with redis")
