"""Discord's operations, a module per kind of resource."""

from sandbox.rest.routes import (
    applications,
    bans,
    channels,
    commands,
    gateway,
    guilds,
    invites,
    members,
    messages,
    moderation,
    reactions,
    roles,
    threads,
    users,
)

ROUTES = (
    *gateway.ROUTES,
    *users.ROUTES,
    *applications.ROUTES,
    *commands.ROUTES,
    *messages.ROUTES,
    *moderation.ROUTES,
    *reactions.ROUTES,
    *channels.ROUTES,
    *threads.ROUTES,
    *guilds.ROUTES,
    *invites.ROUTES,
    *roles.ROUTES,
    *members.ROUTES,
    *bans.ROUTES,
)
"""Everything but the routes with an interaction token, which the interactions side declares."""

__all__ = ["ROUTES"]
