"""The interaction object (contract 1.4) around the `data` of its type."""

from __future__ import annotations

from typing import Any

from sandbox.interactions.resolved import partial_channel
from sandbox.interactions.rules.callback import InteractionType
from sandbox.world.models import Channel, Message
from sandbox.world.payloads import member_payload, message_payload, user_payload
from sandbox.world.permissions import Permission
from sandbox.world.world import World

Json = dict[str, Any]

ATTACHMENT_SIZE_LIMIT = 10 * 1024 * 1024
"""Bytes per attachment without boosts (contract 4.6)."""

GUILD, BOT_DM, PRIVATE_CHANNEL = 0, 1, 2

_BOT_DM_PERMISSIONS = (
    Permission.ATTACH_FILES
    | Permission.EMBED_LINKS
    | Permission.MENTION_EVERYONE
    | Permission.USE_EXTERNAL_EMOJIS
)


def ping_payload(world: World, interaction_id: int, token: str) -> Json:
    """Type 1: what is sent when the URL is saved and by the automated checks. It has no data, no locale."""
    return {
        "id": str(interaction_id),
        "application_id": str(world.application.id),
        "type": int(InteractionType.PING),
        "token": token,
        "version": 1,
        "user": user_payload(world.user(world.application.owner_id)),
        "entitlements": [],
        "authorizing_integration_owners": {},
    }


def interaction_payload(
    world: World,
    *,
    interaction_id: int,
    token: str,
    type: InteractionType,  # noqa: A002 - Discord's own field name
    data: Json,
    user_id: int,
    channel: Channel,
    locale: str,
    owners: dict[str, str],
    message: Message | None = None,
) -> Json:
    """Types 2 to 5. `owners` is authorizing_integration_owners; `message` the one a component sits on."""
    payload: Json = {
        "id": str(interaction_id),
        "application_id": str(world.application.id),
        "type": int(type),
        "token": token,
        "version": 1,
        "data": data,
        "channel": partial_channel(world, channel, user_id),
        "channel_id": str(channel.id),
        "locale": locale,
        "app_permissions": _app_permissions(world, channel),
        "entitlements": [],
        "authorizing_integration_owners": owners,
        "context": context_of(world, channel),
        "attachment_size_limit": ATTACHMENT_SIZE_LIMIT,
    }
    if channel.guild_id is None:
        payload["user"] = user_payload(world.user(user_id))
    else:
        payload |= _guild_fields(world, channel.guild_id, channel, user_id)
    if message is not None:
        payload["message"] = message_payload(world, message)
    return payload


def context_of(world: World, channel: Channel) -> int:
    """Where the interaction happens: a guild, a DM with the bot, or somebody's private channel."""
    if channel.guild_id is not None:
        return GUILD
    return BOT_DM if world.bot_id in channel.recipients else PRIVATE_CHANNEL


def _app_permissions(world: World, channel: Channel) -> str:
    if channel.guild_id is None:
        granted = _BOT_DM_PERMISSIONS
        if context_of(world, channel) == PRIVATE_CHANNEL:
            granted &= ~Permission.USE_EXTERNAL_EMOJIS
        return str(int(granted))
    return str(int(world.permissions_in(channel, world.bot_id)))


def _guild_fields(world: World, guild_id: int, channel: Channel, user_id: int) -> Json:
    guild = world.guild(guild_id)
    member = member_payload(world, world.member(guild_id, user_id))
    member["permissions"] = str(int(world.permissions_in(channel, user_id)))
    return {
        "guild": {"id": str(guild.id), "locale": guild.preferred_locale, "features": list(guild.features)},
        "guild_id": str(guild.id),
        "guild_locale": guild.preferred_locale,
        "member": member,
    }
