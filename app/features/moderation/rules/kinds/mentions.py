"""Messages that mention many people or roles, or try to mention everyone."""

from __future__ import annotations

from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.features.moderation.rules.patterns import options
from app.locale.text import t

_MENTION = re2.compile(r"<@([!&]?[0-9]{15,21})>", options())
_EVERYONE = re2.compile(r"@(?:everyone|here)\b", options())


class MentionSettings(BaseModel):
    """More than `most` different users and roles match; `everyone`: so does an attempt at @everyone or @here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=0, le=100)] = 5
    everyone: bool = False


class _Mentions:
    def __init__(self, settings: MentionSettings) -> None:
        self._settings = settings

    def __call__(self, sample: Sample) -> Match | None:
        text = sample.view.original
        found: set[str] = set()
        if sample.message is not None:
            found = {f"{user}" for user in sample.message.mentions}
            found |= {f"&{role}" for role in sample.message.mention_roles}
        if "<@" in text:
            found |= {match[1].removeprefix("!") for match in _MENTION.finditer(text)}
        if len(found) > self._settings.most:
            return Match(f"{len(found)} mentions")
        if self._settings.everyone and "@" in text and (everyone := _EVERYONE.search(text)) is not None:
            return Match("mentions everyone", (everyone.span(),))
        return None


def compile_mentions(settings: MentionSettings) -> Judge:
    """Return the judge of mentions."""
    return _Mentions(settings)


KIND = RuleKind(
    name="mentions",
    sentence=t("Many mentions in one message."),
    settings=MentionSettings,
    compile=compile_mentions,
    category="mentions",
    by_text=False,
)
