"""Stages 2 and 3 for what the rules let pass, in a consumer group of their own.

A slow provider thus delays nobody's rules. While it is down, messages wait for it up to WAIT_SECONDS and are then
counted as unscanned: never punished for it, never silently let through.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from app.adapters.openai.client import OPEN_SECONDS
from app.adapters.openai.errors import MalformedAnswer, ProviderUnavailable
from app.adapters.openai.health import ProviderHealth
from app.events.message import Message
from app.events.messages import MessageCreated, MessageUpdated
from app.features.moderation.automod import Automod
from app.features.moderation.exemptions import Exemptions
from app.features.moderation.models import Finding
from app.features.moderation.rules.engine import Rules
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.features.moderation.stages.agent import MODEL, PROMPT_VERSION, AgentStage
from app.features.moderation.stages.context import ChannelContext
from app.features.moderation.stages.scores import Reading, Scored, ScoreStage
from app.features.moderation.text.view import as_plain
from app.features.moderation.verdicts import Verdict
from app.observability import metrics
from app.streams.declare import consumes
from app.streams.retry import Retry, TryLater
from app.tenancy.guild_settings import GuildSettings

WAIT_SECONDS = 600.0
"""How long a message waits for a provider that is down."""


class Scanner:
    """Asks the provider. Without one (no OPENAI_API_KEY) it does nothing."""

    def __init__(
        self,
        stages: tuple[ScoreStage, AgentStage] | None,
        context: ChannelContext,
        rules: Rules,
        exemptions: Exemptions,
        automod: Automod,
        health: ProviderHealth,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._stages = stages
        self._context = context
        self._rules = rules
        self._exemptions = exemptions
        self._automod = automod
        self._health = health
        self._settings = settings
        self._clock = clock

    async def scan(self, message: Message, waited: float) -> Verdict | None:
        """Judge a message that has been waiting `waited` seconds. Raises TryLater while the provider is down."""
        if self._stages is None or not self._exemptions.judgeable(message):
            return None
        settings = await self._settings.get(message.guild_id, FEATURE, ModerationSettings)
        if not settings.provider_enabled or await self._exemptions.cover(message, settings):
            return None
        earlier = await self._context.before(message) if settings.agent_enabled else None
        text = "\n".join(message.texts())
        normalised = as_plain(text)
        if not normalised.strip() or await self._ruled(message):
            return None
        scores, agent = self._stages
        try:
            scored = await scores.judge(normalised, settings)
            findings = [scored.finding] if scored.finding else []
            if scored.reading is Reading.AMBIGUOUS and earlier is not None:
                found = await agent.judge(text, earlier, scored.scores, settings)
                findings = [found] if found else []
        except ProviderUnavailable:
            await self._health.down()
            await self._wait(waited)
            return None
        except MalformedAnswer:
            await self._unscanned("malformed")
            return None
        await self._health.up()
        metrics.MODERATION_MESSAGES.labels(_stage(scored, earlier is not None)).inc()
        return await self._decide(message, text, normalised, findings, scored, settings)

    async def _ruled(self, message: Message) -> bool:
        """Return whether a rule that acts has caught the message: then it is the rules' business."""
        findings = await self._rules.judge_message(message, self._clock())
        return any(not finding.shadow for finding in findings)

    async def _wait(self, waited: float) -> None:
        if waited < WAIT_SECONDS:
            metrics.MODERATION_WAITING.inc()
            raise TryLater("the provider is down", after=OPEN_SECONDS)
        await self._unscanned("provider_down")

    async def _unscanned(self, reason: str) -> None:
        metrics.MODERATION_UNSCANNED.labels(reason).inc()
        await self._health.unscanned()

    async def _decide(
        self,
        message: Message,
        text: str,
        normalised: str,
        findings: list[Finding],
        scored: Scored,
        settings: ModerationSettings,
    ) -> Verdict | None:
        if not findings:
            return None
        asked_agent = scored.reading is Reading.AMBIGUOUS
        return await self._automod.act(
            message,
            settings,
            findings,
            text=text,
            normalised=normalised,
            thresholds={
                **settings.thresholds,
                "other": settings.other_threshold,
                "ambiguous": settings.ambiguous_from,
            },
            model=MODEL if asked_agent else scored.scores.model,
            prompt_version=PROMPT_VERSION if asked_agent else None,
        )


def _stage(scored: Scored, agent_on: bool) -> str:
    if scored.reading is Reading.AMBIGUOUS:
        return "agent" if agent_on else "api"
    return "api" if scored.finding else "clean_api"


@consumes(
    MessageCreated,
    MessageUpdated,
    group="moderation-scan",
    retry=Retry(attempts=4, first=2.0, cap=60.0, patience=2 * WAIT_SECONDS),
    parallel=16,
)
async def scan_message(event: MessageCreated | MessageUpdated, *, scanner: Scanner) -> None:
    """Have the provider judge one message that the rules let pass."""
    if not event.message.partial:
        await scanner.scan(event.message, time.time() - event.envelope.received_ms / 1000)
