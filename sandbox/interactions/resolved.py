"""The `resolved` maps of an interaction (contract 1.5): every object that its ids point at."""

from __future__ import annotations

from typing import Any

from sandbox.world.models import Channel
from sandbox.world.payloads import (
    channel_payload,
    member_payload,
    message_payload,
    role_payload,
    user_payload,
)
from sandbox.world.world import World

Json = dict[str, Any]

_CHANNEL_FIELDS = (
    "id",
    "name",
    "type",
    "last_message_id",
    "last_pin_timestamp",
    "nsfw",
    "parent_id",
    "guild_id",
    "flags",
    "rate_limit_per_user",
    "topic",
    "position",
    "thread_metadata",
)


def partial_channel(world: World, channel: Channel, user_id: int) -> Json:
    """The partial channel of interactions, with the invoker's and the bot's permissions there."""
    full = channel_payload(world, channel)
    partial = {name: full[name] for name in _CHANNEL_FIELDS if name in full}
    if channel.guild_id is None:
        partial["recipients"] = full.get("recipients", [])
    partial["permissions"] = str(int(world.permissions_in(channel, user_id)))
    if channel.guild_id is not None and world.bot_id in world.guild(channel.guild_id).members:
        partial["app_permissions"] = str(int(world.permissions_in(channel, world.bot_id)))
    return partial


class Resolved:
    """Collects objects; `as_json` leaves empty maps out. Look-ups raise the world's `Unknown`."""

    def __init__(self, world: World, guild_id: int | None, invoker_id: int) -> None:
        self._world = world
        self._guild_id = guild_id
        self._invoker_id = invoker_id
        self._maps: dict[str, dict[str, Json]] = {}

    def _put(self, kind: str, key: int | str, value: Json) -> None:
        self._maps.setdefault(kind, {})[str(key)] = value

    def user(self, user_id: int) -> None:
        """Add a user and, in a guild, the member without `user`, `deaf` and `mute`."""
        self._put("users", user_id, user_payload(self._world.user(user_id)))
        if self._guild_id is None:
            return
        guild = self._world.guild(self._guild_id)
        member = guild.members.get(user_id)
        if member is None:
            return
        shown = member_payload(self._world, member, with_user=False)
        for hidden in ("deaf", "mute"):
            shown.pop(hidden, None)
        shown["permissions"] = str(int(self._world.guild_permissions_of(guild.id, user_id)))
        self._put("members", user_id, shown)

    def role(self, role_id: int) -> None:
        """Add a role of the guild."""
        assert self._guild_id is not None
        self._put("roles", role_id, role_payload(self._world.role(self._guild_id, role_id)))

    def mentionable(self, snowflake: int) -> None:
        """Add a role or a user, whichever the id is."""
        if self._guild_id is not None and snowflake in self._world.guild(self._guild_id).roles:
            self.role(snowflake)
        else:
            self.user(snowflake)

    def channel(self, channel_id: int) -> None:
        """Add a partial channel."""
        channel = self._world.channel(channel_id)
        self._put("channels", channel_id, partial_channel(self._world, channel, self._invoker_id))

    def message(self, channel_id: int, message_id: int) -> None:
        """Add a full message, content included whatever the intents are."""
        message = self._world.message(channel_id, message_id)
        self._put("messages", message_id, message_payload(self._world, message))

    def attachment(self, attachment: Json) -> None:
        """Add an uploaded file under its id."""
        self._put("attachments", str(attachment["id"]), attachment)

    def as_json(self) -> Json:
        """The maps that are not empty."""
        return dict(self._maps)
