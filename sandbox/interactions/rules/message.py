"""Rules for messages: lengths, embeds, mentions, flags, components v2 (contract 1.7, 3.2, 4.5-4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sandbox.interactions.rules.components import Emoji, LayoutChild, Snowflake
from sandbox.interactions.rules.form import Form, InvalidForm, Path, Problems, parse
from sandbox.interactions.rules.layout import check_message_components

SUPPRESS_EMBEDS = 4
EPHEMERAL = 64
SUPPRESS_NOTIFICATIONS = 4096
IS_VOICE_MESSAGE = 8192
IS_COMPONENTS_V2 = 32768
SETTABLE = SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | IS_VOICE_MESSAGE | IS_COMPONENTS_V2
"""Flags that a reply may carry (contract 1.7)."""

EMBED_CHARACTERS = 6000
"""All embeds of a message together (contract 4.7)."""


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://", "attachment://")):
        raise PydanticCustomError("url_scheme", "Scheme must be one of ('http', 'https').")
    return value


def _moment(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("timestamp", "Could not parse the value. Should be ISO8601.") from None
    return value


Trimmed = BeforeValidator(_trimmed)
Url = Annotated[str, Field(max_length=2048), AfterValidator(_url)]


class EmbedFooter(Form):
    text: Annotated[str, Trimmed, Field(min_length=1, max_length=2048)]
    icon_url: Url | None = None


class EmbedMedia(Form):
    url: Url | None = None
    description: str | None = Field(None, max_length=4096)


class EmbedAuthor(Form):
    name: Annotated[str, Trimmed, Field(min_length=1, max_length=256)]
    url: Url | None = None
    icon_url: Url | None = None


class EmbedField(Form):
    name: Annotated[str, Trimmed, Field(min_length=1, max_length=256)]
    value: Annotated[str, Trimmed, Field(min_length=1, max_length=1024)]
    inline: bool | None = None


class Embed(Form):
    title: Annotated[str, Trimmed, Field(max_length=256)] | None = None
    description: Annotated[str, Trimmed, Field(max_length=4096)] | None = None
    url: Url | None = None
    timestamp: Annotated[str, AfterValidator(_moment)] | None = None
    color: int | None = Field(None, ge=0, le=0xFFFFFF)
    footer: EmbedFooter | None = None
    image: EmbedMedia | None = None
    thumbnail: EmbedMedia | None = None
    author: EmbedAuthor | None = None
    fields: list[EmbedField] | None = Field(None, max_length=25)

    def characters(self) -> int:
        """What counts towards the 6000."""
        texts = [self.title, self.description]
        texts += [self.footer.text if self.footer else None, self.author.name if self.author else None]
        for field in self.fields or ():
            texts += [field.name, field.value]
        return sum(len(text) for text in texts if text)


class AllowedMentions(Form):
    parse: list[Literal["roles", "users", "everyone"]] | None = None
    roles: list[Snowflake] | None = Field(None, max_length=100)
    users: list[Snowflake] | None = Field(None, max_length=100)
    replied_user: bool | None = None


class AttachmentRef(Form):
    id: Snowflake
    filename: str | None = Field(None, max_length=1024)
    description: str | None = Field(None, max_length=1024)
    is_spoiler: bool | None = None


class PollMedia(Form):
    text: str | None = Field(None, min_length=1, max_length=300)
    emoji: Emoji | None = None


class PollAnswer(Form):
    poll_media: PollMedia


class Poll(Form):
    question: PollMedia
    answers: list[PollAnswer] = Field(min_length=1, max_length=10)
    duration: int | None = Field(None, ge=1, le=768)
    allow_multiselect: bool | None = None
    layout_type: Literal[1] | None = None


class MessageBody(Form):
    content: Annotated[str, Trimmed, Field(max_length=2000)] | None = None
    embeds: list[Embed] | None = Field(None, max_length=10)
    components: list[LayoutChild] | None = None
    allowed_mentions: AllowedMentions | None = None
    attachments: list[AttachmentRef] | None = Field(None, max_length=10)
    poll: Poll | None = None
    sticker_ids: list[Snowflake] | None = Field(None, max_length=3)
    tts: bool | None = None
    flags: int | None = Field(None, ge=0)


_MODERN_ONLY = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"


def check_message(
    data: Any,
    path: Path = (),
    *,
    files: Sequence[str] = (),
    before: Mapping[str, Any] | None = None,
) -> MessageBody:
    """Raises InvalidForm unless Discord would take `data` as a message.

    `files` are the names of uploaded files. `before` is the message that is edited (Discord's JSON); absent
    fields keep its values. An empty result is refused with code 50006.
    """
    body = parse(MessageBody, data, path)
    problems = Problems()
    old_flags = int(before.get("flags", 0)) if before else 0
    flags = old_flags | (body.flags or 0)
    v2 = bool(flags & IS_COMPONENTS_V2)
    if body.flags is not None and body.flags & ~(SETTABLE | old_flags):
        problems.add(
            (*path, "flags"), "BASE_TYPE_INVALID", f"Flags {body.flags & ~SETTABLE} cannot be set by an app."
        )
    if before is not None and body.flags is not None and old_flags & IS_COMPONENTS_V2 & ~body.flags:
        problems.add(
            (*path, "flags"),
            "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG",
            "IS_COMPONENTS_V2 can never be taken off again.",
        )
    if v2:
        for field in ("content", "embeds", "poll", "sticker_ids"):
            if _value(body, before, field):
                problems.add(
                    (*path, field),
                    _MODERN_ONLY,
                    f"The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
                )
    names = [*files, *(str(a["filename"]) for a in (before or {}).get("attachments", ()))]
    names += [ref.filename for ref in body.attachments or () if ref.filename]
    if body.components is not None:
        check_message_components(body.components, problems, (*path, "components"), v2=v2, files=names)
    if body.embeds:
        characters = sum(embed.characters() for embed in body.embeds)
        if characters > EMBED_CHARACTERS:
            problems.add(
                (*path, "embeds"),
                "MAX_EMBED_SIZE_EXCEEDED",
                f"Embed size exceeds maximum size of {EMBED_CHARACTERS}",
            )
    _check_mentions(body.allowed_mentions, problems, (*path, "allowed_mentions"))
    problems.raise_if_any()
    if not files and not any(
        _value(body, before, field)
        for field in ("content", "embeds", "components", "poll", "sticker_ids", "attachments")
    ):
        raise InvalidForm({}, code=50006, message="Cannot send an empty message")
    return body


def _value(body: MessageBody, before: Mapping[str, Any] | None, field: str) -> Any:
    if field in body.model_fields_set or before is None:
        return getattr(body, field)
    return before.get(field)


def _check_mentions(mentions: AllowedMentions | None, problems: Problems, path: Path) -> None:
    if mentions is None:
        return
    for kind in ("users", "roles"):
        if kind in (mentions.parse or ()) and getattr(mentions, kind):
            problems.add(
                (*path, kind),
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )
