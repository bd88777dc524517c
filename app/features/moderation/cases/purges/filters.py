"""Which messages a purge takes: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from app.snowflake import created_ms

BULK_AGE = timedelta(days=14) - timedelta(minutes=10)
"""Discord deletes messages younger than 14 days in bulk (contract section 4.4); some minutes are left to get there."""
_LINK = re.compile(r"https?://\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a message has to be; everything that is given must hold. `contains` ignores case; ids are exclusive."""

    user: int | None = None
    bots: bool = False
    links: bool = False
    attachments: bool = False
    contains: str | None = None
    before: int | None = None
    after: int | None = None

    def dump(self) -> dict[str, Any]:
        """Return what JSON can hold without losing digits."""
        return {name: str(value) if type(value) is int else value for name, value in asdict(self).items()}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        """Read what `dump` returned."""
        ids = {name: int(data[name]) for name in ("user", "before", "after") if data.get(name) is not None}
        return cls(**{**data, **ids})

    def take(self, message: Mapping[str, Any]) -> bool:
        """Tell whether a message, as Discord sends it, is meant. Pinned ones never are."""
        author = message.get("author") or {}
        content = str(message.get("content") or "")
        return not (
            message.get("pinned")
            or (self.user is not None and str(author.get("id")) != str(self.user))
            or (self.bots and not author.get("bot"))
            or (self.links and not _LINK.search(content))
            or (self.attachments and not message.get("attachments"))
            or (self.contains is not None and self.contains.casefold() not in content.casefold())
            or (self.after is not None and int(message["id"]) <= self.after)
        )


def split_by_age(messages: Iterable[int], now: datetime) -> tuple[list[int], list[int]]:
    """Return those that Discord deletes in bulk, and the older ones that go one by one."""
    limit = int((now - BULK_AGE).timestamp() * 1000)
    young: list[int] = []
    old: list[int] = []
    for message in messages:
        (young if created_ms(message) > limit else old).append(message)
    return young, old
