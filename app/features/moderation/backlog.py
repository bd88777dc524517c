"""What Discord's limits hold up: sanctions and log messages of a guild that is flooded.

Discord lets a bot time out about one member of a guild per second, but delete many messages. So the consumer of
messages deletes and goes on; what has to wait longer than a moment is worked off here, one case of a guild after
the other, oldest first. A case waits here exactly when it is `recorded` and has no scheduled work of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from random import uniform

from app.adapters.discord.errors import RateLimited
from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import AppError
from app.features.moderation import carry_out
from app.features.moderation.carry_out import BACKLOG_KIND, LOG_KIND, CarryOut, key_of
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.store import Case
from app.features.moderation.notices import Notices
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import GuildId
from app.streams.declare import scheduled
from app.streams.failure import describe
from app.streams.retry import Retry, TryLater
from app.streams.store import Scheduled, finish, scheduled_keys
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

TURN_SECONDS = 4.0
"""How long one guild is worked on before others have their turn."""
PATIENCE_SECONDS = 2.5
LOG_SPREAD_SECONDS = 30.0
PAGE = 100


class Backlog:
    """Works off what waits in a guild."""

    def __init__(
        self,
        pool: Pool,
        carrying_out: CarryOut,
        notices: Notices,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._carry_out = carrying_out
        self._notices = notices
        self._settings = settings
        self._clock = clock

    async def work_off(self, job: Scheduled) -> None:
        """Carry out what waits, for a turn. Raises TryLater when more is left, or Discord's limits are used up."""
        guild = GuildId(int(job.payload["guild"]))
        again = job.attempts > 1  # an earlier turn may have ended between a sanction and its record
        until = time.monotonic() + TURN_SECONDS
        while time.monotonic() < until:
            async with transaction(self._pool) as conn:
                case = await self._next(conn, guild)
                if case is None:
                    # In one transaction: what is added meanwhile is either seen by now, or starts the work anew.
                    await finish(conn, job)
                    if await self._next(conn, guild) is None:
                        return
                    raise TryLater(after=0)
            try:
                await self._carry_out.rest(case, again=again, patience=PATIENCE_SECONDS)
            except RateLimited as limited:
                raise TryLater(after=limited.wait) from None
            except (AppError, TryLater, TimeoutError) as error:
                log.warning(
                    "a case could not be carried out", extra={"guild_id": guild, "error": describe(error)}
                )
                # Its own scheduled work tries again, and gives up in the end; the others do not wait for it.
                async with transaction(self._pool) as conn:
                    await carry_out.expect(conn, case, self._clock())
            again = False
        raise TryLater(after=0)

    async def _next(self, conn: Conn, guild: GuildId) -> Case | None:
        after = 0
        while page := await cases.recorded(conn, guild, after=after, limit=PAGE):
            own = await scheduled_keys(conn, carry_out.KIND, [key_of(case) for case in page])
            for case in page:
                if key_of(case) not in own:
                    return case
            after = page[-1].number
        return None

    async def log(self, job: Scheduled) -> None:
        """Post a case to the log channel, late. Raises TryLater."""
        guild = GuildId(int(job.payload["guild"]))
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        async with transaction(self._pool) as conn:
            case = await cases.find_case(conn, guild, int(job.payload["number"]))
        if case is None:
            return
        try:
            await self._notices.log(case, settings, patience=PATIENCE_SECONDS)
        except RateLimited as limited:
            # Not all at once when the channel can be written to again.
            raise TryLater(after=limited.wait + uniform(0, LOG_SPREAD_SECONDS)) from None


@scheduled(BACKLOG_KIND, retry=Retry(attempts=20, first=5.0, cap=60.0, patience=7 * 86400.0))
async def work_off(job: Scheduled, *, backlog: Backlog) -> None:
    """Carry out the cases of a guild that have to wait for Discord's limits."""
    await backlog.work_off(job)


@scheduled(LOG_KIND, retry=Retry(attempts=5, first=5.0, cap=600.0, patience=86400.0))
async def post_log(job: Scheduled, *, backlog: Backlog) -> None:
    """Write a case to the log channel that could not be written to in time."""
    await backlog.log(job)
