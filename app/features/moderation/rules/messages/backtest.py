"""What a rule would have done to the messages that a guild has kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from app.adapters.postgres.pool import Pool, transaction
from app.events.message import Message, message_of
from app.features.moderation.models import Finding
from app.features.moderation.policy import weigh
from app.features.moderation.rules import store as rules_store
from app.features.moderation.rules.engine import CompiledGuild, Rules
from app.features.moderation.rules.kind import InviteGuilds, Tools
from app.features.moderation.rules.messages import store
from app.features.moderation.rules.windows import ReplayedWindows
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.snowflake import GuildId
from app.tenancy.guild_settings import GuildSettings

MOST_MESSAGES = 50_000
PAGE = 500
BREATH = 25
"""Messages between two turns of the loop: about 3 ms."""
EXAMPLES = 8
AROUND = 40
"""Characters shown on either side of a match."""

Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Example:
    """A message that the rule catches; `excerpt` is what it caught with what stands around it."""

    channel_id: int
    message_id: int
    user_id: int
    excerpt: str


@dataclass(slots=True)
class Backtest:
    """What came out. `sanctions` counts what policy would do for the message itself, before strikes."""

    messages: int = 0
    hits: int = 0
    members: set[int] = field(default_factory=set)
    sanctions: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)


class Backtests:
    """Replays kept messages through one rule, as it is saved, shadow or off included."""

    def __init__(
        self,
        pool: Pool,
        rules: Rules,
        settings: GuildSettings,
        invites: InviteGuilds,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._rules = rules
        self._settings = settings
        self._invites = invites
        self._clock = clock

    async def run(
        self, guild: GuildId, rule: rules_store.Rule, progress: Progress, *, newest: int = MOST_MESSAGES
    ) -> Backtest:
        """Replay up to `newest` messages, oldest first. `progress(done, total)` is called after every page."""
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        tried = replace(rule, enabled=True, shadow=False, expires_at=None)
        tools = Tools(ReplayedWindows(), self._invites)
        async with transaction(self._pool) as conn:
            compiled = await self._rules.compile(conn, guild, 0, [tried])
            total = min(await store.count(conn, guild), newest)
            after = await store.before_the_newest(conn, guild, newest)
        found = Backtest()
        while True:
            async with transaction(self._pool) as conn:
                page = await store.page(conn, guild, after, limit=PAGE)
            if not page:
                return found
            for index, kept in enumerate(page):
                if index % BREATH == 0:
                    await asyncio.sleep(0)
                await self._replay(compiled, message_of(orjson.loads(kept.payload)), tools, settings, found)
            after = page[-1].message_id
            await progress(found.messages, max(total, found.messages))

    async def _replay(
        self,
        compiled: CompiledGuild,
        message: Message,
        tools: Tools,
        settings: ModerationSettings,
        into: Backtest,
    ) -> None:
        sample = await self._rules.read(message)
        findings = await self._rules.replay(compiled, sample, self._clock(), tools)
        into.messages += 1
        if not findings:
            return
        into.hits += 1
        outcome = weigh(findings, settings)
        into.sanctions[outcome.sanction.value if outcome else "none"] += 1
        author = message.author.id if message.author else 0
        into.members.add(author)
        if len(into.examples) < EXAMPLES:
            excerpt = excerpt_of(sample.view.original, findings[0])
            into.examples.append(Example(message.channel_id, message.id, author, excerpt))


def excerpt_of(text: str, finding: Finding) -> str:
    """Return the first match with what stands around it, on one line."""
    start, end = finding.spans[0] if finding.spans else (0, 0)
    first, last = max(0, start - AROUND), max(end + AROUND, first_end(start))
    cut = " ".join(text[first:last].split())
    return ("…" if first else "") + cut[: 3 * AROUND] + ("…" if last < len(text) else "")


def first_end(start: int) -> int:
    """Return where an excerpt without a match ends."""
    return start + 2 * AROUND
