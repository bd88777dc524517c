"""The world's records as Discord's JSON: the same shapes in REST answers, gateway events and interactions."""

from __future__ import annotations

from typing import Any

from sandbox.world.models import Channel, Command, Guild, Member, Message, Role, User
from sandbox.world.snowflakes import created_ms, iso
from sandbox.world.state import WorldState

Json = dict[str, Any]


def _iso(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else iso(unix_ms)


def _id(snowflake: int | None) -> str | None:
    return None if snowflake is None else str(snowflake)


def user_payload(user: User) -> Json:
    """Return a user as other people and bots see it."""
    payload: Json = {
        "id": str(user.id),
        "username": user.username,
        "discriminator": "0000" if user.bot else "0",
        "global_name": user.global_name,
        "avatar": user.avatar,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": user.accent_color,
    }
    if user.bot:
        payload["bot"] = True
    return payload


def own_user_payload(user: User) -> Json:
    """Return the bot's user as the bot itself sees it (`GET /users/@me`, READY)."""
    return user_payload(user) | {
        "mfa_enabled": True,
        "verified": True,
        "locale": user.locale,
        "email": None,
        "premium_type": 0,
    }


def role_payload(role: Role) -> Json:
    """Return a role."""
    payload: Json = {
        "id": str(role.id),
        "name": role.name,
        "description": None,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": None, "tertiary_color": None},
        "hoist": role.hoist,
        "managed": role.managed,
        "mentionable": role.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if role.bot_id is not None:
        payload["tags"] = {"bot_id": str(role.bot_id)}
    return payload


def member_payload(world: WorldState, member: Member, *, with_user: bool = True) -> Json:
    """Return a member; without the user where Discord leaves it out (messages, resolved data)."""
    payload: Json = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": _iso(member.timed_out_until_ms),
        "flags": member.flags,
        "joined_at": iso(member.joined_ms),
        "nick": member.nick,
        "pending": member.pending,
        "premium_since": None,
        "roles": [str(role) for role in member.roles],
        "deaf": member.deaf,
        "mute": member.mute,
    }
    if with_user:
        payload["user"] = user_payload(world.user(member.user_id))
    return payload


def channel_payload(world: WorldState, channel: Channel) -> Json:
    """Return a guild channel, a thread or a direct message."""
    payload: Json = {
        "id": str(channel.id),
        "type": channel.type,
        "flags": channel.flags,
        "last_message_id": _id(channel.last_message_id),
    }
    if channel.last_pin_ms is not None:
        payload["last_pin_timestamp"] = iso(channel.last_pin_ms)
    if channel.guild_id is None:
        others = [r for r in channel.recipients if r != world.bot_id]
        return payload | {"recipients": [user_payload(world.user(r)) for r in others]}
    payload |= {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "parent_id": _id(channel.parent_id),
        "rate_limit_per_user": channel.rate_limit_per_user,
    }
    if channel.thread is not None:
        return payload | _thread_fields(channel)
    payload |= {
        "position": channel.position,
        "permission_overwrites": [
            {"id": str(o.id), "type": o.type, "allow": str(o.allow), "deny": str(o.deny)}
            for o in channel.overwrites
        ],
        "nsfw": channel.nsfw,
    }
    if channel.is_voice:
        return payload | {"bitrate": channel.bitrate, "user_limit": channel.user_limit, "rtc_region": None}
    return payload | {"topic": channel.topic}


def _thread_fields(channel: Channel) -> Json:
    thread = channel.thread
    assert thread is not None
    metadata: Json = {
        "archived": thread.archived,
        "archive_timestamp": iso(thread.archive_changed_ms or thread.created_ms),
        "auto_archive_duration": thread.auto_archive_minutes,
        "locked": thread.locked,
        "create_timestamp": iso(thread.created_ms),
    }
    if channel.type == 12:
        metadata["invitable"] = thread.invitable
    return {
        "owner_id": str(thread.owner_id),
        "thread_metadata": metadata,
        "message_count": min(channel.message_count, 50),
        "member_count": min(len(thread.member_ids), 50),
        "total_message_sent": channel.message_count,
    }


def thread_member_payload(channel: Channel, user_id: int) -> Json:
    """Return a thread member."""
    joined = channel.thread.created_ms if channel.thread is not None else created_ms(channel.id)
    return {"id": str(channel.id), "user_id": str(user_id), "join_timestamp": iso(joined), "flags": 0}


def message_payload(world: WorldState, message: Message, *, deep: bool = True) -> Json:
    """Return a message. `deep` also resolves the message it answers."""
    payload: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "type": message.type,
        "content": message.content,
        "author": author_payload(world, message),
        "timestamp": iso(created_ms(message.id)),
        "edited_timestamp": _iso(message.edited_ms),
        "flags": message.flags,
        "tts": message.tts,
        "pinned": message.pinned,
        "mention_everyone": message.mention_everyone,
        "mentions": [user_payload(world.users[u]) for u in message.mentions if u in world.users],
        "mention_roles": [str(role) for role in message.mention_roles],
        "embeds": message.embeds,
        "components": message.components,
        "attachments": message.attachments,
    }
    _add_optional(world, message, payload)
    if message.reference is not None:
        payload["message_reference"] = message.reference
        if message.reference.get("type", 0) == 0 and deep:
            payload["referenced_message"] = _referenced(world, message.reference)
    return payload


