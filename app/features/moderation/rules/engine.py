"""A guild's rules, compiled once per version and kept in the process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from redis.exceptions import RedisError

from app.adapters.discord.errors import DiscordRefused
from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import AppError
from app.events.message import Message
from app.features.moderation.directory import Directory
from app.features.moderation.models import Finding, Sanction, Severity, Source
from app.features.moderation.rules import store
from app.features.moderation.rules.domains.lists import DomainLists
from app.features.moderation.rules.domains.names import DomainSet
from app.features.moderation.rules.kind import (
    InvalidRule,
    Judge,
    Match,
    RuleKind,
    Sample,
    Tools,
    Watch,
    kinds,
    steps_of,
)
from app.features.moderation.rules.slow import BUDGET_SECONDS, SlowRules
from app.features.moderation.rules.turns import Turns
from app.features.moderation.text.view import TextView
from app.interactions.permissions import Permission
from app.observability import metrics
from app.snowflake import GuildId, RoleId, UserId
from app.streams.retry import TryLater
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

MODULE = "moderation.rules"
"""What changes of rules are announced as on the settings channel."""
REVALIDATE_SECONDS = 30.0
CACHED_GUILDS = 5_000
LOOK_UP_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that is ready to judge."""

    rule: store.Rule
    kind: RuleKind
    judge: Judge
    watch: Watch | None = None

    def applies(self, sample: Sample, now: datetime) -> bool:
        """Return whether the kind judges such a text, nothing exempts it, and the rule has not expired."""
        rule = self.rule
        if rule.expires_at is not None and rule.expires_at <= now:
            return False
        if sample.message is None and not self.kind.names:
            return False
        if rule.exempt_channels and set(sample.channels) & set(rule.exempt_channels):
            return False
        return not (rule.exempt_roles and set(sample.roles) & set(rule.exempt_roles))

    def steps(self, sample: Sample) -> Iterator[Match | None]:
        """Judge the parts of a text; yield after each match call, the match last."""
        for part in sample.parts():
            for match in steps_of(self.judge, part):
                if match is not None:
                    yield match.at(part.offset)
                    return
                yield None

    def finding(self, match: Match) -> Finding:
        """Return what the rule says when it matches."""
        rule = self.rule
        return Finding(
            source=Source.RULES,
            severity=Severity(rule.severity),
            category=self.kind.category,
            reason=f"{rule.name}: {match.detail}",
            rule_id=rule.rule_id,
            rule_version=rule.version,
            sanction=None if rule.sanction is None else Sanction(rule.sanction),
            shadow=rule.shadow,
            spans=match.spans,
            unsure=match.unsure,
        )


@dataclass(frozen=True, slots=True)
class CompiledGuild:
    """All active rules of a guild at one version of its set."""

    version: int
    rules: tuple[CompiledRule, ...]

    @property
    def exempting(self) -> bool:
        """Whether a rule leaves channels, roles or permissions alone."""
        return any(
            one.rule.exempt_channels or one.rule.exempt_roles or one.rule.exempt_permissions
            for one in self.rules
        )

    def judge(self, sample: Sample, now: datetime) -> list[Finding]:
        """Return a finding per rule whose pure judge matches: no I/O, under a millisecond (seed S4)."""
        findings = []
        for rule in self.rules:
            if rule.applies(sample, now):
                *_, match = rule.steps(sample)
                if match is not None:
                    findings.append(rule.finding(match))
        return findings

    async def watch(
        self,
        sample: Sample,
        now: datetime,
        tools: Tools | None,
        *,
        turns: Turns | None = None,
        slow: SlowRules | None = None,
    ) -> list[Finding]:
        """As `judge`, then the asynchronous looks of the kinds that have them.

        A look that fails leaves what the judge said: windows fail open. `turns`: shared by all who judge in this
        process. `slow` hears of calls that take too long.
        """
        findings = []
        for rule, match in await self._look(sample, now, turns or Turns(), slow):
            found = match
            if rule.watch is not None and tools is not None:
                try:
                    found = await rule.watch(sample, match, replace(tools, rule_id=rule.rule.rule_id))
                except (RedisError, OSError) as error:
                    metrics.RULE_WATCH_FAILURES.labels(rule.kind.name).inc()
                    log.warning(
                        "a rule could not count",
                        extra={"kind": rule.kind.name, "error": type(error).__name__},
                    )
            if found is not None:
                findings.append(rule.finding(found))
        return findings

    async def _look(
        self, sample: Sample, now: datetime, turns: Turns, slow: SlowRules | None
    ) -> list[tuple[CompiledRule, Match | None]]:
        looked: list[tuple[CompiledRule, Match | None]] = []
        over: list[tuple[CompiledRule, float]] = []
        async with turns:
            for compiled in self.rules:
                if not compiled.applies(sample, now):
                    continue
                match = None
                started = time.thread_time()
                for match in compiled.steps(sample):  # noqa: B007 - the last one is what counts
                    spent = time.thread_time() - started
                    if spent > BUDGET_SECONDS:
                        over.append((compiled, spent))
                    await turns.give()
                    started = time.thread_time()
                looked.append((compiled, match))
        if slow is not None:
            for compiled, spent in over:
                await slow.note(compiled.rule, spent)
        return looked


