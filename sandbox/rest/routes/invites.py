"""Invites: every server has one that never ends, `server-` and its id."""

from __future__ import annotations

from sandbox.rest.call import Call
from sandbox.rest.declare import Answer, Bucket, route
from sandbox.rest.errors import refused
from sandbox.world.payloads import guild_payload

PREFIX = "server-"


@route("GET", "/invites/{invite_code}", bucket=Bucket("invites.get", 250, 10.0))
async def get_invite(call: Call) -> Answer:
    """Get Invite: also of servers that the bot is not in."""
    code = call.text("invite_code")
    name = code.lower().removeprefix(PREFIX)
    guild = call.world.guilds.get(int(name)) if name.isascii() and name.isdecimal() else None
    if guild is None or not code.lower().startswith(PREFIX):
        raise refused(10006)
    full = guild_payload(call.world, guild)
    names = ("id", "name", "splash", "banner", "description", "icon", "features", "verification_level")
    facts = {key: full.get(key) for key in names} | {
        "vanity_url_code": None,
        "nsfw_level": 0,
        "nsfw": False,
        "premium_subscription_count": 0,
    }
    channel = next(c for c in call.world.guild_channels(guild.id) if c.type == 0)
    return Answer(
        body={
            "type": 0,
            "code": code,
            "expires_at": None,
            "guild": facts,
            "guild_id": str(guild.id),
            "channel": {"id": str(channel.id), "type": channel.type, "name": channel.name},
        }
    )


ROUTES = (get_invite,)
