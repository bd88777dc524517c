"""What every typed event is, and how the fields of a dispatch are read.

An event keeps its `envelope`; `key` names the happening itself (type, entity, version), so that the same
happening sent twice by Discord, or by a second session, has the same key: claim effects under it.
Where Discord gives an entity no version (a member update), the key is the place in the gateway session.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from app.events.envelope import Envelope

GUILDS = 1 << 0
GUILD_MEMBERS = 1 << 1
GUILD_MODERATION = 1 << 2
GUILD_MESSAGES = 1 << 9
DIRECT_MESSAGES = 1 << 12
MESSAGE_CONTENT = 1 << 15
"""Gateway intents (contract section 5.5)."""


PARSE_ERRORS = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a payload of another shape raises."""


class MalformedEvent(ValueError):
    """The dispatch lacks what every dispatch of its type carries. Names event and field, never a value."""


@runtime_checkable
class Event(Protocol):
    """One happening, parsed from an envelope."""

    GATEWAY_EVENT: ClassVar[str]
    """Name of the dispatch, e.g. MESSAGE_CREATE."""
    INTENTS: ClassVar[int]
    """Bits of the intents without which Discord does not send it, or sends it empty."""

    @property
    def envelope(self) -> Envelope:
        """The dispatch as it crossed from the ingester."""

    @property
    def key(self) -> str:
        """What tells this happening from every other one; the same for a duplicate."""

    @classmethod
    def parse(cls, envelope: Envelope) -> Self | None:
        """Read the envelope; None: a dispatch of this name with another meaning. Raises MalformedEvent."""


def malformed(event: type[Any], error: Exception) -> MalformedEvent:
    """Say which field is missing or of the wrong kind, without quoting the payload."""
    problem = (
        f"lacks {error.args[0]!r}" if isinstance(error, KeyError) and error.args else type(error).__name__
    )
    return MalformedEvent(f"{event.GATEWAY_EVENT}: {problem}")


def session_place(envelope: Envelope) -> str:
    """Name the dispatch by its place in the gateway session: for what Discord gives no version."""
    return f"{envelope.session}:{envelope.sequence}"


def optional_id(value: Any) -> int | None:
    """Return a snowflake, or None for null and absent."""
    return None if value is None else int(value)


def ids(values: Any) -> tuple[int, ...]:
    """Return the snowflakes of a list; empty for null and absent."""
    return tuple(map(int, values)) if values else ()


def instant(value: str | None) -> datetime | None:
    """Parse Discord's ISO 8601 time; without an offset it is UTC (contract section 0)."""
    if value is None:
        return None
    parsed = datetime.fromisoformat(value)
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def milliseconds(moment: datetime | None) -> int:
    """Return Unix milliseconds, 0 for None: the version part of keys."""
    return 0 if moment is None else int(moment.timestamp() * 1000)


def text(value: Any) -> str:
    """Return the string, empty for null, absent and anything that is not a string."""
    return value if isinstance(value, str) else ""


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; empty for null and absent."""
    return value or []
