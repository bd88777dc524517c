"""The shape of the world: what exists, and how to make more of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from sandbox.admin.context import ChannelRef, Context, Ctx, GuildRef, UserRef
from sandbox.admin.errors import ERROR_ANSWERS, Refused
from sandbox.admin.members import shown_user
from sandbox.world import Channel, ChannelType, Guild, Overwrite, Permission
from sandbox.world.payloads import channel_payload, guild_payload, member_payload, role_payload
from sandbox.world.state import audit_payload

router = APIRouter(tags=["World"], responses=ERROR_ANSWERS)

Json = dict[str, Any]

TEXT_CHANNELS = frozenset(
    {
        ChannelType.TEXT,
        ChannelType.ANNOUNCEMENT,
        ChannelType.ANNOUNCEMENT_THREAD,
        ChannelType.PUBLIC_THREAD,
        ChannelType.PRIVATE_THREAD,
        ChannelType.VOICE,
    }
)


class NewGuild(BaseModel):
    """A server with a #general channel; the bot is in it unless told otherwise."""

    name: str = Field(min_length=2, max_length=100)
    owner: UserRef
    with_bot: bool = True
    preferred_locale: str = "en-US"


class NewChannel(BaseModel):
    """A channel at the end of the list."""

    name: str = Field(min_length=1, max_length=100)
    type: int = Field(0, description="0 text, 2 voice, 4 category, 5 announcements.")
    parent: ChannelRef | None = None
    topic: str | None = Field(None, max_length=1024)
    nsfw: bool = False
    rate_limit_per_user: int = Field(0, ge=0, le=21_600)


class EditChannel(BaseModel):
    """What changes."""

    name: str | None = Field(None, min_length=1, max_length=100)
    topic: str | None = Field(None, max_length=1024)
    nsfw: bool | None = None
    rate_limit_per_user: int | None = Field(None, ge=0, le=21_600)


class NewRole(BaseModel):
    """A role; permissions as Discord's decimal string."""

    name: str = Field(min_length=1, max_length=100)
    permissions: str = Field("0", pattern="^[0-9]+$")
    color: int = Field(0, ge=0, le=0xFFFFFF)
    hoist: bool = False
    mentionable: bool = False


class EditGuild(BaseModel):
    """What changes; `available` false plays an outage."""

    name: str | None = Field(None, min_length=2, max_length=100)
    preferred_locale: str | None = None
    available: bool | None = None


class SetOverwrite(BaseModel):
    """An exception for a role (type 0) or a member (type 1)."""

    type: int = Field(ge=0, le=1)
    allow: str = Field("0", pattern="^[0-9]+$")
    deny: str = Field("0", pattern="^[0-9]+$")


@router.get("/world", summary="List everything that exists")
async def read_world(ctx: Ctx) -> Json:
    """Servers with their roles, channels and members, users, and the direct messages with the bot."""
    world = ctx.world
    return {
        "application": {
            "id": str(world.application.id),
            "name": world.application.name,
            "bot_id": str(world.bot_id),
            "interactions_endpoint_url": world.application.interactions_endpoint_url,
        },
        "users": [shown_user(user) for user in world.users.values()],
        "guilds": [shown_guild(ctx, guild) for guild in world.guilds.values()],
        "dms": [shown_dm(ctx, c) for c in world.channels.values() if c.guild_id is None],
    }


@router.get("/view", summary="The world as one person sees it")
async def read_view(ctx: Ctx, who: Annotated[UserRef, Query(alias="as")]) -> Json:
    """Servers the person is in, channels it can see, and what it may do there: what the page draws."""
    world, user = ctx.world, ctx.user(who)
    mine = [guild for guild in world.guilds.values() if user.id in guild.members]
    return {
        "me": shown_user(user),
        "bot_id": str(world.bot_id),
        "application_id": str(world.application.id),
        "endpoint": world.application.interactions_endpoint_url,
        "notice": ctx.interactions.endpoint.notices[-1].text if ctx.interactions.endpoint.notices else None,
        "user_installed": user.id in ctx.interactions.user_installs,
        "users": [shown_user(other) for other in world.users.values()],
        "guilds": [_guild_view(ctx, guild, user.id) for guild in mine],
        "dms": [shown_dm(ctx, c) for c in world.dms_of(user.id)],
    }


