"""Messages full of emoji, Unicode's and servers' own."""

from __future__ import annotations

from typing import Annotated

import regex
from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.locale.text import t

_ONE = r"(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F)\p{Emoji_Modifier}?\uFE0F?"
_EMOJI = regex.compile(
    rf"<a?:\w{{2,32}}:\d{{15,21}}>|\p{{Regional_Indicator}}{{2}}|[0-9#*]\uFE0F?\u20E3|{_ONE}(?:\u200D{_ONE})*"
)
"""A family, a flag or a skin tone is one emoji, as it is to a reader."""


class EmojiSettings(BaseModel):
    """More than `most` emoji match."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=0, le=500)] = 15


def count_emoji(text: str) -> int:
    """Return how many emoji a reader sees."""
    if text.isascii() and ":" not in text:
        return 0
    return sum(1 for _ in _EMOJI.finditer(text))


class _Emoji:
    def __init__(self, settings: EmojiSettings) -> None:
        self._most = settings.most

    def __call__(self, sample: Sample) -> Match | None:
        count = count_emoji(sample.view.original)
        return Match(f"{count} emoji") if count > self._most else None


def compile_emoji(settings: EmojiSettings) -> Judge:
    """Return the judge of emoji."""
    return _Emoji(settings)


KIND = RuleKind(
    name="emoji",
    sentence=t("Many emoji in one message."),
    settings=EmojiSettings,
    compile=compile_emoji,
    category="emoji",
    by_text=False,
)
