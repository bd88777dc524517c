"""Many messages of one member in a short time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample, Tools, Watch
from app.locale.text import t
from app.snowflake import created_ms


class FloodSettings(BaseModel):
    """More than `most` messages in `seconds` match, in the whole server or per channel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=1, le=200)] = 6
    seconds: Annotated[int, Field(ge=1, le=3600)] = 5
    per_channel: bool = False


class _Flood:
    def __init__(self, settings: FloodSettings) -> None:
        self._settings = settings

    async def __call__(self, sample: Sample, match: Match | None, tools: Tools) -> Match | None:
        message, settings = sample.message, self._settings
        if message is None or message.author is None:
            return match
        place = f":{message.channel_id}" if settings.per_channel else ""
        count = await tools.windows.count(
            f"{{{message.guild_id}}}:flood:{tools.rule_id}:{message.author.id}{place}",
            str(message.id),
            created_ms(message.id),
            settings.seconds * 1000,
        )
        return Match(f"{count} messages in {settings.seconds} s") if count > settings.most else match


def compile_flood(settings: FloodSettings) -> Judge:
    """Return a judge that leaves everything to the watch."""
    return lambda _sample: None


def watch_flood(settings: FloodSettings) -> Watch:
    """Return the counting."""
    return _Flood(settings)


KIND = RuleKind(
    name="flood",
    sentence=t("Many messages in a short time."),
    settings=FloodSettings,
    compile=compile_flood,
    category="flood",
    by_text=False,
    watch=watch_flood,
)
