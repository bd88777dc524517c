"""The bot's own user, other users, and direct messages."""

from __future__ import annotations

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import guild_of
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import refused
from sandbox.world.payloads import (
    channel_payload,
    guild_payload,
    member_payload,
    own_user_payload,
    user_payload,
)

DM_OPENINGS = 20
DM_WINDOW_MS = 10 * 60_000
"""New direct messages in ten minutes before 40003. Discord only says "too many at once"; the numbers are
ours.
"""


class CreateDm(Form):
    recipient_id: str | int


class EditUser(Form):
    username: str | None = Field(None, min_length=2, max_length=32)


@route("GET", "/users/@me", bucket=Bucket("users.me", 10, 10.0))
async def get_current_user(call: Call) -> Answer:
    """Get Current User."""
    return Answer(body=own_user_payload(call.world.user(call.bot_id)))


@route("PATCH", "/users/@me", bucket=Bucket("users.me.edit", 2, 3600.0))
async def modify_current_user(call: Call) -> Answer:
    """Modify Current User."""
    form = call.form(EditUser)
    return Answer(body=own_user_payload(call.world.edit_user(call.bot_id, username=form.username)))


@route("GET", "/users/@me/guilds", bucket=Bucket("users.me.guilds", 5, 5.0))
async def get_current_user_guilds(call: Call) -> Answer:
    """Get Current User Guilds, ascending by id."""
    limit = call.integer("limit", 200, 1, 200)
    before, after = call.snowflake("before"), call.snowflake("after")
    counts = call.flag("with_counts")
    guilds = sorted(call.world.bot_guilds(), key=lambda guild: guild.id)
    if after is not None:
        guilds = [guild for guild in guilds if guild.id > after][:limit]
    elif before is not None:
        guilds = [guild for guild in guilds if guild.id < before][-limit:]
    else:
        guilds = guilds[:limit]
    body = []
    for guild in guilds:
        full = guild_payload(call.world, guild)
        shown = {key: full[key] for key in ("id", "name", "icon", "banner", "features")}
        shown["owner"] = guild.owner_id == call.bot_id
        shown["permissions"] = str(int(call.world.guild_permissions_of(guild.id, call.bot_id)))
        if counts:
            shown["approximate_member_count"] = len(guild.members)
            online = [m for m in guild.members if call.world.user(m).presence != "offline"]
            shown["approximate_presence_count"] = len(online)
        body.append(shown)
    return Answer(body=body)


@route("GET", "/users/@me/guilds/{guild_id}/member", bucket=Bucket("users.me.member", 5, 5.0))
async def get_current_user_guild_member(call: Call) -> Answer:
    """Get Current User Guild Member."""
    guild = guild_of(call)
    return Answer(body=member_payload(call.world, guild.members[call.bot_id]))


@route("DELETE", "/users/@me/guilds/{guild_id}", bucket=Bucket("users.me.leave", 5, 5.0))
async def leave_guild(call: Call) -> Answer:
    """Leave Guild."""
    guild = call.world.guild(call.id("guild_id"))
    if call.bot_id not in guild.members:
        raise refused(10004)
    call.world.leave_member(guild.id, call.bot_id)
    return NO_CONTENT


@route("POST", "/users/@me/channels", bucket=Bucket("users.me.channels", 10, 10.0))
async def create_dm(call: Call) -> Answer:
    """Create DM. A person who refuses messages still gets a channel; posting there fails with 50007."""
    recipient = read_snowflake("recipient_id", call.form(CreateDm).recipient_id)
    if recipient == call.bot_id or recipient not in call.world.users:
        raise refused(50033)
    if call.world.user(recipient).bot:
        raise refused(50007)
    known = any(recipient in channel.recipients for channel in call.world.dms_of(call.bot_id))
    if not known:
        _count_opening(call)
    return Answer(body=channel_payload(call.world, call.world.open_dm(call.bot_id, recipient)))


def _count_opening(call: Call) -> None:
    now = call.world.clock()
    openings = call.sandbox.dm_openings
    while openings and openings[0] <= now - DM_WINDOW_MS:
        openings.popleft()
    if len(openings) >= DM_OPENINGS:
        raise refused(40003)
    openings.append(now)


@route("GET", "/users/{user_id}", bucket=Bucket("users", 30, 30.0))
async def get_user(call: Call) -> Answer:
    """Get User."""
    return Answer(body=user_payload(call.world.user(call.id("user_id"))))


ROUTES = (
    get_current_user,
    modify_current_user,
    get_current_user_guilds,
    get_current_user_guild_member,
    leave_guild,
    create_dm,
    get_user,
)
