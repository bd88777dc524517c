"""What a worker knows of a partition that it holds for a group."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.streams.entry import Entry
from app.streams.fencing import Fence
from app.streams.leases import Lease


@dataclass(slots=True, eq=False)
class Partition:
    """A held partition.

    held → active (fence raised, what was left over taken in) → leaving (nothing new is begun) → released.
    """

    number: int
    lease: Lease
    active: bool = False
    leaving: bool = False
    pending: set[bytes] = field(default_factory=set)
    """Ids that are pending in the stream and known here: waiting, running, or not acknowledged yet."""
    delayed: set[bytes] = field(default_factory=set)
    """Names of delayed work that is waiting or running here."""
    running: int = 0
    unacknowledged: int = 0
    put_off: int = 0
    """How much delayed work the partition has, at the last look."""

    def fence(self, group: str) -> Fence:
        """Return the fence under which its handlers run."""
        return Fence(group, self.number, self.lease.token)

    def usable(self, now: float) -> bool:
        """Tell whether handlers may be begun (monotonic seconds)."""
        return self.active and not self.leaving and now < self.lease.valid_until

    @property
    def idle(self) -> bool:
        """True when nothing that was begun is unfinished."""
        return self.running == 0 and self.unacknowledged == 0

    def forget(self, entry: Entry) -> None:
        """Drop the entry from what is known here: Redis has been told how it ended."""
        if entry.field is None:
            self.pending.discard(entry.id)
        else:
            self.delayed.discard(entry.field)