@router.get("/guilds/{guild}", summary="Show one server")
async def read_guild(guild: GuildRef, ctx: Ctx) -> Json:
    """With roles, channels and members."""
    return shown_guild(ctx, ctx.guild(guild))


@router.post("/guilds", status_code=201, summary="Found a server")
async def create_guild(body: NewGuild, ctx: Ctx) -> Json:
    """Dispatches GUILD_CREATE to the bot when it is in."""
    world, owner = ctx.world, ctx.user(body.owner)
    guild = world.create_guild(body.name, owner.id)
    guild.preferred_locale = body.preferred_locale
    channel = world.create_channel(guild.id, "general", actor=owner.id)
    guild.system_channel_id = channel.id
    world.save_guild(guild)
    if body.with_bot:
        _invite_bot(ctx, guild)
    return shown_guild(ctx, guild)


@router.patch("/guilds/{guild}", summary="Change a server, or play an outage")
async def edit_guild(guild: GuildRef, body: EditGuild, ctx: Ctx) -> Json:
    """`available: false` dispatches GUILD_DELETE with `unavailable`, true ends it."""
    found = ctx.guild(guild)
    fields = body.model_dump(exclude_none=True, exclude={"available"})
    if fields:
        ctx.world.edit_guild(found.id, actor=found.owner_id, **fields)
    if body.available is not None:
        ctx.world.set_guild_available(found.id, available=body.available)
    return shown_guild(ctx, found)


@router.put("/guilds/{guild}/bot", status_code=204, summary="Invite the bot")
async def invite_bot(guild: GuildRef, ctx: Ctx) -> None:
    """GUILD_CREATE on the gateway and APPLICATION_AUTHORIZED as webhook event."""
    _invite_bot(ctx, ctx.guild(guild))


@router.delete("/guilds/{guild}/bot", status_code=204, summary="Remove the bot")
async def remove_bot(guild: GuildRef, ctx: Ctx) -> None:
    """GUILD_DELETE without `unavailable`."""
    ctx.world.leave_member(ctx.guild(guild).id, ctx.world.bot_id)


@router.post("/guilds/{guild}/channels", status_code=201, summary="Make a channel")
async def create_channel(guild: GuildRef, body: NewChannel, ctx: Ctx) -> Json:
    """Dispatches CHANNEL_CREATE."""
    found = ctx.guild(guild)
    if body.type not in {0, 2, 4, 5}:
        raise Refused("invalid_type", "type is 0, 2, 4 or 5", status=400)
    parent = ctx.channel(body.parent).id if body.parent is not None else None
    fields = body.model_dump(exclude={"name", "type", "parent"})
    channel = ctx.world.create_channel(
        found.id, body.name, type=body.type, actor=found.owner_id, parent_id=parent, **fields
    )
    return channel_payload(ctx.world, channel)


@router.patch("/channels/{channel}", summary="Change a channel")
async def edit_channel(channel: ChannelRef, body: EditChannel, ctx: Ctx) -> Json:
    """Only what is given."""
    found = ctx.channel(channel)
    edited = ctx.world.edit_channel(found.id, **body.model_dump(exclude_unset=True))
    return channel_payload(ctx.world, edited)


@router.delete("/channels/{channel}", status_code=204, summary="Delete a channel")
async def delete_channel(channel: ChannelRef, ctx: Ctx) -> None:
    """With its messages and threads."""
    ctx.world.delete_channel(ctx.channel(channel).id)


