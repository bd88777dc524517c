"""People write: post, edit, delete, react, direct messages to the bot."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from sandbox.admin.context import ChannelRef, Context, Ctx, Id, UserRef
from sandbox.admin.errors import ERROR_ANSWERS, Refused
from sandbox.interactions.people import read_upload
from sandbox.world import Channel, Message, Permission
from sandbox.world.payloads import channel_payload, message_payload
from sandbox.world.permissions import is_timed_out
from sandbox.world.snowflakes import created_ms

router = APIRouter(tags=["Messages"], responses=ERROR_ANSWERS)

Json = dict[str, Any]
LONGEST_CONTENT = 2000
MOST_FILES = 10


class File(BaseModel):
    """An uploaded file; give `text` or `content_base64`."""

    filename: str = Field(min_length=1, max_length=260)
    text: str | None = None
    content_base64: str | None = None
    content_type: str | None = None


class Forward(BaseModel):
    """The message that is forwarded."""

    message_id: Id


class PostMessage(BaseModel):
    """What somebody writes. Mentions are written as in Discord: `<@id>`, `<@&id>`, `<#id>`."""

    model_config = ConfigDict(populate_by_name=True)

    author: UserRef = Field(alias="as")
    channel: ChannelRef
    content: str = Field("", max_length=LONGEST_CONTENT)
    reply_to: Id | None = Field(None, description="Answer this message (it pings its author).")
    ping_author: bool = Field(True, description="Whether an answer pings.")
    forward: Forward | None = Field(None, description="Forward this message; content must be empty.")
    attachments: list[File] = Field(default_factory=list, max_length=MOST_FILES)
    embeds: list[Json] = Field(default_factory=list, max_length=10, description="As if links had unfurled.")
    sticker_ids: list[Id] = Field(default_factory=list, max_length=3)
    silent: bool = Field(False, description="Sent with @silent (flag 4096).")


class DirectMessage(BaseModel):
    """What somebody writes to the bot in private."""

    model_config = ConfigDict(populate_by_name=True)

    author: UserRef = Field(alias="as")
    content: str = Field("", max_length=LONGEST_CONTENT)
    attachments: list[File] = Field(default_factory=list, max_length=MOST_FILES)


class EditMessage(BaseModel):
    """New text by the author, or (embeds) what an unfurled link adds without an edit mark."""

    model_config = ConfigDict(populate_by_name=True)

    author: UserRef = Field(alias="as")
    content: str | None = Field(None, max_length=LONGEST_CONTENT)
    embeds: list[Json] | None = Field(None, max_length=10)


class React(BaseModel):
    """A reaction by somebody."""

    model_config = ConfigDict(populate_by_name=True)

    author: UserRef = Field(alias="as")
    emoji: str = Field(min_length=1, max_length=100)


@router.post("/messages", status_code=201, summary="Post a message as somebody")
async def post_message(body: PostMessage, ctx: Ctx) -> Json:
    """Checks what Discord checks: membership, SEND_MESSAGES, timeouts, slow mode, attachment and embed rights."""
    author, channel = ctx.user(body.author), ctx.channel(body.channel)
    check_may_write(ctx, channel, author.id, files=bool(body.attachments))
    if body.forward is not None:
        return message_payload(ctx.world, _forward(ctx, channel, author.id, body))
    if not (body.content.strip() or body.attachments or body.sticker_ids or body.embeds):
        raise Refused("empty_message", "a message needs content, a file or a sticker", status=400)
    reference = None
    if body.reply_to is not None:
        reference = ctx.world.reference_to(ctx.world.message(channel.id, body.reply_to))
    allowed = {"parse": ["users", "roles", "everyone"], "replied_user": body.ping_author}
    message = ctx.world.post_message(
        channel.id,
        author.id,
        body.content,
        attachments=_store(ctx, channel, body.attachments),
        embeds=body.embeds,
        flags=4096 if body.silent else 0,
        reference=reference,
        sticker_ids=body.sticker_ids,
        allowed_mentions=allowed,
    )
    return message_payload(ctx.world, message)


@router.post("/dms", status_code=201, summary="Write to the bot in private")
async def post_direct_message(body: DirectMessage, ctx: Ctx) -> Json:
    """Opens the direct message if there is none."""
    author = ctx.user(body.author)
    channel = ctx.world.open_dm(author.id, ctx.world.bot_id)
    if not (body.content.strip() or body.attachments):
        raise Refused("empty_message", "a message needs content or a file", status=400)
    message = ctx.world.post_message(
        channel.id, author.id, body.content, attachments=_store(ctx, channel, body.attachments)
    )
    return message_payload(ctx.world, message)


@router.put("/dms/{user}", summary="Open somebody's direct messages with the bot")
async def open_direct_messages(user: UserRef, ctx: Ctx) -> Json:
    """Returns the channel, made when there is none."""
    channel = ctx.world.open_dm(ctx.user(user).id, ctx.world.bot_id)
    return channel_payload(ctx.world, channel)


@router.patch("/messages/{message_id}", summary="Edit a message as its author")
async def edit_message(message_id: Id, body: EditMessage, ctx: Ctx) -> Json:
    """Only the author edits. Embeds alone are added without an edit mark, as when a link unfurls."""
    author, message = ctx.user(body.author), ctx.world.find_message(message_id)
    if message.author_id != author.id:
        raise Refused("not_the_author", f"the message is not by {author.username}")
    edited = ctx.world.edit_message(
        message.channel_id,
        message.id,
        content=body.content,
        embeds=body.embeds,
        by_author=body.content is not None,
    )
    return message_payload(ctx.world, edited)


@router.delete("/messages/{message_id}", status_code=204, summary="Delete a message as somebody")
async def delete_message(message_id: Id, ctx: Ctx, who: Annotated[UserRef, Query(alias="as")]) -> None:
    """One's own, or others' with MANAGE_MESSAGES (which leaves an entry in the audit log)."""
    user, message = ctx.user(who), ctx.world.find_message(message_id)
    if message.author_id != user.id:
        granted = ctx.world.permissions_in(ctx.world.channel(message.channel_id), user.id)
        if not granted & Permission.MANAGE_MESSAGES:
            raise Refused("missing_permissions", f"{user.username} lacks MANAGE_MESSAGES there")
    ctx.stream.publish("deleting", {"message_id": str(message_id), "by": str(user.id)})
    ctx.world.delete_message(message.channel_id, message.id, actor=user.id)


@router.post("/messages/{message_id}/reactions", status_code=204, summary="React to a message")
async def add_reaction(message_id: Id, body: React, ctx: Ctx) -> None:
    """Needs ADD_REACTIONS unless the emoji is there already."""
    user, message = ctx.user(body.author), ctx.world.find_message(message_id)
    granted = ctx.world.permissions_in(ctx.world.channel(message.channel_id), user.id)
    present = any(reaction.emoji == body.emoji for reaction in message.reactions)
    if not present and not granted & Permission.ADD_REACTIONS:
        raise Refused("missing_permissions", f"{user.username} lacks ADD_REACTIONS there")
    ctx.world.add_reaction(message.channel_id, message.id, user.id, body.emoji)


@router.delete("/messages/{message_id}/reactions", status_code=204, summary="Take a reaction back")
async def remove_reaction(
    message_id: Id, ctx: Ctx, who: Annotated[UserRef, Query(alias="as")], emoji: str
) -> None:
    """Nothing happens when there is none."""
    message = ctx.world.find_message(message_id)
    ctx.world.remove_reaction(message.channel_id, message.id, ctx.user(who).id, emoji)


@router.get("/channels/{channel}/messages", summary="Read a channel, oldest first")
async def read_channel(
    channel: ChannelRef,
    ctx: Ctx,
    who: Annotated[UserRef | None, Query(alias="as", description="Adds what only this person sees.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Id | None = None,
) -> list[Json]:
    """The latest messages; with `as` also that person's ephemeral ones, marked by `ephemeral_for`."""
    place = ctx.channel(channel)
    found = [m for m in ctx.world.history(place.id) if before is None or m.id < before]
    if who is not None:
        user = ctx.user(who)
        found += [
            m
            for m in ctx.world.ephemeral.values()
            if m.channel_id == place.id
            and m.ephemeral_for == user.id
            and m.id not in ctx.interactions.dismissed
            and (before is None or m.id < before)
        ]
    found.sort(key=lambda m: m.id)
    return [shown_message(ctx, m) for m in found[-limit:]]


