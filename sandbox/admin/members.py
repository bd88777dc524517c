"""People come, go, and are moderated by other people (all with gateway events and audit-log entries)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from sandbox.admin.context import Context, Ctx, GuildRef, UserRef
from sandbox.admin.errors import ERROR_ANSWERS, Refused
from sandbox.world import Permission, Unknown, User
from sandbox.world.members import KEEP
from sandbox.world.payloads import member_payload, user_payload
from sandbox.world.snowflakes import iso

router = APIRouter(tags=["Members"], responses=ERROR_ANSWERS)

Json = dict[str, Any]
LONGEST_TIMEOUT_SECONDS = 28 * 24 * 3600
"""Contract 4.4."""


class NewUser(BaseModel):
    """An account."""

    username: str = Field(min_length=1, max_length=32)
    global_name: str | None = Field(None, max_length=32)
    bot: bool = False
    locale: str = "en-US"


class EditUser(BaseModel):
    """What changes; a rename dispatches GUILD_MEMBER_UPDATE everywhere."""

    username: str | None = Field(None, min_length=1, max_length=32)
    global_name: str | None = Field(None, max_length=32)
    locale: str | None = None
    accepts_dms: bool | None = Field(None, description="False: the bot's direct messages fail with 50007.")
    presence: str | None = Field(None, pattern="^(online|idle|dnd|offline)$")


class Join(BaseModel):
    """An existing user, or a username that is made when it does not exist."""

    user: UserRef
    global_name: str | None = None
    roles: list[str] = Field(default_factory=list, description="Role ids or names.")
    quietly: bool = Field(False, description="Without the welcome line in the system channel.")


class JoinBurst(BaseModel):
    """A wave of new accounts."""

    count: int = Field(ge=1, le=5000)
    per_second: float = Field(10, gt=0, le=1000)
    prefix: str = Field("newcomer", min_length=1, max_length=20)
    quietly: bool = True


class Moderate(BaseModel):
    """A moderator's act."""

    model_config = ConfigDict(populate_by_name=True)

    who: UserRef = Field(alias="as")
    reason: str | None = Field(None, max_length=512)


class BanMember(Moderate):
    """A ban, with what is deleted of the person's messages."""

    delete_message_seconds: int = Field(0, ge=0, le=604_800)


class TimeOut(Moderate):
    """Null lifts the timeout."""

    seconds: int | None = Field(ge=1, le=LONGEST_TIMEOUT_SECONDS)


class EditMember(Moderate):
    """Nickname (null takes it away) and roles (all of them, ids or names)."""

    nick: str | None = Field(None, max_length=32)
    roles: list[str] | None = None


@router.get("/users", summary="List all accounts")
async def list_users(ctx: Ctx) -> list[Json]:
    """With locale, presence and whether they take direct messages."""
    return [shown_user(user) for user in ctx.world.users.values()]


@router.post("/users", status_code=201, summary="Make an account")
async def create_user(body: NewUser, ctx: Ctx) -> Json:
    """It belongs to no server yet."""
    if any(user.username == body.username for user in ctx.world.users.values()):
        raise Refused("username_taken", f"there is a user {body.username!r} already", status=400)
    user = ctx.world.create_user(body.username, global_name=body.global_name, bot=body.bot)
    user.locale = body.locale
    return shown_user(user)


@router.patch("/users/{user}", summary="Change an account")
async def edit_user(user: UserRef, body: EditUser, ctx: Ctx) -> Json:
    """Only what is given."""
    found = ctx.user(user)
    if body.locale is not None:
        found.locale = body.locale
    if body.accepts_dms is not None:
        found.accepts_dms = body.accepts_dms
    if body.username is not None or "global_name" in body.model_fields_set:
        name = body.global_name if "global_name" in body.model_fields_set else KEEP
        ctx.world.edit_user(found.id, username=body.username, global_name=name)
    if body.presence is not None:
        ctx.world.set_presence(found.id, body.presence)
    ctx.world.save_user(found)
    return shown_user(found)


