"""Reactions."""

from __future__ import annotations

import re

from sandbox.rest.authority import channel_of, check_channel, message_of
from sandbox.rest.call import Call
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import refused
from sandbox.world import Message, Permission
from sandbox.world.payloads import user_payload

P = Permission
MAX_REACTIONS = 20
_CUSTOM = re.compile(r"\w{2,32}:\d{15,20}")
BUCKET = Bucket("reactions", 1, 0.25)


def _emoji(call: Call) -> str:
    emoji = call.text("emoji")
    if not _CUSTOM.fullmatch(emoji) and (emoji.isascii() or len(emoji) > 16):
        raise refused(10014)
    return emoji


def _message(call: Call) -> Message:
    return message_of(call, channel_of(call, P.READ_MESSAGE_HISTORY))


@route("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me", bucket=BUCKET)
async def create_reaction(call: Call) -> Answer:
    """Create Reaction: ADD_REACTIONS only for an emoji that nobody used yet."""
    message, emoji = _message(call), _emoji(call)
    if not any(r.emoji == emoji for r in message.reactions):
        check_channel(call, call.world.channel(message.channel_id), P.ADD_REACTIONS)
        if len(message.reactions) >= MAX_REACTIONS:
            raise refused(30010)
    call.world.add_reaction(message.channel_id, message.id, call.bot_id, emoji)
    return NO_CONTENT


@route("DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me", bucket=BUCKET)
async def delete_own_reaction(call: Call) -> Answer:
    """Delete Own Reaction."""
    message = _message(call)
    call.world.remove_reaction(message.channel_id, message.id, call.bot_id, _emoji(call))
    return NO_CONTENT


@route("DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/{user_id}", bucket=BUCKET)
async def delete_user_reaction(call: Call) -> Answer:
    """Delete User Reaction: MANAGE_MESSAGES."""
    message = _message(call)
    check_channel(call, call.world.channel(message.channel_id), P.MANAGE_MESSAGES)
    call.world.remove_reaction(message.channel_id, message.id, call.id("user_id"), _emoji(call))
    return NO_CONTENT


@route("GET", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}", bucket=BUCKET)
async def get_reactions(call: Call) -> Answer:
    """Get Reactions: users, ascending by id."""
    message, emoji = _message(call), _emoji(call)
    limit, after = call.integer("limit", 25, 1, 100), call.snowflake("after") or 0
    found = next((r.user_ids for r in message.reactions if r.emoji == emoji), [])
    users = [call.world.user(u) for u in sorted(found) if u > after]
    return Answer(body=[user_payload(user) for user in users[:limit]])


@route("DELETE", "/channels/{channel_id}/messages/{message_id}/reactions", bucket=BUCKET)
async def delete_all_reactions(call: Call) -> Answer:
    """Delete All Reactions: MANAGE_MESSAGES."""
    message = _message(call)
    check_channel(call, call.world.channel(message.channel_id), P.MANAGE_MESSAGES)
    for reaction in list(message.reactions):
        for user_id in list(reaction.user_ids):
            call.world.remove_reaction(message.channel_id, message.id, user_id, reaction.emoji)
    return NO_CONTENT


ROUTES = (create_reaction, delete_own_reaction, delete_user_reaction, get_reactions, delete_all_reactions)