def _add_optional(world: WorldState, message: Message, payload: Json) -> None:
    if message.reactions:
        payload["reactions"] = [_reaction(world, r.emoji, r.user_ids) for r in message.reactions]
    if message.webhook_id is not None:
        payload["webhook_id"] = str(message.webhook_id)
    if message.application_id is not None:
        payload["application_id"] = str(message.application_id)
    if message.nonce is not None:
        payload["nonce"] = message.nonce
    for key, value in (
        ("interaction_metadata", message.interaction_metadata),
        ("poll", message.poll),
        ("message_snapshots", message.snapshots),
    ):
        if value:
            payload[key] = value
    if message.sticker_ids:
        payload["sticker_items"] = [
            {"id": str(s), "name": f"sticker-{s}", "format_type": 1} for s in message.sticker_ids
        ]
    thread = world.channels.get(message.thread_id) if message.thread_id is not None else None
    if thread is not None:
        payload["thread"] = channel_payload(world, thread)


def _reaction(world: WorldState, emoji: str, user_ids: list[int]) -> Json:
    name, _, emoji_id = emoji.partition(":")
    return {
        "emoji": {"id": emoji_id or None, "name": name},
        "count": len(user_ids),
        "count_details": {"burst": 0, "normal": len(user_ids)},
        "burst_colors": [],
        "me": world.bot_id in user_ids,
        "me_burst": False,
    }


def author_payload(world: WorldState, message: Message) -> Json:
    """Return the author; users that have been removed appear as Discord's deleted user."""
    user = world.users.get(message.author_id)
    return user_payload(user or User(message.author_id, "deleted_user", "Deleted User"))


def _referenced(world: WorldState, reference: Json) -> Json | None:
    history = world.messages.get(int(reference["channel_id"]), {})
    found = history.get(int(reference["message_id"]))
    return None if found is None else message_payload(world, found, deep=False)


def message_event(world: WorldState, message: Message) -> Json:
    """Return a message with what only gateway events add: guild, member and the members behind mentions."""
    payload = message_payload(world, message)
    channel = world.channels.get(message.channel_id)
    payload["channel_type"] = channel.type if channel is not None else 0
    if message.guild_id is None or message.ephemeral_for is not None:
        return payload
    payload["guild_id"] = str(message.guild_id)
    members = world.guilds[message.guild_id].members
    author = members.get(message.author_id)
    if author is not None and (message.webhook_id is None or message.application_id == message.webhook_id):
        payload["member"] = member_payload(world, author, with_user=False)
    for mention in payload["mentions"]:
        mentioned = members.get(int(mention["id"]))
        if mentioned is not None:
            mention["member"] = member_payload(world, mentioned, with_user=False)
    return payload


