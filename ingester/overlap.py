"""Keys that tell events apart while two sets of shards receive them both.

The key is the one that consumers claim effects under: type, entity, version. Where Discord gives no version, the
consumers use the place in the session, which differs between the sets: here the payload stands in for it.
"""

from __future__ import annotations

from hashlib import blake2b

from app.events.envelope import Envelope
from app.events.event import MalformedEvent, session_place
from app.events.wanted import WANTED_EVENTS

_EVENTS = {event.GATEWAY_EVENT: event for event in WANTED_EVENTS}


def overlap_key(name: str, guild: bytes, payload: bytes) -> bytes:
    """Return the key of a dispatch, the same for both sets of shards."""
    envelope = Envelope(name, 0, "", 0, int(guild), 0, payload)
    try:
        event = _EVENTS[name].parse(envelope)
    except (KeyError, MalformedEvent):
        event = None
    if event is not None and session_place(envelope) not in event.key:
        return event.key.encode()
    return b"%b:%b:%b" % (name.encode(), guild, blake2b(payload, digest_size=16).hexdigest().encode())
