"""Files: forbidden or only allowed endings, and how many."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.events.message import AttachmentFacts
from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.features.moderation.text.view import as_plain
from app.interactions.form_problems import FieldError
from app.locale.text import t

Ending = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^\.?[\w-]{1,15}$")]

DANGEROUS = (
    "apk", "bat", "cmd", "com", "cpl", "dll", "exe", "hta", "iso", "jar", "js", "lnk", "msi", "ps1", "reg", "scr",
    "sh", "vbs", "wsf",
)  # fmt: skip
"""Files that run when they are opened."""


class AttachmentSettings(BaseModel):
    """`blocked` endings match; with `allowed`, all other endings do. `types` are kinds of content that match.

    `most`: more files than that in one message match.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    blocked: Annotated[tuple[Ending, ...], Field(max_length=200)] = DANGEROUS
    allowed: Annotated[tuple[Ending, ...], Field(max_length=200)] = ()
    types: tuple[Literal["image", "video", "audio", "text", "application"], ...] = ()
    most: Annotated[int, Field(ge=0, le=10)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> AttachmentSettings:
        if not (self.blocked or self.allowed or self.types or self.most is not None):
            raise FieldError(t("Name endings, types, or how many files are allowed."))
        return self


class _Attachments:
    def __init__(self, settings: AttachmentSettings) -> None:
        self._blocked = frozenset(ending.lstrip(".") for ending in settings.blocked)
        self._allowed = frozenset(ending.lstrip(".") for ending in settings.allowed)
        self._types = tuple(f"{name}/" for name in settings.types)
        self._most = settings.most

    def __call__(self, sample: Sample) -> Match | None:
        message = sample.message
        if message is None:
            return None
        files = [*message.attachments, *(file for shot in message.snapshots for file in shot.attachments)]
        if not files:
            return None
        if self._most is not None and len(files) > self._most:
            return Match(f"{len(files)} files")
        bad = sum(1 for file in files if self._is_bad(file))
        return Match(f"{bad} file(s) of a kind that is not allowed") if bad else None

    def _is_bad(self, file: AttachmentFacts) -> bool:
        ending = as_plain(file.filename).strip(" .").rpartition(".")[2]
        if ending in self._blocked or (self._allowed and ending not in self._allowed):
            return True
        return bool(self._types) and file.content_type.lower().startswith(self._types)


def compile_attachments(settings: AttachmentSettings) -> Judge:
    """Return the judge of files."""
    return _Attachments(settings)


KIND = RuleKind(
    name="attachments",
    sentence=t("Files of forbidden kinds, or too many."),
    settings=AttachmentSettings,
    compile=compile_attachments,
    category="attachments",
    options={"types": "content"},
    by_text=False,
)