def guild_payload(world: WorldState, guild: Guild) -> Json:
    """Return a guild as `GET /guilds/{id}` does."""
    incidents = None
    if guild.invites_disabled_until_ms or guild.dms_disabled_until_ms:
        incidents = {
            "invites_disabled_until": _iso(guild.invites_disabled_until_ms),
            "dms_disabled_until": _iso(guild.dms_disabled_until_ms),
            "raid_detected_at": None,
            "dm_spam_detected_at": None,
        }
    return _GUILD_DEFAULTS | {
        "id": str(guild.id),
        "name": guild.name,
        "description": guild.description,
        "features": guild.features,
        "owner_id": str(guild.owner_id),
        "system_channel_id": _id(guild.system_channel_id),
        "rules_channel_id": _id(guild.rules_channel_id),
        "verification_level": guild.verification_level,
        "mfa_level": guild.mfa_level,
        "preferred_locale": guild.preferred_locale,
        "roles": [role_payload(role) for role in guild.roles.values()],
        "incidents_data": incidents,
    }


_GUILD_DEFAULTS: Json = {
    "icon": None,
    "home_header": None,
    "splash": None,
    "discovery_splash": None,
    "banner": None,
    "application_id": None,
    "region": "deprecated",
    "afk_channel_id": None,
    "afk_timeout": 300,
    "system_channel_flags": 0,
    "widget_enabled": False,
    "widget_channel_id": None,
    "default_message_notifications": 1,
    "explicit_content_filter": 2,
    "max_presences": None,
    "max_members": 500000,
    "max_stage_video_channel_users": 50,
    "max_video_channel_users": 25,
    "vanity_url_code": None,
    "premium_tier": 0,
    "premium_subscription_count": 0,
    "safety_alerts_channel_id": None,
    "public_updates_channel_id": None,
    "premium_progress_bar_enabled": False,
    "nsfw": False,
    "nsfw_level": 0,
    "emojis": [],
    "stickers": [],
}


def guild_create_payload(world: WorldState, guild: Guild, *, all_members: bool) -> Json:
    """Return GUILD_CREATE's data: `members` holds only the bot unless presences are subscribed (contract
    5.6).
    """
    shown = guild.members.values() if all_members else [guild.members[world.bot_id]]
    bot = guild.members[world.bot_id]
    presences = [presence_payload(world.users[m.user_id]) for m in shown if all_members]
    return guild_payload(world, guild) | {
        "joined_at": iso(bot.joined_ms),
        "large": len(guild.members) > 250,
        "unavailable": False,
        "member_count": len(guild.members),
        "voice_states": [],
        "members": [member_payload(world, m) for m in shown],
        "channels": [channel_payload(world, c) for c in world.guild_channels(guild.id)],
        "threads": [channel_payload(world, c) for c in world.guild_threads(guild.id)],
        "presences": [p for p in presences if p["status"] != "offline"],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def presence_payload(user: User) -> Json:
    """Return a presence as GUILD_CREATE and member chunks carry it."""
    client = {} if user.presence == "offline" else {"desktop": user.presence}
    return {"user": {"id": str(user.id)}, "status": user.presence, "activities": [], "client_status": client}


def command_payload(world: WorldState, command: Command, *, with_localizations: bool = True) -> Json:
    """Return a registered command; localisations only where they are asked for (contract section 2.3)."""
    payload: Json = {
        "id": str(command.id),
        "application_id": str(world.application.id),
        "version": str(command.version),
        **command.body,
    }
    if command.guild_id is not None:
        payload["guild_id"] = str(command.guild_id)
    return payload if with_localizations else _without_localizations(payload)


def _without_localizations(node: Any) -> Any:
    if isinstance(node, dict):
        hidden = {"name_localizations", "description_localizations"}
        return {k: _without_localizations(v) for k, v in node.items() if k not in hidden}
    if isinstance(node, list):
        return [_without_localizations(item) for item in node]
    return node
