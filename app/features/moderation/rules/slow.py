"""Rules that take too long although they were tried out when they were saved: counted, reported, switched off.

RE2 is linear and rules are linted, so this is for what nobody thought of. A rule that is a little slow is reported;
one that would hold up the messages of all servers is switched off (see `slow_reports`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.rules.store import Rule
from app.observability import metrics
from app.streams.store import schedule

log = logging.getLogger(__name__)

KIND = "moderation.slow_rule"
BUDGET_SECONDS = 0.005
"""CPU time of one match call (issue 5)."""
HOPELESS_SECONDS = 0.05
TIMES = 3
"""So often it must happen in a process before anybody is told: a garbage collection may fall into a call."""
MOST_REMEMBERED = 10_000


class SlowRules:
    """Counts slow calls of this process. The rest is scheduled work: judging does not wait for it."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock
        self._seen: dict[tuple[int, int, bool], int] = {}

    async def note(self, rule: Rule, seconds: float) -> None:
        """Count a call over the budget. Raises DatabaseUnavailable (E004)."""
        metrics.RULE_SLOW.labels(rule.kind).inc()
        hopeless = seconds >= HOPELESS_SECONDS
        key = (rule.rule_id, rule.version, hopeless)
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[key] = times = self._seen.get(key, 0) + 1
        if times != TIMES:
            return
        ms = round(seconds * 1000)
        log.warning(
            "a rule is slow",
            extra={
                "guild_id": rule.guild_id,
                "rule_id": rule.rule_id,
                "version": rule.version,
                "kind": rule.kind,
                "ms": ms,
                "follows": "switched off" if hopeless else "reported",
            },
        )
        payload = {
            "guild": str(rule.guild_id),
            "name": rule.name,
            "version": rule.version,
            "ms": ms,
            "off": hopeless,
        }
        async with transaction(self._pool) as conn:
            await schedule(conn, KIND, f"{rule.rule_id}:{rule.version}:{hopeless}", self._clock(), payload)
