"""Bans (contract section 4.4)."""

from __future__ import annotations

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import bot_member, check_rank, guild_of
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import refused
from sandbox.world import Ban, Permission, Unknown
from sandbox.world.payloads import user_payload
from sandbox.world.permissions import outranks

P = Permission
MAX_DELETE_SECONDS = 604_800
MAX_BULK = 200
BANS = Bucket("bans.edit", 10, 10.0)


class CreateBan(Form):
    delete_message_seconds: int | None = Field(None, ge=0, le=MAX_DELETE_SECONDS)
    delete_message_days: int | None = Field(None, ge=0, le=7)


class BulkBan(Form):
    user_ids: list[str | int] = Field(min_length=1, max_length=MAX_BULK)
    delete_message_seconds: int | None = Field(None, ge=0, le=MAX_DELETE_SECONDS)


def _payload(call: Call, ban: Ban) -> dict[str, object]:
    return {"reason": ban.reason, "user": user_payload(call.world.user(ban.user_id))}


@route("GET", "/guilds/{guild_id}/bans", bucket=Bucket("bans.list", 10, 10.0))
async def get_bans(call: Call) -> Answer:
    """Get Guild Bans: BAN_MEMBERS; ascending by user id."""
    guild = guild_of(call, P.BAN_MEMBERS)
    limit = call.integer("limit", 1000, 1, 1000)
    before, after = call.snowflake("before"), call.snowflake("after")
    bans = [guild.bans[user_id] for user_id in sorted(guild.bans)]
    if before is not None:
        bans = [ban for ban in bans if ban.user_id < before][-limit:]
    elif after is not None:
        bans = [ban for ban in bans if ban.user_id > after][:limit]
    return Answer(body=[_payload(call, ban) for ban in bans[:limit]])


@route("GET", "/guilds/{guild_id}/bans/{user_id}", bucket=Bucket("bans.get", 10, 10.0))
async def get_ban(call: Call) -> Answer:
    """Get Guild Ban: BAN_MEMBERS."""
    guild = guild_of(call, P.BAN_MEMBERS)
    ban = guild.bans.get(call.id("user_id"))
    if ban is None:
        raise refused(10026)
    return Answer(body=_payload(call, ban))


@route("PUT", "/guilds/{guild_id}/bans/{user_id}", bucket=BANS)
async def create_ban(call: Call) -> Answer:
    """Create Guild Ban: BAN_MEMBERS and rank; the target need not be a member."""
    form = call.form(CreateBan)
    guild = guild_of(call, P.BAN_MEMBERS)
    user_id = call.id("user_id")
    call.world.user(user_id)
    member = guild.members.get(user_id)
    if member is not None:
        check_rank(call, guild, member)
    seconds = form.delete_message_seconds
    if seconds is None:
        seconds = (form.delete_message_days or 0) * 86_400
    call.world.ban_member(
        guild.id, user_id, actor=call.bot_id, reason=call.reason, delete_message_seconds=seconds
    )
    return NO_CONTENT


@route("DELETE", "/guilds/{guild_id}/bans/{user_id}", bucket=BANS)
async def remove_ban(call: Call) -> Answer:
    """Remove Guild Ban: BAN_MEMBERS."""
    guild = guild_of(call, P.BAN_MEMBERS)
    call.world.unban_member(guild.id, call.id("user_id"), actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


@route("POST", "/guilds/{guild_id}/bulk-ban", bucket=Bucket("bans.bulk", 5, 10.0))
async def bulk_ban(call: Call) -> Answer:
    """Bulk Guild Ban: BAN_MEMBERS and MANAGE_GUILD; 500000 when it bans nobody."""
    form = call.form(BulkBan)
    guild = guild_of(call, P.BAN_MEMBERS, P.MANAGE_GUILD)
    banned: list[str] = []
    failed: list[str] = []
    for one in dict.fromkeys(read_snowflake("user_ids", u) for u in form.user_ids):
        member = guild.members.get(one)
        above = member is None or outranks(guild, bot_member(call, guild), member)
        if one in guild.bans or not above or one == call.bot_id:
            failed.append(str(one))
            continue
        try:
            call.world.ban_member(
                guild.id,
                one,
                actor=call.bot_id,
                reason=call.reason,
                delete_message_seconds=form.delete_message_seconds or 0,
            )
        except Unknown:
            failed.append(str(one))
        else:
            banned.append(str(one))
    if not banned:
        raise refused(500000)
    return Answer(body={"banned_users": banned, "failed_users": failed})


ROUTES = (get_bans, get_ban, create_ban, remove_ban, bulk_ban)