@router.get("/messages/{message_id}", summary="Read one message")
async def read_message(message_id: Id, ctx: Ctx) -> Json:
    """Ephemeral ones included."""
    return shown_message(ctx, ctx.world.find_message(message_id))


@router.post("/messages/{message_id}/dismiss", status_code=204, summary="Dismiss an ephemeral message")
async def dismiss(message_id: Id, ctx: Ctx) -> None:
    """The person no longer sees it; the application still can edit it."""
    message = ctx.world.find_message(message_id)
    if message.ephemeral_for is None:
        raise Refused("not_ephemeral", "only ephemeral messages can be dismissed", status=400)
    ctx.interactions.dismissed.add(message_id)


@router.get("/dms/{user}", summary="Read somebody's direct messages with the bot")
async def read_direct_messages(user: UserRef, ctx: Ctx) -> list[Json]:
    """Oldest first; empty when they never wrote to each other."""
    who = ctx.user(user)
    for channel in ctx.world.dms_of(who.id):
        if ctx.world.bot_id in channel.recipients:
            return [shown_message(ctx, m) for m in ctx.world.history(channel.id)]
    return []


def shown_message(ctx: Context, message: Message) -> Json:
    """A message with `ephemeral_for`."""
    shown = message_payload(ctx.world, message)
    if message.guild_id is not None:
        shown["guild_id"] = str(message.guild_id)
    shown["ephemeral_for"] = None if message.ephemeral_for is None else str(message.ephemeral_for)
    return shown


