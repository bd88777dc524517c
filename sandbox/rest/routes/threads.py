"""Threads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import channel_of, check_channel, guild_channel_of, guild_of, message_of
from sandbox.rest.call import Call
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import refused
from sandbox.world import Channel, ChannelType, Permission
from sandbox.world.payloads import channel_payload, thread_member_payload

P = Permission
START = Bucket("threads.start", 10, 10.0)
MEMBERS = Bucket("threads.members", 5, 5.0)


class StartThread(Form):
    name: str = Field(min_length=1, max_length=100)
    auto_archive_duration: Literal[60, 1440, 4320, 10080] | None = None
    type: Literal[10, 11, 12] | None = None
    invitable: bool | None = None
    rate_limit_per_user: int | None = Field(None, ge=0, le=21600)


def _start(call: Call, channel: Channel, form: StartThread, kind: int, message_id: int | None) -> Answer:
    private = kind == ChannelType.PRIVATE_THREAD
    check_channel(call, channel, P.CREATE_PRIVATE_THREADS if private else P.CREATE_PUBLIC_THREADS)
    thread = call.world.create_thread(
        channel.id,
        form.name,
        call.bot_id,
        type=kind,
        message_id=message_id,
        auto_archive_minutes=form.auto_archive_duration or 4320,
        rate_limit_per_user=form.rate_limit_per_user or 0,
        reason=call.reason,
    )
    body = channel_payload(call.world, thread) | {"member": thread_member_payload(thread, call.bot_id)}
    return Answer(201, body)


@route("POST", "/channels/{channel_id}/messages/{message_id}/threads", bucket=START)
async def start_thread_from_message(call: Call) -> Answer:
    """Start Thread from Message: the thread takes the message's id."""
    form = call.form(StartThread)
    channel, _ = guild_channel_of(call)
    if channel.type not in {ChannelType.TEXT, ChannelType.ANNOUNCEMENT}:
        raise refused(50024)
    message = message_of(call, channel)
    if message.thread_id is not None or message.id in call.world.channels:
        raise refused(160004)
    public = channel.type == ChannelType.TEXT
    kind = ChannelType.PUBLIC_THREAD if public else ChannelType.ANNOUNCEMENT_THREAD
    return _start(call, channel, form, kind, message.id)


@route("POST", "/channels/{channel_id}/threads", bucket=START)
async def start_thread(call: Call) -> Answer:
    """Start Thread without Message: private unless the type says otherwise."""
    form = call.form(StartThread)
    channel, _ = guild_channel_of(call)
    if channel.type not in {ChannelType.TEXT, ChannelType.ANNOUNCEMENT}:
        raise refused(50024)
    return _start(call, channel, form, form.type or ChannelType.PRIVATE_THREAD, None)


def _thread(call: Call) -> Channel:
    thread = channel_of(call)
    if not thread.is_thread:
        raise refused(50024)
    return thread


@route("PUT", "/channels/{channel_id}/thread-members/@me", bucket=MEMBERS)
async def join_thread(call: Call) -> Answer:
    """Join Thread."""
    call.world.add_thread_member(_thread(call).id, call.bot_id)
    return NO_CONTENT


@route("DELETE", "/channels/{channel_id}/thread-members/@me", bucket=MEMBERS)
async def leave_thread(call: Call) -> Answer:
    """Leave Thread."""
    call.world.remove_thread_member(_thread(call).id, call.bot_id)
    return NO_CONTENT


@route("PUT", "/channels/{channel_id}/thread-members/{user_id}", bucket=MEMBERS)
async def add_thread_member(call: Call) -> Answer:
    """Add Thread Member."""
    thread = _thread(call)
    if thread.guild_id is None or call.id("user_id") not in call.world.guild(thread.guild_id).members:
        raise refused(10007)
    call.world.add_thread_member(thread.id, call.id("user_id"))
    return NO_CONTENT


@route("DELETE", "/channels/{channel_id}/thread-members/{user_id}", bucket=MEMBERS)
async def remove_thread_member(call: Call) -> Answer:
    """Remove Thread Member: MANAGE_THREADS."""
    thread = _thread(call)
    check_channel(call, thread, P.MANAGE_THREADS)
    call.world.remove_thread_member(thread.id, call.id("user_id"))
    return NO_CONTENT


@route("GET", "/channels/{channel_id}/thread-members", bucket=MEMBERS)
async def list_thread_members(call: Call) -> Answer:
    """List Thread Members."""
    thread = _thread(call)
    members = thread.thread.member_ids if thread.thread is not None else []
    return Answer(body=[thread_member_payload(thread, user_id) for user_id in members])


@route("GET", "/guilds/{guild_id}/threads/active", bucket=Bucket("threads.active", 5, 5.0))
async def list_active_threads(call: Call) -> Answer:
    """List Active Guild Threads that the bot can see."""
    guild = guild_of(call)
    threads = [t for t in call.world.guild_threads(guild.id) if call.world.can_view(t.id, call.bot_id)]
    joined = [t for t in threads if t.thread is not None and call.bot_id in t.thread.member_ids]
    return Answer(
        body={
            "threads": [channel_payload(call.world, t) for t in threads],
            "members": [thread_member_payload(t, call.bot_id) for t in joined],
        }
    )


ROUTES = (
    start_thread_from_message,
    start_thread,
    join_thread,
    leave_thread,
    add_thread_member,
    remove_thread_member,
    list_thread_members,
    list_active_threads,
)