def compile_rules(
    version: int, rules: Sequence[store.Rule], lists: Mapping[str, DomainSet] | None = None
) -> CompiledGuild:
    """Compile; a rule that this release cannot read is left out and logged, the others work."""
    compiled = []
    for rule in rules:
        kind = kinds().get(rule.kind)
        try:
            if kind is None:
                log.error("unknown kind of rule", extra={"rule_id": rule.rule_id, "kind": rule.kind})
                continue
            settings = kind.parse(rule.settings)
            if kind.compile_with is not None and lists is not None:
                judge = kind.compile_with(settings, lists)
            else:
                judge = kind.compile(settings)
            compiled.append(CompiledRule(rule, kind, judge, kind.watch(settings) if kind.watch else None))
        except (InvalidRule, ValueError) as error:
            log.error("rule does not compile", extra={"rule_id": rule.rule_id, "error": type(error).__name__})
    return CompiledGuild(version, tuple(compiled))


@dataclass(slots=True)
class _Cached:
    guild: CompiledGuild
    checked_at: float


class Rules:
    """The rules of all guilds, as one process knows them."""

    def __init__(
        self,
        pool: Pool,
        settings: GuildSettings,
        domains: DomainLists | None = None,
        tools: Tools | None = None,
        directory: Directory | None = None,
        slow: SlowRules | None = None,
    ) -> None:
        """Without `domains`, rules know only their own domains; without `tools`, nothing is counted or looked up;
        without `directory`, no permission exempts; without `slow`, nobody hears of slow rules.
        """
        self._slow = slow
        self._turns = Turns()
        self._pool = pool
        self._domains = domains
        self._tools = tools
        self._directory = directory
        self._cache: dict[GuildId, _Cached] = {}
        settings.on_change(MODULE, self._drop)

    def _drop(self, guild: GuildId | None) -> None:
        if guild is None:
            self._cache.clear()
        else:
            self._cache.pop(guild, None)

    async def of(self, guild: GuildId) -> CompiledGuild:
        """Return the guild's rules. Raises DatabaseUnavailable (E004) when they are not cached."""
        cached = self._cache.get(guild)
        now = time.monotonic()
        if cached is not None and now - cached.checked_at < REVALIDATE_SECONDS:
            return cached.guild
        async with transaction(self._pool) as conn:
            version = await store.set_version(conn, guild)
            if cached is not None and cached.guild.version == version:
                cached.checked_at = now
                return cached.guild
            rules = await store.active_rules(conn, guild) if version else []
            compiled = await self.compile(conn, guild, version, rules)
        if len(self._cache) >= CACHED_GUILDS:
            self._cache.pop(next(iter(self._cache)))
        self._cache[guild] = _Cached(compiled, now)
        return compiled

    async def compile(
        self, conn: Conn, guild: GuildId, version: int, rules: Sequence[store.Rule]
    ) -> CompiledGuild:
        """Compile rules with the guild's domain lists, in a thread: large ones take tenths of a second."""
        names = {name for rule in rules for name in _list_names(rule)}
        lists = {}
        if self._domains is not None:
            lists = {name: await self._domains.get(conn, guild, name) for name in sorted(names)}
        return await asyncio.to_thread(compile_rules, version, rules, lists)

    async def judge_message(self, message: Message, now: datetime) -> list[Finding]:
        """Judge everything readable in a message."""
        rules = await self.of(message.guild_id)
        if not rules.rules:
            return []
        sample = await self._placed(rules, await self.read(message))
        return await self._permitted(rules, sample, await self._watch(rules, sample, now))

    async def read(self, message: Message) -> Sample:
        """Read everything readable in a message, and let others run in between."""
        found = []
        async with self._turns:
            for part in Sample.parts_of(message):
                found.append(part)
                await self._turns.give()
        return replace(found[0], rest=tuple(found[1:])) if len(found) > 1 else found[0]

    async def replay(
        self, rules: CompiledGuild, sample: Sample, now: datetime, tools: Tools
    ) -> list[Finding]:
        """Judge a message of earlier by rules of the caller's own."""
        return await rules.watch(sample, now, tools, turns=self._turns)

    async def _watch(self, rules: CompiledGuild, sample: Sample, now: datetime) -> list[Finding]:
        return await rules.watch(sample, now, self._tools, turns=self._turns, slow=self._slow)

    async def _placed(self, rules: CompiledGuild, sample: Sample) -> Sample:
        """Add what the event did not tell and an exemption asks for: the channel of a thread, the author's roles.

        Raises TryLater when that cannot be looked up: what may be exempt is not punished.
        """
        message, directory = sample.message, self._directory
        if message is None or message.author is None or directory is None or not rules.exempting:
            return sample
        try:
            parent = await directory.parent(message.channel_id)
            if parent is not None:
                sample = replace(sample, channels=(*sample.channels, parent))
            if message.member is None:
                standing = await directory.standing(message.guild_id, UserId(message.author.id))
                sample = replace(sample, roles=tuple(standing.roles))
        except (AppError, DiscordRefused, OSError, TimeoutError) as error:
            log.warning("exemption not looked up", extra={"error": type(error).__name__})
            raise TryLater("an exemption could not be looked up", after=LOOK_UP_AGAIN_SECONDS) from None
        return sample

    async def judge_text(
        self,
        guild: GuildId,
        text: str,
        now: datetime,
        *,
        roles: tuple[int, ...] = (),
        channels: tuple[int, ...] = (),
    ) -> list[Finding]:
        """Judge a text without a message: a nickname, a thread's name."""
        rules = await self.of(guild)
        if not rules.rules:
            return []
        sample = Sample(TextView.of(text), guild_id=guild, roles=roles, channels=channels)
        return await self._permitted(rules, sample, await self._watch(rules, sample, now))

    async def _permitted(
        self, rules: CompiledGuild, sample: Sample, findings: list[Finding]
    ) -> list[Finding]:
        """Drop findings of rules that exempt a permission which the author holds."""
        exempt = {
            rule.rule.rule_id: Permission(rule.rule.exempt_permissions)
            for rule in rules.rules
            if rule.rule.exempt_permissions
        }
        if (
            self._directory is None
            or not exempt
            or not any(finding.rule_id in exempt for finding in findings)
        ):
            return findings
        author = 0 if sample.message is None or sample.message.author is None else sample.message.author.id
        try:
            standing = await self._directory.standing(
                GuildId(sample.guild_id), UserId(author), roles=[RoleId(role) for role in sample.roles]
            )
        except (AppError, DiscordRefused, OSError, TimeoutError) as error:
            # Authority asks the same directory before anything is done, and refuses what it cannot look up.
            log.warning("permissions not looked up", extra={"error": type(error).__name__})
            return findings
        return [
            finding
            for finding in findings
            if not (finding.rule_id in exempt and standing.permissions & exempt[finding.rule_id])
        ]


def _list_names(rule: store.Rule) -> Sequence[str]:
    kind = kinds().get(rule.kind)
    if kind is None or kind.lists is None:
        return ()
    try:
        return kind.lists(kind.parse(rule.settings))
    except InvalidRule:
        return ()
