"""Members: reading, editing (timeouts, nicknames, roles), removing, pruning."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sandbox.gateway.protocol import PRIVILEGED, Intent
from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import check_rank, check_role_rank, guild_of, target_member
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import invalid_form, refused
from sandbox.rest.routes.guilds import moment
from sandbox.world import Guild, Member, Permission
from sandbox.world.payloads import member_payload
from sandbox.world.permissions import guild_permissions

P = Permission
TIMEOUT_MS = 28 * 24 * 3600 * 1000
"""Timeouts reach at most 28 days ahead (contract section 4.4)."""

SKEW_MS = 60_000
"""Clocks differ: this much over the 28 days is forgiven (our choice)."""

MEMBER_PRUNE = 21


class EditMember(Form):
    nick: str | None = Field(None, max_length=32)
    roles: list[str | int] | None = None
    mute: bool | None = None
    deaf: bool | None = None
    communication_disabled_until: str | None = None
    flags: int | None = None


class EditSelf(Form):
    nick: str | None = Field(None, max_length=32)


class Prune(Form):
    days: int = Field(7, ge=1, le=30)
    compute_prune_count: bool | None = None
    include_roles: list[str | int] | None = None


@route("GET", "/guilds/{guild_id}/members", bucket=Bucket("members.list", 10, 10.0))
async def list_members(call: Call) -> Answer:
    """List Guild Members: needs the members intent; ascending by user id, one per page by default."""
    guild = guild_of(call)
    if not call.world.application.flags & PRIVILEGED[Intent.GUILD_MEMBERS]:
        raise refused(50001)
    limit, after = call.integer("limit", 1, 1, 1000), call.snowflake("after") or 0
    found = [guild.members[u] for u in sorted(guild.members) if u > after]
    return Answer(body=[member_payload(call.world, m) for m in found[:limit]])


@route("GET", "/guilds/{guild_id}/members/search", bucket=Bucket("members.search", 10, 10.0))
async def search_members(call: Call) -> Answer:
    """Search Guild Members by the beginning of username, display name or nickname."""
    guild = guild_of(call)
    query = (call.query.get("query") or "").casefold()
    if not query:
        raise invalid_form("query", code="BASE_TYPE_REQUIRED", message="This field is required")
    limit = call.integer("limit", 1, 1, 1000)

    def fits(member: Member) -> bool:
        user = call.world.user(member.user_id)
        names = (user.username, user.global_name, member.nick)
        return any(name and name.casefold().startswith(query) for name in names)

    found = [m for m in guild.members.values() if fits(m)]
    return Answer(body=[member_payload(call.world, m) for m in found[:limit]])


@route("GET", "/guilds/{guild_id}/members/{user_id}", bucket=Bucket("members.get", 20, 10.0))
async def get_member(call: Call) -> Answer:
    """Get Guild Member."""
    return Answer(body=member_payload(call.world, target_member(call, guild_of(call))))


@route("PATCH", "/guilds/{guild_id}/members/@me", bucket=Bucket("members.edit", 10, 10.0))
async def modify_current_member(call: Call) -> Answer:
    """Modify Current Member: the bot's nickname."""
    form = call.form(EditSelf)
    guild = guild_of(call, P.CHANGE_NICKNAME)
    member = call.world.edit_member(
        guild.id, call.bot_id, actor=call.bot_id, reason=call.reason, nick=form.nick or None
    )
    return Answer(body=member_payload(call.world, member))


@route("PATCH", "/guilds/{guild_id}/members/{user_id}", bucket=Bucket("members.edit", 10, 10.0))
async def modify_member(call: Call) -> Answer:
    """Modify Guild Member. Every field has its own permission; a timeout never hits owner or administrators."""
    form = call.form(EditMember)
    guild = guild_of(call)
    member = target_member(call, guild)
    given = form.model_fields_set
    changes: dict[str, Any] = {}
    if "nick" in given:
        _need(call, guild, P.MANAGE_NICKNAMES)
        check_rank(call, guild, member)
        changes["nick"] = form.nick or None
    if form.roles is not None:
        changes["roles"] = _roles(call, guild, member, form.roles)
    if form.mute is not None or form.deaf is not None:
        raise invalid_form("mute", code="BASE_TYPE_INVALID", message="Target user is not connected to voice.")
    if "communication_disabled_until" in given:
        changes["timed_out_until_ms"] = _timeout(call, guild, member, form.communication_disabled_until)
    if form.flags is not None:
        _need(call, guild, P.MODERATE_MEMBERS)
        changes["flags"] = form.flags
    edited = call.world.edit_member(
        guild.id, member.user_id, actor=call.bot_id, reason=call.reason, **changes
    )
    return Answer(body=member_payload(call.world, edited))


