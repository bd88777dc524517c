"""The Redis keys of the consumers. The event streams themselves are named by `app.events.envelope`.

    events:{p}             stream; one consumer group per declared group; consumer = worker
    stream-leases:{g}      hash: partition -> "worker token expires_ms"
    stream-workers:{g}     sorted set: worker -> expires_ms
    stream-delayed:{g}:{p} hash: "entry-id|handler" -> what is tried again later (delayed.py)
    stream-due:{g}:{p}     sorted set: the same fields by due time in ms
    dead:{g}               stream of dead letters

g is a group, p a partition.
"""

from __future__ import annotations


def leases(group: str) -> str:
    """Who holds which partition."""
    return f"stream-leases:{group}"


def workers(group: str) -> str:
    """Which workers serve the group."""
    return f"stream-workers:{group}"


def delayed(group: str, partition: int) -> str:
    """What is tried again later."""
    return f"stream-delayed:{group}:{partition}"


def due(group: str, partition: int) -> str:
    """When it is tried again."""
    return f"stream-due:{group}:{partition}"


def dead(group: str) -> str:
    """Dead letters."""
    return f"dead:{group}"
