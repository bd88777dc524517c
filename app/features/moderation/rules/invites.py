"""Where invites lead, asked of Discord and remembered for minutes."""

from __future__ import annotations

import time

from app.adapters.discord.errors import DiscordRefused, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.errors import AppError
from app.features.moderation.rules.kind import LookupFailed

KNOWN_SECONDS = 600.0
CACHED = 10_000
LOOKUP_SECONDS = 3.0


class InviteDirectory:
    """Looks codes up over REST; unknown codes are remembered too."""

    def __init__(self, discord: DiscordRest) -> None:
        self._discord = discord
        self._known: dict[str, tuple[int | None, float]] = {}

    async def guild_of(self, code: str) -> int | None:
        """Return the guild that the invite leads to; None: it leads nowhere. Raises LookupFailed."""
        known = self._known.get(code)
        now = time.monotonic()
        if known is not None and now - known[1] < KNOWN_SECONDS:
            return known[0]
        try:
            found = await self._discord.get_invite(
                code, priority=Priority.MODERATION, deadline=LOOKUP_SECONDS
            )
        except NotFound:
            guild = None
        except (DiscordRefused, AppError, OSError, TimeoutError) as error:
            raise LookupFailed from error
        else:
            place = found.get("guild")
            guild = None if not place else int(place["id"])
        if len(self._known) >= CACHED:
            self._known.pop(next(iter(self._known)))
        self._known[code] = (guild, now)
        return guild