def _need(call: Call, guild: Guild, permission: Permission) -> None:
    if not guild_permissions(guild, guild.members[call.bot_id]) & permission:
        raise refused(50013)


def _timeout(call: Call, guild: Guild, member: Member, value: str | None) -> int | None:
    _need(call, guild, P.MODERATE_MEMBERS)
    if guild_permissions(guild, member) & P.ADMINISTRATOR:  # owners have every permission
        raise refused(50013)
    check_rank(call, guild, member)
    if value is None:
        return None
    until = moment("communication_disabled_until", value)
    if until > call.world.clock() + TIMEOUT_MS + SKEW_MS:
        raise invalid_form(
            "communication_disabled_until",
            code="COMMUNICATION_DISABLED_UNTIL_MAX",
            message="Members cannot be timed out for more than 28 days.",
        )
    return until


def _roles(call: Call, guild: Guild, member: Member, wanted: list[str | int]) -> list[int]:
    _need(call, guild, P.MANAGE_ROLES)
    ids = [read_snowflake("roles", one) for one in wanted]
    for role_id in {*ids} ^ {*member.roles}:
        check_role_rank(call, guild, call.world.role(guild.id, role_id))
    return ids


@route("DELETE", "/guilds/{guild_id}/members/{user_id}", bucket=Bucket("members.remove", 5, 5.0))
async def remove_member(call: Call) -> Answer:
    """Remove Guild Member: KICK_MEMBERS and rank."""
    guild = guild_of(call, P.KICK_MEMBERS)
    member = target_member(call, guild)
    check_rank(call, guild, member)
    call.world.kick_member(guild.id, member.user_id, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


def _prunable(call: Call, guild: Guild, days: int, include: set[int]) -> list[int]:
    """Members without roles (or with only included ones) that wrote nothing for so many days."""
    since = call.world.clock() - days * 24 * 3600 * 1000
    active = {
        message.author_id
        for channel in guild.channel_ids
        for message in call.world.history(channel)
        if (message.id >> 22) + 1_420_070_400_000 >= since
    }
    return [
        m.user_id
        for m in guild.members.values()
        if set(m.roles) <= include
        and m.user_id not in active
        and m.user_id not in {guild.owner_id, call.bot_id}
        and m.joined_ms < since
    ]


@route("GET", "/guilds/{guild_id}/prune", bucket=Bucket("prune", 2, 10.0))
async def get_prune_count(call: Call) -> Answer:
    """Get Guild Prune Count: KICK_MEMBERS and MANAGE_GUILD."""
    guild = guild_of(call, P.KICK_MEMBERS, P.MANAGE_GUILD)
    days = call.integer("days", 7, 1, 30)
    include = {read_snowflake("include_roles", r) for r in call.query.getlist("include_roles")}
    return Answer(body={"pruned": len(_prunable(call, guild, days, include))})


@route("POST", "/guilds/{guild_id}/prune", bucket=Bucket("prune", 2, 10.0))
async def begin_prune(call: Call) -> Answer:
    """Begin Guild Prune: KICK_MEMBERS and MANAGE_GUILD."""
    form = call.form(Prune)
    guild = guild_of(call, P.KICK_MEMBERS, P.MANAGE_GUILD)
    include = {read_snowflake("include_roles", r) for r in form.include_roles or ()}
    gone = _prunable(call, guild, form.days, include)
    for user_id in gone:
        call.world.leave_member(guild.id, user_id)
    options = {"delete_member_days": str(form.days), "members_removed": str(len(gone))}
    call.world.audit(guild.id, MEMBER_PRUNE, call.bot_id, None, reason=call.reason, options=options)
    return Answer(body={"pruned": None if form.compute_prune_count is False else len(gone)})


ROUTES = (
    list_members,
    search_members,
    modify_current_member,
    get_member,
    modify_member,
    remove_member,
    get_prune_count,
    begin_prune,
)
