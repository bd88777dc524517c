"""The same content again and again, by one member or by many."""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.events.message import Message
from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample, Tools, Watch
from app.locale.text import t
from app.snowflake import created_ms


class RepeatSettings(BaseModel):
    """More than `most` messages that read alike within `seconds` match; `together`: of all members together.

    Texts shorter than `least` characters are left alone: everybody says "ok".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=1, le=100)] = 3
    seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    together: bool = False
    least: Annotated[int, Field(ge=1, le=1000)] = 5


class _Repeat:
    def __init__(self, settings: RepeatSettings) -> None:
        self._settings = settings

    async def __call__(self, sample: Sample, match: Match | None, tools: Tools) -> Match | None:
        message, settings = sample.message, self._settings
        if message is None or message.author is None:
            return match
        content = fingerprint(sample)
        if len(content) < settings.least:
            return match
        digest = hashlib.blake2b(content.encode(), digest_size=12).hexdigest()
        who = "all" if settings.together else str(message.author.id)
        count = await tools.windows.count(
            f"{{{message.guild_id}}}:repeat:{tools.rule_id}:{who}:{digest}",
            str(message.id),
            created_ms(message.id),
            settings.seconds * 1000,
        )
        return Match(f"{count} times the same in {settings.seconds} s") if count > settings.most else match


def fingerprint(sample: Sample) -> str:
    """Return what stays when spacing, signs and numbers are varied: the letters as they look, and the files."""
    text = sample.view.folded.text
    letters = "".join([character for character in text if character.isalpha()])
    return (letters or "".join(text.split())) + _files(sample.message)


def _files(message: Message | None) -> str:
    """Return the files' sizes: many have one name (every pasted picture is called image.png)."""
    if message is None:
        return ""
    forwarded = [file for snapshot in message.snapshots for file in snapshot.attachments]
    return "".join(f"/{file.size}" for file in (*message.attachments, *forwarded))


def compile_repeat(settings: RepeatSettings) -> Judge:
    """Return a judge that leaves everything to the watch."""
    return lambda _sample: None


def watch_repeat(settings: RepeatSettings) -> Watch:
    """Return the counting."""
    return _Repeat(settings)


KIND = RuleKind(
    name="repeat",
    sentence=t("The same content again and again."),
    settings=RepeatSettings,
    compile=compile_repeat,
    category="repeat",
    by_text=False,
    watch=watch_repeat,
)