@router.post("/guilds/{guild}/members", status_code=201, summary="Let somebody join")
async def join(guild: GuildRef, body: Join, ctx: Ctx) -> Json:
    """A banned person cannot join."""
    place = ctx.guild(guild)
    user = _user_or_new(ctx, body)
    if user.id in place.bans:
        raise Refused("banned", f"{user.username} is banned from {place.name}")
    roles = [_role(ctx, place.id, role) for role in body.roles]
    member = ctx.world.join_member(place.id, user.id, roles=roles, quietly=body.quietly)
    return member_payload(ctx.world, member)


@router.post("/guilds/{guild}/join-burst", status_code=201, summary="Let a wave of accounts join")
async def join_burst(guild: GuildRef, body: JoinBurst, ctx: Ctx) -> Json:
    """Answers when all have joined; returns their ids."""
    place = ctx.guild(guild)
    ids: list[str] = []
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(body.count):
        user = ctx.world.create_user(f"{body.prefix}{number + 1}_{ctx.world.ids.last % 10_000}")
        ctx.world.join_member(place.id, user.id, quietly=body.quietly)
        ids.append(str(user.id))
        ahead = started + (number + 1) / body.per_second - loop.time()
        if ahead > 0.005:
            await asyncio.sleep(ahead)
    return {"joined": len(ids), "user_ids": ids}


@router.delete("/guilds/{guild}/members/{user}", status_code=204, summary="Let somebody leave")
async def leave(guild: GuildRef, user: UserRef, ctx: Ctx) -> None:
    """On one's own; nothing in the audit log."""
    ctx.world.leave_member(ctx.guild(guild).id, ctx.user(user).id)


@router.patch("/guilds/{guild}/members/{user}", summary="Change nickname or roles as a moderator")
async def edit_member(guild: GuildRef, user: UserRef, body: EditMember, ctx: Ctx) -> Json:
    """Roles need MANAGE_ROLES, others' nicknames MANAGE_NICKNAMES; one's own CHANGE_NICKNAME."""
    place, target = ctx.guild(guild), ctx.user(user)
    actor = ctx.user(body.who)
    nick: Any = KEEP
    roles: Any = KEEP
    if "nick" in body.model_fields_set:
        own = actor.id == target.id
        ctx.moderator(place, body.who, Permission.CHANGE_NICKNAME if own else Permission.MANAGE_NICKNAMES)
        if not own:
            ctx.check_rank(place, actor, target)
        nick = body.nick
    if body.roles is not None:
        ctx.moderator(place, body.who, Permission.MANAGE_ROLES)
        roles = [_role(ctx, place.id, role) for role in body.roles]
    member = ctx.world.edit_member(
        place.id, target.id, actor=actor.id, reason=body.reason, nick=nick, roles=roles
    )
    return member_payload(ctx.world, member)


@router.post("/guilds/{guild}/members/{user}/kick", status_code=204, summary="Kick as a moderator")
async def kick(guild: GuildRef, user: UserRef, body: Moderate, ctx: Ctx) -> None:
    """Needs KICK_MEMBERS and a higher role."""
    place, target = ctx.guild(guild), ctx.user(user)
    actor = ctx.moderator(place, body.who, Permission.KICK_MEMBERS)
    ctx.check_rank(place, actor, target)
    ctx.world.kick_member(place.id, target.id, actor=actor.id, reason=body.reason)


@router.put("/guilds/{guild}/bans/{user}", status_code=204, summary="Ban as a moderator")
async def ban(guild: GuildRef, user: UserRef, body: BanMember, ctx: Ctx) -> None:
    """Needs BAN_MEMBERS and a higher role; the person need not be a member."""
    place, target = ctx.guild(guild), ctx.user(user)
    actor = ctx.moderator(place, body.who, Permission.BAN_MEMBERS)
    ctx.check_rank(place, actor, target)
    ctx.world.ban_member(
        place.id,
        target.id,
        actor=actor.id,
        reason=body.reason,
        delete_message_seconds=body.delete_message_seconds,
    )


