"""Deleting and pinning messages (contract section 4.4)."""

from __future__ import annotations

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import channel_of, check_channel, guild_channel_of, message_of
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import invalid_form, refused
from sandbox.rest.routes.messages import shown
from sandbox.world import Permission
from sandbox.world.payloads import message_payload
from sandbox.world.snowflakes import created_ms, iso

P = Permission
BULK_AGE_MS = 14 * 24 * 3600 * 1000
MAX_PINS = 250
UNDELETABLE = frozenset({1, 2, 3, 4, 5, 21})
"""Message types that nobody can delete (contract section 5.6)."""

PINS = Bucket("pins", 5, 4.0)


class BulkDelete(Form):
    messages: list[str | int] = Field(max_length=1000)


@route("DELETE", "/channels/{channel_id}/messages/{message_id}", bucket=Bucket("messages.delete", 5, 1.0))
async def delete_message(call: Call) -> Answer:
    """Delete Message: MANAGE_MESSAGES unless it is the bot's own."""
    channel = channel_of(call)
    message = message_of(call, channel)
    if message.author_id != call.bot_id or message.type == 24:
        if channel.guild_id is None:
            raise refused(50003)
        check_channel(call, channel, P.MANAGE_MESSAGES)
    if message.type in UNDELETABLE:
        raise refused(50021)
    call.world.delete_message(channel.id, message.id, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


@route("POST", "/channels/{channel_id}/messages/bulk-delete", bucket=Bucket("messages.bulk-delete", 1, 1.0))
async def bulk_delete_messages(call: Call) -> Answer:
    """Bulk Delete Messages: 2 to 100 ids, none older than 14 days, no duplicates; all or nothing."""
    channel, _ = guild_channel_of(call, P.MANAGE_MESSAGES)
    ids = [read_snowflake("messages", one) for one in call.form(BulkDelete).messages]
    if not 2 <= len(ids) <= 100:
        raise refused(50016)
    if len(set(ids)) != len(ids):
        text = "Message IDs must be unique"
        raise invalid_form("messages", code="BASE_TYPE_DUPLICATE", message=text)
    oldest = call.world.clock() - BULK_AGE_MS
    if any(created_ms(one) < oldest for one in ids):
        raise refused(50034)
    call.world.bulk_delete_messages(channel.id, ids, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


async def _pin(call: Call, *, pinned: bool) -> Answer:
    channel = channel_of(call, P.PIN_MESSAGES)
    message = message_of(call, channel)
    if message.type in UNDELETABLE or message.type == 6:
        raise refused(50021)
    if pinned and sum(m.pinned for m in call.world.history(channel.id)) >= MAX_PINS:
        raise refused(30003)
    call.world.pin_message(channel.id, message.id, pinned=pinned, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


@route("PUT", "/channels/{channel_id}/messages/pins/{message_id}", bucket=PINS)
async def pin_message(call: Call) -> Answer:
    """Pin Message: PIN_MESSAGES."""
    return await _pin(call, pinned=True)


@route("DELETE", "/channels/{channel_id}/messages/pins/{message_id}", bucket=PINS)
async def unpin_message(call: Call) -> Answer:
    """Unpin Message: PIN_MESSAGES."""
    return await _pin(call, pinned=False)


@route("PUT", "/channels/{channel_id}/pins/{message_id}", bucket=PINS)
async def pin_message_deprecated(call: Call) -> Answer:
    """Pin Message under its deprecated address."""
    return await _pin(call, pinned=True)


@route("DELETE", "/channels/{channel_id}/pins/{message_id}", bucket=PINS)
async def unpin_message_deprecated(call: Call) -> Answer:
    """Unpin Message under its deprecated address."""
    return await _pin(call, pinned=False)


@route("GET", "/channels/{channel_id}/messages/pins", bucket=Bucket("pins.list", 5, 5.0))
async def get_pins(call: Call) -> Answer:
    """Get Channel Pins, newest first."""
    channel = channel_of(call, P.READ_MESSAGE_HISTORY)
    limit = call.integer("limit", 50, 1, 50)
    pinned = [m for m in reversed(call.world.history(channel.id)) if m.pinned]
    items = [{"pinned_at": iso(created_ms(m.id)), "message": shown(call, m)} for m in pinned[:limit]]
    return Answer(body={"items": items, "has_more": len(pinned) > limit})


@route("GET", "/channels/{channel_id}/pins", bucket=Bucket("pins.list", 5, 5.0))
async def get_pins_deprecated(call: Call) -> Answer:
    """Get Pinned Messages under its deprecated address."""
    channel = channel_of(call, P.READ_MESSAGE_HISTORY)
    pinned = [m for m in reversed(call.world.history(channel.id)) if m.pinned]
    return Answer(body=[message_payload(call.world, m) for m in pinned[:50]])


ROUTES = (
    bulk_delete_messages,
    get_pins,
    delete_message,
    pin_message,
    unpin_message,
    pin_message_deprecated,
    unpin_message_deprecated,
    get_pins_deprecated,
)