@router.put("/channels/{channel}/permissions/{target}", status_code=204, summary="Set an exception")
async def set_overwrite(channel: ChannelRef, target: str, body: SetOverwrite, ctx: Ctx) -> None:
    """For a role or a member, by id."""
    if not target.isdecimal():
        raise Refused("invalid_target", "the target is a role id or a user id", status=400)
    overwrite = Overwrite(int(target), body.type, int(body.allow), int(body.deny))
    ctx.world.set_overwrite(ctx.channel(channel).id, overwrite)


@router.post("/guilds/{guild}/roles", status_code=201, summary="Make a role")
async def create_role(guild: GuildRef, body: NewRole, ctx: Ctx) -> Json:
    """Directly above @everyone."""
    found = ctx.guild(guild)
    fields = body.model_dump(exclude={"name", "permissions"})
    role = ctx.world.create_role(
        found.id, body.name, actor=found.owner_id, permissions=int(body.permissions), **fields
    )
    return role_payload(role)


@router.get("/guilds/{guild}/audit-log", tags=["Inspection"], summary="Read the audit log, newest first")
async def read_audit_log(
    guild: GuildRef,
    ctx: Ctx,
    action_type: int | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """Discord's entries with the names of those involved."""
    found = ctx.guild(guild)
    entries = [e for e in reversed(found.audit) if action_type is None or e.action_type == action_type]
    return [
        audit_payload(entry) | {"user": _name(ctx, entry.user_id), "target": _name(ctx, entry.target_id)}
        for entry in entries[:limit]
    ]


def shown_guild(ctx: Context, guild: Guild) -> Json:
    """A guild with everything in it."""
    world = ctx.world
    channels = [*world.guild_channels(guild.id), *world.guild_threads(guild.id)]
    return guild_payload(world, guild) | {
        "unavailable": guild.unavailable,
        "has_bot": world.bot_id in guild.members,
        "channels": [channel_payload(world, channel) for channel in channels],
        "members": [member_payload(world, member) for member in guild.members.values()],
    }


def shown_dm(ctx: Context, channel: Channel) -> Json:
    """A direct message."""
    return channel_payload(ctx.world, channel) | {
        "user_ids": [str(user) for user in channel.recipients if user != ctx.world.bot_id]
    }


def _guild_view(ctx: Context, guild: Guild, user_id: int) -> Json:
    shown = shown_guild(ctx, guild)
    granted = ctx.world.guild_permissions_of(guild.id, user_id)
    shown["permissions"] = str(int(granted))
    visible = []
    for payload in shown["channels"]:
        channel = ctx.world.channel(int(payload["id"]))
        if not ctx.world.can_view(channel.id, user_id):
            continue
        mine = ctx.world.permissions_in(channel, user_id)
        sending = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        visible.append(
            payload
            | {
                "permissions": str(int(mine)),
                "can_send": bool(mine & sending) and channel.type in TEXT_CHANNELS,
                "can_manage_messages": bool(mine & Permission.MANAGE_MESSAGES),
            }
        )
    shown["channels"] = visible
    return shown


def _invite_bot(ctx: Context, guild: Guild) -> None:
    role = next((r for r in guild.roles.values() if r.bot_id == ctx.world.bot_id), None)
    if role is None:
        role = ctx.world.create_role(
            guild.id,
            ctx.world.application.name,
            actor=guild.owner_id,
            permissions=int(_bot_permissions(ctx)),
            managed=True,
            bot_id=ctx.world.bot_id,
        )
    ctx.world.join_member(guild.id, ctx.world.bot_id, roles=[role.id])
    ctx.interactions.webhook_events.authorized(
        guild.owner_id, guild_id=guild.id, scopes=["bot", "applications.commands"]
    )


def _bot_permissions(ctx: Context) -> int:
    """What the bot's own role has elsewhere; otherwise administrator rights."""
    for guild in ctx.world.guilds.values():
        for role in guild.roles.values():
            if role.bot_id == ctx.world.bot_id:
                return int(role.permissions)
    return int(Permission.ADMINISTRATOR)


def _name(ctx: Context, user_id: int | None) -> str | None:
    user = ctx.world.users.get(user_id) if user_id is not None else None
    return None if user is None else user.display_name
