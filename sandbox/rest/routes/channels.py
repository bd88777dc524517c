"""Channels and their permission overwrites."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import channel_of, check_channel, guild_channel_of, guild_of
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import invalid_form, refused
from sandbox.world import Channel, ChannelType, Guild, Overwrite, Permission
from sandbox.world.payloads import channel_payload
from sandbox.world.permissions import guild_permissions

P = Permission
MAX_CHANNELS = 500
Name = Annotated[str, Field(min_length=1, max_length=100)]
Slowmode = Annotated[int, Field(ge=0, le=21600)]
Bits = str | int


class OverwriteForm(Form):
    id: str | int
    type: Literal[0, 1]
    allow: Bits | None = None
    deny: Bits | None = None


class EditOverwrite(Form):
    type: Literal[0, 1]
    allow: Bits | None = None
    deny: Bits | None = None


class CreateChannel(Form):
    name: Name
    type: int | None = None
    topic: str | None = Field(None, max_length=1024)
    rate_limit_per_user: Slowmode | None = None
    position: int | None = Field(None, ge=0)
    permission_overwrites: list[OverwriteForm] | None = None
    parent_id: str | int | None = None
    nsfw: bool | None = None


class EditChannel(Form):
    name: Name | None = None
    topic: str | None = Field(None, max_length=1024)
    rate_limit_per_user: Slowmode | None = None
    position: int | None = Field(None, ge=0)
    permission_overwrites: list[OverwriteForm] | None = None
    parent_id: str | int | None = None
    nsfw: bool | None = None
    bitrate: int | None = Field(None, ge=8000, le=384000)
    user_limit: int | None = Field(None, ge=0, le=99)
    archived: bool | None = None
    locked: bool | None = None
    auto_archive_duration: Literal[60, 1440, 4320, 10080] | None = None
    invitable: bool | None = None


def bits(name: str, value: Bits | None) -> int:
    """Return a permission set; both decimal strings and numbers are taken."""
    if value is None:
        return 0
    if not str(value).isdecimal():
        raise invalid_form(name, code="NUMBER_TYPE_COERCE", message=f'Value "{value}" is not int.')
    return int(value)


def _overwrites(forms: list[OverwriteForm]) -> list[Overwrite]:
    return [
        Overwrite(read_snowflake("id", f.id), f.type, bits("allow", f.allow), bits("deny", f.deny))
        for f in forms
    ]


def _check_granted(call: Call, guild: Guild, *overwrites: Overwrite) -> None:
    """A bot hands out only what it has itself in the guild."""
    own = guild_permissions(guild, guild.members[call.bot_id])
    if any((o.allow | o.deny) & ~own for o in overwrites):
        raise refused(50013)


@route("GET", "/channels/{channel_id}", bucket=Bucket("channels.get", 20, 10.0))
async def get_channel(call: Call) -> Answer:
    """Get Channel."""
    return Answer(body=channel_payload(call.world, channel_of(call)))


@route("GET", "/guilds/{guild_id}/channels", bucket=Bucket("guilds.channels", 10, 10.0))
async def get_guild_channels(call: Call) -> Answer:
    """Get Guild Channels, threads left out."""
    guild = guild_of(call)
    return Answer(body=[channel_payload(call.world, c) for c in call.world.guild_channels(guild.id)])


@route("POST", "/guilds/{guild_id}/channels", bucket=Bucket("guilds.channels.create", 5, 10.0))
async def create_channel(call: Call) -> Answer:
    """Create Guild Channel: MANAGE_CHANNELS."""
    guild = guild_of(call, P.MANAGE_CHANNELS)
    form = call.form(CreateChannel)
    kind = form.type if form.type is not None else ChannelType.TEXT
    if kind not in {0, 2, 4, 5}:
        message = "Value must be one of {0, 2, 4, 5}."
        raise invalid_form("type", code="BASE_TYPE_CHOICES", message=message)
    if len(guild.channel_ids) >= MAX_CHANNELS:
        raise refused(30013)
    fields: dict[str, Any] = {
        name: value
        for name in ("topic", "rate_limit_per_user", "position", "nsfw")
        if (value := getattr(form, name)) is not None
    }
    if form.permission_overwrites:
        fields["overwrites"] = _overwrites(form.permission_overwrites)
        _check_granted(call, guild, *fields["overwrites"])
    if form.parent_id is not None:
        fields["parent_id"] = _parent(call, guild, form.parent_id)
    name = form.name if kind in {2, 4} else form.name.lower().replace(" ", "-")
    made = call.world.create_channel(
        guild.id, name, type=kind, actor=call.bot_id, reason=call.reason, **fields
    )
    return Answer(201, channel_payload(call.world, made))


def _parent(call: Call, guild: Guild, value: str | int) -> int:
    parent = call.world.channels.get(read_snowflake("parent_id", value))
    if parent is None or parent.guild_id != guild.id or parent.type != ChannelType.CATEGORY:
        raise invalid_form("parent_id", code="CHANNEL_PARENT_INVALID", message="Category does not exist")
    return parent.id


@route("PATCH", "/channels/{channel_id}", bucket=Bucket("channels.edit", 5, 10.0))
async def modify_channel(call: Call) -> Answer:
    """Modify Channel: MANAGE_CHANNELS, for threads MANAGE_THREADS."""
    form = call.form(EditChannel)
    channel, guild = guild_channel_of(call)
    if channel.is_thread:
        return Answer(body=channel_payload(call.world, _edit_thread(call, channel, form)))
    check_channel(call, channel, P.MANAGE_CHANNELS)
    fields = _given(form, "name", "rate_limit_per_user", "position", "nsfw", "bitrate", "user_limit")
    if "topic" in form.model_fields_set:
        fields["topic"] = form.topic
    if form.permission_overwrites is not None:
        check_channel(call, channel, P.MANAGE_ROLES)
        fields["overwrites"] = _overwrites(form.permission_overwrites)
        _check_granted(call, guild, *fields["overwrites"])
    if "parent_id" in form.model_fields_set:
        fields["parent_id"] = None if form.parent_id is None else _parent(call, guild, form.parent_id)
    edited = call.world.edit_channel(channel.id, actor=call.bot_id, reason=call.reason, **fields)
    return Answer(body=channel_payload(call.world, edited))


def _edit_thread(call: Call, thread: Channel, form: EditChannel) -> Channel:
    assert thread.thread is not None
    manages = call.world.permissions_in(thread, call.bot_id) & P.MANAGE_THREADS
    owns = thread.thread.owner_id == call.bot_id
    only_unarchives = form.model_fields_set <= {"archived"} and form.archived is False
    if not manages and (not (owns or only_unarchives) or form.locked is not None):
        raise refused(50013)
    if thread.thread.archived and form.archived is not False:
        raise refused(50083)
    fields = _given(form, "name", "rate_limit_per_user", "archived", "locked", "invitable")
    if form.auto_archive_duration is not None:
        fields["auto_archive_minutes"] = form.auto_archive_duration
    return call.world.edit_channel(thread.id, actor=call.bot_id, reason=call.reason, **fields)


def _given(form: EditChannel, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(form, name)) is not None}


@route("DELETE", "/channels/{channel_id}", bucket=Bucket("channels.delete", 5, 10.0))
async def delete_channel(call: Call) -> Answer:
    """Delete/Close Channel: MANAGE_CHANNELS, for threads MANAGE_THREADS; a direct message is only closed."""
    channel = channel_of(call)
    if channel.guild_id is None:
        return Answer(body=channel_payload(call.world, channel))
    check_channel(call, channel, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS)
    return Answer(body=call.world.delete_channel(channel.id, actor=call.bot_id, reason=call.reason))


@route("PUT", "/channels/{channel_id}/permissions/{overwrite_id}", bucket=Bucket("overwrites", 10, 10.0))
async def edit_channel_permissions(call: Call) -> Answer:
    """Edit Channel Permissions: MANAGE_ROLES, and only bits that the bot has."""
    form = call.form(EditOverwrite)
    channel, guild = guild_channel_of(call, P.MANAGE_ROLES)
    target = call.id("overwrite_id")
    known = target in guild.roles if form.type == 0 else target in guild.members
    if not known:
        raise refused(10011 if form.type == 0 else 10007)
    overwrite = Overwrite(target, form.type, bits("allow", form.allow), bits("deny", form.deny))
    _check_granted(call, guild, overwrite)
    call.world.set_overwrite(channel.id, overwrite, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


@route("DELETE", "/channels/{channel_id}/permissions/{overwrite_id}", bucket=Bucket("overwrites", 10, 10.0))
async def delete_channel_permission(call: Call) -> Answer:
    """Delete Channel Permission: MANAGE_ROLES."""
    channel, _ = guild_channel_of(call, P.MANAGE_ROLES)
    call.world.delete_overwrite(channel.id, call.id("overwrite_id"), actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


ROUTES = (
    get_channel,
    get_guild_channels,
    create_channel,
    modify_channel,
    delete_channel,
    edit_channel_permissions,
    delete_channel_permission,
)
