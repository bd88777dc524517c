"""Roles of a guild, and giving them to members."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import check_role_rank, guild_of, target_member
from sandbox.rest.call import Call
from sandbox.rest.declare import NO_CONTENT, Answer, Bucket, route
from sandbox.rest.errors import refused
from sandbox.rest.routes.channels import Bits, bits
from sandbox.world import Guild, Permission
from sandbox.world.payloads import role_payload
from sandbox.world.permissions import guild_permissions

P = Permission
MAX_ROLES = 250
MEMBER_ROLES = Bucket("members.roles", 10, 10.0)


class RoleForm(Form):
    name: str | None = Field(None, max_length=100)
    permissions: Bits | None = None
    color: int | None = Field(None, ge=0, le=0xFFFFFF)
    hoist: bool | None = None
    mentionable: bool | None = None


def _fields(call: Call, guild: Guild, form: RoleForm) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: value
        for name in ("name", "color", "hoist", "mentionable")
        if (value := getattr(form, name)) is not None
    }
    if form.permissions is not None:
        fields["permissions"] = bits("permissions", form.permissions)
        if fields["permissions"] & ~guild_permissions(guild, guild.members[call.bot_id]):
            raise refused(50013)
    return fields


@route("GET", "/guilds/{guild_id}/roles", bucket=Bucket("roles.list", 10, 10.0))
async def get_guild_roles(call: Call) -> Answer:
    """Get Guild Roles."""
    return Answer(body=[role_payload(role) for role in guild_of(call).roles.values()])


@route("GET", "/guilds/{guild_id}/roles/{role_id}", bucket=Bucket("roles.get", 10, 10.0))
async def get_guild_role(call: Call) -> Answer:
    """Get Guild Role."""
    return Answer(body=role_payload(call.world.role(guild_of(call).id, call.id("role_id"))))


@route("POST", "/guilds/{guild_id}/roles", bucket=Bucket("roles.create", 5, 10.0))
async def create_role(call: Call) -> Answer:
    """Create Guild Role: MANAGE_ROLES, and only bits that the bot has."""
    form = call.form(RoleForm)
    guild = guild_of(call, P.MANAGE_ROLES)
    if len(guild.roles) >= MAX_ROLES:
        raise refused(30005)
    fields = _fields(call, guild, form)
    everyone = int(guild.roles[guild.id].permissions)
    fields.setdefault("permissions", everyone & int(guild_permissions(guild, guild.members[call.bot_id])))
    name = fields.pop("name", "new role")
    made = call.world.create_role(guild.id, name, actor=call.bot_id, reason=call.reason, **fields)
    return Answer(body=role_payload(made))


@route("PATCH", "/guilds/{guild_id}/roles/{role_id}", bucket=Bucket("roles.edit", 5, 10.0))
async def modify_role(call: Call) -> Answer:
    """Modify Guild Role: MANAGE_ROLES and rank."""
    form = call.form(RoleForm)
    guild = guild_of(call, P.MANAGE_ROLES)
    role = call.world.role(guild.id, call.id("role_id"))
    if role.id != guild.id:
        check_role_rank(call, guild, role)
    fields = _fields(call, guild, form)
    edited = call.world.edit_role(guild.id, role.id, actor=call.bot_id, reason=call.reason, **fields)
    return Answer(body=role_payload(edited))


@route("DELETE", "/guilds/{guild_id}/roles/{role_id}", bucket=Bucket("roles.delete", 5, 10.0))
async def delete_role(call: Call) -> Answer:
    """Delete Guild Role: MANAGE_ROLES and rank."""
    guild = guild_of(call, P.MANAGE_ROLES)
    role = call.world.role(guild.id, call.id("role_id"))
    check_role_rank(call, guild, role)
    call.world.delete_role(guild.id, role.id, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


@route("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", bucket=MEMBER_ROLES)
async def add_member_role(call: Call) -> Answer:
    """Add Guild Member Role: MANAGE_ROLES and a role below the bot's."""
    guild = guild_of(call, P.MANAGE_ROLES)
    member = target_member(call, guild)
    role = call.world.role(guild.id, call.id("role_id"))
    check_role_rank(call, guild, role)
    call.world.add_role(guild.id, member.user_id, role.id, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


@route("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", bucket=MEMBER_ROLES)
async def remove_member_role(call: Call) -> Answer:
    """Remove Guild Member Role: MANAGE_ROLES and a role below the bot's."""
    guild = guild_of(call, P.MANAGE_ROLES)
    member = target_member(call, guild)
    role = call.world.role(guild.id, call.id("role_id"))
    check_role_rank(call, guild, role)
    call.world.remove_role(guild.id, member.user_id, role.id, actor=call.bot_id, reason=call.reason)
    return NO_CONTENT


ROUTES = (
    get_guild_roles,
    get_guild_role,
    create_role,
    modify_role,
    delete_role,
    add_member_role,
    remove_member_role,
)