@router.delete("/guilds/{guild}/bans/{user}", status_code=204, summary="Lift a ban as a moderator")
async def unban(
    guild: GuildRef,
    user: UserRef,
    ctx: Ctx,
    who: Annotated[UserRef, Query(alias="as")],
    reason: str | None = None,
) -> None:
    """Needs BAN_MEMBERS."""
    place = ctx.guild(guild)
    actor = ctx.moderator(place, who, Permission.BAN_MEMBERS)
    ctx.world.unban_member(place.id, ctx.user(user).id, actor=actor.id, reason=reason)


@router.get("/guilds/{guild}/bans", summary="List the bans")
async def list_bans(guild: GuildRef, ctx: Ctx) -> list[Json]:
    """With their reasons."""
    found = ctx.guild(guild).bans.values()
    return [{"user": user_payload(ctx.world.user(b.user_id)), "reason": b.reason} for b in found]


@router.put("/guilds/{guild}/members/{user}/timeout", summary="Time somebody out as a moderator")
async def time_out(guild: GuildRef, user: UserRef, body: TimeOut, ctx: Ctx) -> Json:
    """Needs MODERATE_MEMBERS and a higher role; owner and administrators cannot be timed out."""
    place, target = ctx.guild(guild), ctx.user(user)
    actor = ctx.moderator(place, body.who, Permission.MODERATE_MEMBERS)
    ctx.check_rank(place, actor, target)
    if ctx.world.guild_permissions_of(place.id, target.id) & Permission.ADMINISTRATOR:
        raise Refused("not_possible", f"{target.username} is the owner or an administrator")
    until = None if body.seconds is None else ctx.world.clock() + body.seconds * 1000
    member = ctx.world.timeout_member(place.id, target.id, until, actor=actor.id, reason=body.reason)
    return member_payload(ctx.world, member)


@router.post("/users/{user}/install", status_code=204, summary="Install the application for oneself")
async def install(user: UserRef, ctx: Ctx) -> None:
    """A user install: the application's commands work everywhere for this person (APPLICATION_AUTHORIZED)."""
    found = ctx.user(user)
    ctx.interactions.user_installs.add(found.id)
    ctx.interactions.webhook_events.authorized(found.id, guild_id=None, scopes=["applications.commands"])


@router.delete("/users/{user}/install", status_code=204, summary="Take the application away again")
async def uninstall(user: UserRef, ctx: Ctx) -> None:
    """APPLICATION_DEAUTHORIZED."""
    found = ctx.user(user)
    ctx.interactions.user_installs.discard(found.id)
    ctx.interactions.webhook_events.deauthorized(found.id)


def shown_user(user: User) -> Json:
    """A user with what only the sandbox knows."""
    return user_payload(user) | {
        "display_name": user.display_name,
        "locale": user.locale,
        "presence": user.presence,
        "accepts_dms": user.accepts_dms,
        "created_at": iso((user.id >> 22) + 1_420_070_400_000),
    }


def _user_or_new(ctx: Context, body: Join) -> User:
    try:
        return ctx.user(body.user)
    except Refused:
        return ctx.world.create_user(body.user, global_name=body.global_name)


def _role(ctx: Context, guild_id: int, reference: str) -> int:
    roles = ctx.world.guild(guild_id).roles
    for role in roles.values():
        if reference == str(role.id) or reference.lower() == role.name.lower():
            return role.id
    if reference.isdecimal():
        raise Unknown("role", int(reference))
    known = ", ".join(role.name for role in roles.values())
    raise Refused("unknown_role", f"no role {reference!r}; there are: {known}", status=404)
