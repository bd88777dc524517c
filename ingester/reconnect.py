"""How long to wait before the next connection, and when a broken frame is not worth another try."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the supervisor needs the delays only, without what decodes frames
    from ingester.frames import MalformedFrame

BACKOFF_CAP_SECONDS = 30.0
HEALTHY_SECONDS = 5.0
"""A connection that lasted so long proves that connecting works: what failed before is forgotten."""
BROKEN_STREAMS = 3
"""So many undecodable connections at the same sequence give the session up."""
LASTING_FRAMES = 3
LASTING_SECONDS = 60.0
"""So many frames in a row whose replay was malformed too: for that long none is asked for again, else a change at
Discord's end would be a connection per event.
"""


def backoff(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds before attempt n: min(1 s x 2^n + up to 1 s, 30 s) (seed S4)."""
    return min(2.0 ** min(attempt, 10) + jitter(), BACKOFF_CAP_SECONDS)


class Reconnect:
    """What one shard's earlier connections say about the next."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempt = 0
        self._hurried = False
        """Whether the last connection was opened without waiting, and has not lasted yet."""
        self._online_at: float | None = None
        self._bad_frames = 0
        self._bad_at = -1
        self._skips = 0
        """Frames behind `_bad_at` that this connection may pass over."""
        self._lasting = 0
        self._lasting_until = 0.0

    def online(self, *, resumed: bool) -> None:
        """Note that Discord accepted RESUME or IDENTIFY.

        RESUME is free, so its success forgets the failures before it (seed S4). IDENTIFY is not: only lasting does.
        """
        self._online_at = self._clock()
        if resumed:
            self._attempt = 0

    def delay(self) -> float:
        """Return the seconds to wait: none after a connection that worked, unless the last one ended at once too."""
        worked = self._online_at is not None
        if self._online_at is not None and self._clock() - self._online_at >= HEALTHY_SECONDS:
            self._attempt, self._hurried = 0, False
        self._online_at = None
        if worked and not self._hurried:
            self._hurried = True
            return 0.0
        self._attempt += 1
        return backoff(self._attempt - 1)

    def malformed(self, error: MalformedFrame, sequence: int) -> bool:
        """Note a malformed frame behind `sequence`; return whether the session must be given up.

        The first time it is asked for again, since a replay may be sound. Then it is skipped where only the frame is
        bad; where the stream cannot be read at all, three tries are enough.
        """
        if self._bad_at != sequence:
            if self._bad_frames == 1:
                self._lasting = 0  # that one's replay was sound
            self._bad_at, self._bad_frames = sequence, 0
        self._bad_frames += 1
        # One more with every connection: each frame in a row of broken ones is asked for once.
        self._skips = self._bad_frames - 1 if error.skippable else 0
        if not error.skippable and self._bad_frames >= BROKEN_STREAMS:
            self._bad_frames = 0
            return True
        return False

    def skip(self, sequence: int) -> bool:
        """Return whether a malformed frame behind `sequence` is passed over, since its replay was malformed too."""
        now = self._clock()
        if self._lasting >= LASTING_FRAMES and now < self._lasting_until:
            return True
        if sequence != self._bad_at or not self._skips:
            return False
        self._skips -= 1
        self._lasting += 1
        self._lasting_until = now + LASTING_SECONDS
        return True
