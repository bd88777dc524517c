"""Stage 2: the moderation API's scores against the guild's thresholds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.openai.client import OpenAI
from app.adapters.openai.moderation import MODEL, Scores, moderate
from app.features.moderation.models import Finding, Severity, Source
from app.features.moderation.settings import ModerationSettings

CACHE_SECONDS = 24 * 3600
"""How long scores of the same text are reused; the key is a digest, the text itself is not stored."""


class Reading(Enum):
    """What scores amount to."""

    CLEAN = "clean"
    AMBIGUOUS = "ambiguous"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores and what the guild makes of them."""

    scores: Scores
    reading: Reading
    finding: Finding | None


def read(scores: Scores, settings: ModerationSettings) -> Scored:
    """Compare scores with thresholds: pure. The worst category decides, of equals the furthest over its threshold."""
    over = [
        (severity_of(category, score, settings), score - settings.threshold(category), category, score)
        for category, score in scores.scores.items()
        if score >= settings.threshold(category)
    ]
    if over:
        severity, _, category, score = max(over)
        finding = Finding(
            source=Source.API,
            severity=severity,
            category=category,
            reason=f"{category} {score:.2f}",
            scores=dict(scores.scores),
        )
        return Scored(scores, Reading.OVER, finding)
    highest = max(scores.scores.values())
    return Scored(scores, Reading.AMBIGUOUS if highest >= settings.ambiguous_from else Reading.CLEAN, None)


def severity_of(category: str, score: float, settings: ModerationSettings) -> Severity:
    """Return how bad a score over its threshold is: the last tenth of the way to 1 is a timeout, the rest a deletion.

    Sexual content about minors is always severity 4: it goes to people as well.
    """
    if category == "sexual/minors":
        return Severity.BAN
    threshold = settings.threshold(category)
    return Severity.TIMEOUT if score >= threshold + 0.9 * (1 - threshold) else Severity.DELETE


class ScoreStage:
    """Asks the provider once per text, whichever guild and process it is posted in."""

    def __init__(self, provider: OpenAI, redis: Redis) -> None:
        self._provider = provider
        self._redis = redis

    async def judge(self, normalised: str, settings: ModerationSettings) -> Scored:
        """Return what the scores amount to. Raises ProviderUnavailable or MalformedAnswer.

        What is remembered by the normalised text is also asked about it: else the scores of a disguise that the
        provider does not see through would stand for the plain words.
        """
        key = b"moderation:scores:" + hashlib.sha256(f"{MODEL}\0{normalised}".encode()).digest()
        cached = await self._cached(key)
        if cached is None:
            cached = await moderate(self._provider, normalised)
            await self._remember(key, cached)
        return read(cached, settings)

    async def _cached(self, key: bytes) -> Scores | None:
        try:
            found = await self._redis.get(key)
        except (RedisError, OSError):
            return None  # a cache that is away costs a call
        if found is None:
            return None
        data = orjson.loads(found)
        return Scores(data["model"], data["scores"])

    async def _remember(self, key: bytes, scores: Scores) -> None:
        value = orjson.dumps({"model": scores.model, "scores": dict(scores.scores)})
        try:
            await self._redis.set(key, value, ex=CACHE_SECONDS)
        except (RedisError, OSError):
            return  # asked again next time
