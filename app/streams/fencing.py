"""Which lease the running handler works under: read by `store.claim`, set by the consumer."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


class StaleLease(Exception):
    """Another worker has taken over the partition: nothing of this one may take effect any more."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A lease on a partition for a group; a newer lease has a greater token."""

    group: str
    partition: int
    token: int


current_fence: ContextVar[Fence | None] = ContextVar("current_fence", default=None)
