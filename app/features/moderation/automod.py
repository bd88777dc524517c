"""From a message event to a verdict carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from app.adapters.postgres.pool import Pool, transaction
from app.events.message import Message
from app.events.messages import MessageCreated, MessageUpdated
from app.features.moderation.carry_out import KIND, CarryOut
from app.features.moderation.cases import store as cases
from app.features.moderation.exemptions import Exemptions
from app.features.moderation.models import Finding, Sanction, Subject
from app.features.moderation.rules.engine import Rules
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.features.moderation.text.view import as_plain
from app.features.moderation.verdicts import Judged, Verdict, Verdicts
from app.observability import metrics
from app.snowflake import GuildId, UserId
from app.streams.declare import consumes, scheduled
from app.streams.retry import Retry
from app.streams.store import Scheduled
from app.tenancy.guild_settings import GuildSettings

PATIENCE_SECONDS = 1.0
"""Other messages of the guild wait meanwhile: what Discord's limits hold up longer goes into the backlog."""


class Automod:
    """Judges messages and has what was decided carried out."""

    def __init__(
        self,
        pool: Pool,
        rules: Rules,
        exemptions: Exemptions,
        verdicts: Verdicts,
        carry_out: CarryOut,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._rules = rules
        self._exemptions = exemptions
        self._verdicts = verdicts
        self._carry_out = carry_out
        self._settings = settings
        self._clock = clock

    async def check(self, message: Message) -> Verdict | None:
        """Judge one message by the rules. Raises TryLater, DatabaseUnavailable and StaleLease."""
        if not self._exemptions.judgeable(message):
            return None
        settings = await self._settings.get(message.guild_id, FEATURE, ModerationSettings)
        if await self._exemptions.cover(message, settings):
            return None
        findings = await self._rules.judge_message(message, self._clock())
        metrics.MODERATION_MESSAGES.labels("rules" if findings else "clean_rules").inc()
        if not findings:
            return None
        text = "\n".join(message.texts())
        return await self.act(message, settings, findings, text=text, normalised=as_plain(text))

    async def act(
        self,
        message: Message,
        settings: ModerationSettings,
        findings: Sequence[Finding],
        *,
        text: str,
        normalised: str,
        thresholds: Mapping[str, float] | None = None,
        model: str | None = None,
        prompt_version: str | None = None,
    ) -> Verdict | None:
        """Decide about what was found and have it carried out; None if that has happened before."""
        judged = Judged(
            subject=subject_of(message),
            text=text,
            normalised=normalised,
            findings=findings,
            rules=[
                {"rule_id": f.rule_id, "version": f.rule_version} for f in findings if f.rule_id is not None
            ],
            thresholds=thresholds,
            model=model,
            prompt_version=prompt_version,
            deletable=message.deletable,
        )
        verdict = await self._verdicts.decide(judged, settings)
        if verdict is None:
            # Decided before, perhaps by a worker that died: whatever it left undone is done now.
            await self._resume(judged.subject)
            return None
        if verdict.refusal is not None:
            metrics.MODERATION_REFUSALS.labels(verdict.refusal).inc()
        if verdict.case is not None:
            await self._carry_out.case(
                verdict.case, allowed=verdict.refusal is None, patience=PATIENCE_SECONDS
            )
        return verdict

    async def _resume(self, subject: Subject) -> None:
        async with transaction(self._pool) as conn:
            case = await cases.case_of_action(conn, subject.guild_id, subject.key)
        if case is not None and case.state == "recorded":
            await self._carry_out.case(case, again=True, patience=PATIENCE_SECONDS)

    async def carry_out_case(self, guild: GuildId, number: int) -> None:
        """Do what a case says if nobody has: the safety net of scheduled work."""
        async with transaction(self._pool) as conn:
            case = await cases.find_case(conn, guild, number)
        if case is not None and case.state == "recorded" and case.sanction != Sanction.NONE:
            # The backlog takes automatic cases only; others stay with their own scheduled work.
            patience = PATIENCE_SECONDS if case.origin == "automatic" else None
            await self._carry_out.case(case, again=True, patience=patience)


def subject_of(message: Message) -> Subject:
    """Return whom a message is about; its version is the edit's time in Unix milliseconds."""
    assert message.author is not None
    edited = message.edited_at
    return Subject(
        guild_id=message.guild_id,
        channel_id=message.channel_id,
        user_id=UserId(message.author.id),
        message_id=message.id,
        version=int(edited.timestamp() * 1000) if edited else 0,
        roles=message.member.roles if message.member else None,
        bot=message.author.bot,
    )


@consumes(
    MessageCreated,
    MessageUpdated,
    group="moderation",
    retry=Retry(attempts=5, first=1.0, cap=60.0),
    parallel=8,
)
async def check_message(event: MessageCreated | MessageUpdated, *, automod: Automod) -> None:
    """Judge one message. The verdict is claimed by (message, edit), so a second delivery changes nothing."""
    if event.message.partial:
        return
    verdict = await automod.check(event.message)
    if verdict is not None and verdict.case is not None:
        metrics.MODERATION_SECONDS.observe(time.time() * 1000 - event.envelope.received_ms)


@scheduled(KIND, retry=Retry(attempts=20, first=5.0, cap=600.0))
async def carry_out_case(job: Scheduled, *, automod: Automod) -> None:
    """Carry out a case whose worker died."""
    await automod.carry_out_case(GuildId(int(job.payload["guild"])), int(job.payload["number"]))