def check_may_write(ctx: Context, channel: Channel, user_id: int, *, files: bool = False) -> None:
    """Raises Refused where Discord would not take the message."""
    world = ctx.world
    if channel.guild_id is not None:
        member = world.guild(channel.guild_id).members.get(user_id)
        if member is None:
            raise Refused("not_a_member", "the person is not a member of that server")
        if is_timed_out(member, world.clock()) and not _exempt(ctx, channel.guild_id, user_id):
            raise Refused("timed_out", "the person is timed out and cannot write")
    granted = world.permissions_in(channel, user_id)
    needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    if not granted & needed or not channel.is_text:
        raise Refused("missing_permissions", "the person cannot write in that channel")
    if files and not granted & Permission.ATTACH_FILES:
        raise Refused("missing_permissions", "the person cannot attach files in that channel")
    slow = channel.rate_limit_per_user
    free = Permission.MANAGE_MESSAGES | Permission.MANAGE_CHANNELS | Permission.BYPASS_SLOWMODE
    if slow and not granted & free:
        last = next((m for m in reversed(world.history(channel.id)) if m.author_id == user_id), None)
        if last is not None and created_ms(last.id) + slow * 1000 > world.clock():
            raise Refused("slow_mode", f"slow mode: one message every {slow} s", status=429)


def _exempt(ctx: Context, guild_id: int, user_id: int) -> bool:
    granted = ctx.world.guild_permissions_of(guild_id, user_id)
    return bool(granted & Permission.ADMINISTRATOR)


def _store(ctx: Context, channel: Channel, files: list[File]) -> list[Json]:
    uploads = [read_upload(file.model_dump(exclude_none=True)) for file in files]
    return [ctx.interactions.files.put(upload, channel_id=channel.id) for upload in uploads]


def _forward(ctx: Context, channel: Channel, author_id: int, body: PostMessage) -> Message:
    assert body.forward is not None
    original = ctx.world.find_message(body.forward.message_id)
    if not ctx.world.can_view(original.channel_id, author_id):
        raise Refused("cannot_read", "the person cannot read the message to forward")
    if body.content:
        raise Refused("forward_with_content", "a forward carries no content of its own", status=400)
    return ctx.world.post_message(
        channel.id,
        author_id,
        flags=16384,
        reference=ctx.world.reference_to(original) | {"type": 1},
        snapshots=[ctx.world.forward_snapshot(original)],
    )
