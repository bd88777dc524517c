"""Which gateway events cross to the app. The ingester forwards these and asks Discord for nothing more.

An event belongs here when a feature consumes it: a test compares this list with what the catalogue's consumers
declare, so that neither an unused event costs bandwidth nor a consumer waits in vain.
"""

from __future__ import annotations

from app.events.audit_log import AuditLogEntryCreated
from app.events.event import GUILDS, Event
from app.events.guilds import GuildAvailable, GuildLeft
from app.events.members import MemberJoined, MemberUpdated
from app.events.messages import MessageCreated, MessageDeleted, MessagesBulkDeleted, MessageUpdated
from app.events.threads import ThreadCreated, ThreadUpdated

WANTED_EVENTS: tuple[type[Event], ...] = (
    AuditLogEntryCreated,
    GuildAvailable,
    GuildLeft,
    MemberJoined,
    MemberUpdated,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    MessagesBulkDeleted,
    ThreadCreated,
    ThreadUpdated,
)

WANTED: frozenset[str] = frozenset(event.GATEWAY_EVENT for event in WANTED_EVENTS)
"""Names of the dispatches, e.g. MESSAGE_CREATE."""


def wanted_intents() -> int:
    """Return the intents for IDENTIFY: what the wanted events need, and GUILDS for the count of guilds."""
    bits = GUILDS
    for event in WANTED_EVENTS:
        bits |= event.INTENTS
    return bits
