"""Messages: read, create, edit (contract sections 4.5 to 4.7)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox.gateway.content import without_content
from sandbox.gateway.protocol import PRIVILEGED, Intent
from sandbox.interactions.rendering import render
from sandbox.interactions.rules.form import Form
from sandbox.interactions.rules.message import EPHEMERAL, check_message
from sandbox.rest.authority import channel_of, check_channel, message_of
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import invalid_form, refused
from sandbox.world import Channel, ChannelType, Message, Permission, Unknown
from sandbox.world.payloads import message_payload

P = Permission
NONCE_MS = 5 * 60_000
"""How long an enforced nonce is remembered: Discord says "the past few minutes" (contract 4.5)."""

SETTABLE = 4 | 4096 | 8192 | 32768
SYSTEM_TYPES = frozenset(range(1, 19)) | {21, 22, 24, 25, 26, 27, 28, 29, 31, 32}
Json = dict[str, Any]


class Reference(Form):
    type: Literal[0, 1] | None = None
    message_id: str | int
    channel_id: str | int | None = None
    guild_id: str | int | None = None
    fail_if_not_exists: bool | None = None


class CreateMessage(Form):
    """What only creating knows; text, embeds and components are read by `check_message`."""

    nonce: str | int | None = None
    enforce_nonce: bool | None = None
    message_reference: Reference | None = None
    sticker_ids: list[str | int] | None = None


class EditFlags(Form):
    flags: int | None = Field(None, ge=0)


def shown(call: Call, message: Message) -> Json:
    """Return the message as this bot sees it over REST: the content intent counts here too (contract 5.5)."""
    payload = message_payload(call.world, message)
    if call.world.application.flags & PRIVILEGED[Intent.MESSAGE_CONTENT]:
        return payload
    guild_id = None if message.guild_id is None else str(message.guild_id)
    seen = without_content(payload | {"guild_id": guild_id}, call.bot_id)
    return {key: value for key, value in seen.items() if key != "guild_id"}


@route("GET", "/channels/{channel_id}/messages", bucket=Bucket("messages.list", 10, 10.0))
async def get_messages(call: Call) -> Answer:
    """Get Channel Messages, newest first; without READ_MESSAGE_HISTORY the list is empty."""
    channel = channel_of(call)
    limit = call.integer("limit", 50, 1, 100)
    around, before, after = (call.snowflake(name) for name in ("around", "before", "after"))
    if not call.world.permissions_in(channel, call.bot_id) & P.READ_MESSAGE_HISTORY:
        return Answer(body=[])
    history = call.world.history(channel.id)
    if around is not None:
        older = [m for m in history if m.id < around][-(limit // 2) :]
        chosen = [*older, *[m for m in history if m.id >= around][: limit - len(older)]]
    elif after is not None:
        chosen = [m for m in history if m.id > after][:limit]
    elif before is not None:
        chosen = [m for m in history if m.id < before][-limit:]
    else:
        chosen = history[-limit:]
    return Answer(body=[shown(call, m) for m in reversed(chosen)])


@route("GET", "/channels/{channel_id}/messages/{message_id}", bucket=Bucket("messages.get", 30, 10.0))
async def get_message(call: Call) -> Answer:
    """Get Channel Message."""
    channel = channel_of(call, P.READ_MESSAGE_HISTORY)
    return Answer(body=shown(call, message_of(call, channel)))


@route("POST", "/channels/{channel_id}/messages", bucket=Bucket("messages.create", 5, 5.0))
async def create_message(call: Call) -> Answer:
    """Create Message."""
    channel = channel_of(call)
    form = call.form(CreateMessage)
    data: Json = dict(call.body or {})
    _check_sending(call, channel, data)
    _check_nonce(form)
    repeated = _repeated(call, channel, form)
    if repeated is not None:
        return Answer(body=shown(call, repeated))
    reference, snapshots = _reference(call, channel, form.message_reference)
    if snapshots:
        _check_forward(data)
    else:
        check_message(data, files=[file.filename for file in call.files])
    content = render(data, call.files, call.sandbox.files, channel_id=channel.id, ephemeral=False)
    message = call.world.post_message(
        channel.id,
        call.bot_id,
        content.content or "",
        embeds=content.embeds or (),
        components=content.components or (),
        attachments=content.attachments or (),
        flags=content.flags & SETTABLE | (1 << 14 if snapshots else 0),
        tts=content.tts,
        nonce=form.nonce,
        reference=reference,
        snapshots=snapshots,
        allowed_mentions=data.get("allowed_mentions"),
        poll=content.poll,
        sticker_ids=[read_snowflake("sticker_ids", s) for s in form.sticker_ids or ()],
    )
    _remember_nonce(call, form, message)
    return Answer(body=shown(call, message))


def _check_sending(call: Call, channel: Channel, data: Json) -> None:
    if not channel.is_text:
        raise refused(50008)
    if channel.guild_id is None:
        _check_dm(call, channel)
        return
    sending = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    needed = [sending]
    if data.get("tts"):
        needed.append(P.SEND_TTS_MESSAGES)
    if call.files:
        needed.append(P.ATTACH_FILES)
    if data.get("embeds"):
        needed.append(P.EMBED_LINKS)
    if data.get("poll"):
        needed.append(P.SEND_POLLS)
    check_channel(call, channel, *needed)
    if channel.thread is not None and channel.thread.locked:
        manages = call.world.permissions_in(channel, call.bot_id) & P.MANAGE_THREADS
        if not manages:
            raise refused(160005)
    if channel.thread is not None and channel.thread.archived:
        call.world.edit_channel(channel.id, actor=call.bot_id, archived=False)


def _check_dm(call: Call, channel: Channel) -> None:
    for user_id in channel.recipients:
        if user_id == call.bot_id:
            continue
        if not call.world.user(user_id).accepts_dms:
            raise refused(50007)
        if not any(user_id in guild.members for guild in call.world.bot_guilds()):
            raise refused(50278)


def _check_nonce(form: CreateMessage) -> None:
    if isinstance(form.nonce, str) and len(form.nonce) > 25:
        raise invalid_form("nonce", code="NONCE_TYPE_TOO_LONG", message="Must be 25 or fewer in length.")


def _repeated(call: Call, channel: Channel, form: CreateMessage) -> Message | None:
    if not form.enforce_nonce or form.nonce is None:
        return None
    nonces, since = call.sandbox.nonces, call.world.clock() - NONCE_MS
    while nonces and next(iter(nonces.values()))[1] < since:
        nonces.popitem(last=False)
    known = nonces.get((channel.id, str(form.nonce)))
    if known is None:
        return None
    try:
        return call.world.message(channel.id, known[0])
    except Unknown:
        return None


def _remember_nonce(call: Call, form: CreateMessage, message: Message) -> None:
    if form.enforce_nonce and form.nonce is not None:
        call.sandbox.nonces[message.channel_id, str(form.nonce)] = (message.id, call.world.clock())


def _reference(call: Call, channel: Channel, form: Reference | None) -> tuple[Json | None, list[Json]]:
    """Return the message_reference to store and, for a forward, the snapshot of what is forwarded."""
    if form is None:
        return None, []
    message_id = read_snowflake("message_id", form.message_id)
    channel_id = channel.id if form.channel_id is None else read_snowflake("channel_id", form.channel_id)
    if form.type == 1:
        return _forward(call, channel_id, message_id)
    if channel_id != channel.id:
        message = "Cannot reply to a message in a different channel"
        raise invalid_form(
            "message_reference", code="REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL", message=message
        )
    if not call.world.permissions_in(channel, call.bot_id) & P.READ_MESSAGE_HISTORY:
        raise refused(160002)
    try:
        target = call.world.message(channel.id, message_id)
    except Unknown:
        if form.fail_if_not_exists is False:
            return None, []
        text = "Unknown message"
        raise invalid_form("message_reference", code="REPLIES_UNKNOWN_MESSAGE", message=text) from None
    if target.type in SYSTEM_TYPES:
        text = "Cannot reply to a system message"
        raise invalid_form("message_reference", code="REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", message=text)
    return call.world.reference_to(target), []


def _forward(call: Call, channel_id: int, message_id: int) -> tuple[Json, list[Json]]:
    source = call.world.channel(channel_id)
    if not call.world.can_view(source.id, call.bot_id):
        raise refused(160014)
    message = call.world.message(source.id, message_id)
    return call.world.reference_to(message) | {"type": 1}, [call.world.forward_snapshot(message)]


def _check_forward(data: Json) -> None:
    if any(data.get(name) for name in ("content", "embeds", "components", "poll", "sticker_ids")):
        text = "Additional content cannot be added to forwarded messages."
        raise invalid_form("message_reference", code="MESSAGE_FORWARD_ADDITIONAL_CONTENT", message=text)


@route("PATCH", "/channels/{channel_id}/messages/{message_id}", bucket=Bucket("messages.edit", 5, 5.0))
async def edit_message(call: Call) -> Answer:
    """Edit Message: own messages, and the flags of others'."""
    channel = channel_of(call)
    message = message_of(call, channel)
    data: Json = dict(call.body or {})
    if message.author_id != call.bot_id:
        return Answer(body=shown(call, _suppress(call, channel, message, data)))
    if message.type in SYSTEM_TYPES:
        raise refused(50021)
    if channel.thread is not None and channel.thread.archived:
        raise refused(50083)
    files = [file.filename for file in call.files]
    check_message(data, files=files, before=message_payload(call.world, message, deep=False))
    content = render(
        data,
        call.files,
        call.sandbox.files,
        channel_id=channel.id,
        ephemeral=bool(message.flags & EPHEMERAL),
        kept=message.attachments,
    )
    flags = message.flags
    if data.get("flags") is not None:
        flags = (message.flags & ~SETTABLE) | (content.flags & SETTABLE) | (message.flags & 32768)
    edited = call.world.edit_message(
        channel.id,
        message.id,
        content=content.content,
        embeds=content.embeds,
        components=content.components,
        attachments=content.attachments,
        flags=flags,
        poll=content.poll,
        allowed_mentions=data.get("allowed_mentions"),
    )
    return Answer(body=shown(call, edited))


def _suppress(call: Call, channel: Channel, message: Message, data: Json) -> Message:
    if set(data) - {"flags"} or "flags" not in data:
        raise refused(50005)
    check_channel(call, channel, P.MANAGE_MESSAGES)
    wanted = call.form(EditFlags).flags or 0
    flags = (message.flags & ~4) | (wanted & 4)
    embeds: list[Json] | None = [] if flags & 4 else None
    return call.world.edit_message(channel.id, message.id, embeds=embeds, flags=flags, by_author=False)


@route("POST", "/channels/{channel_id}/typing", bucket=Bucket("typing", 5, 5.0))
async def trigger_typing(call: Call) -> Answer:
    """Trigger Typing Indicator."""
    channel = channel_of(call)
    if channel.type == ChannelType.CATEGORY:
        raise refused(50008)
    _check_sending(call, channel, {})
    call.world.start_typing(channel.id, call.bot_id)
    return NO_CONTENT


ROUTES = (get_messages, get_message, create_message, edit_message, trigger_typing)
