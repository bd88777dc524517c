"""One interaction (contract 1.4): the envelope read by hand, everything inside it on demand.

Reading a whole interaction into models costs more than all the rest of the request but its signature, and most
handlers look at two fields. So `parse_interaction` checks only what routing needs. All of it raises
InvalidInteraction, never anything else.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import orjson

from app.interactions.errors import InvalidInteraction
from app.interactions.payloads import (
    Channel,
    InteractionContext,
    InteractionType,
    Member,
    Message,
    Resolved,
    User,
    permission_bits,
    snowflake,
)
from app.interactions.permissions import Permission
from app.snowflake import ChannelId, GuildId, InteractionId, UserId


class Interaction:
    """One interaction. Plain attributes were checked by `parse_interaction`; properties are read on demand.

    `token` is a bearer secret: it is in no `repr` and must reach no log. For a PING only `type` is set.
    """

    type: InteractionType
    id: InteractionId
    application_id: int
    token: str
    data: dict[str, Any]
    guild_id: GuildId | None
    user_id: UserId
    locale: str | None
    guild_locale: str | None
    raw: dict[str, Any]

    def __init__(self, kind: InteractionType, raw: dict[str, Any]) -> None:
        self.type = kind
        self.raw = raw

    def __repr__(self) -> str:
        return f"<Interaction {self.type.name} {getattr(self, 'id', 0)}>"

    @cached_property
    def channel_id(self) -> ChannelId | None:
        """Return the channel it happened in; the `channel` object wins over the older field."""
        channel = self.raw.get("channel")
        value = channel.get("id") if isinstance(channel, dict) else self.raw.get("channel_id")
        return None if value is None else ChannelId(snowflake(value))

    @cached_property
    def channel(self) -> Channel | None:
        """Return the channel it happened in, where Discord sent it."""
        raw = self.raw.get("channel")
        return None if raw is None else Channel.parse(raw)

    @cached_property
    def member(self) -> Member | None:
        """Return the caller as a member, None in DMs."""
        raw = self.raw.get("member")
        return None if raw is None else Member.parse(raw)

    @cached_property
    def user(self) -> User:
        """Return the caller."""
        member = self.raw.get("member")
        return User.parse(member["user"] if member is not None else self.raw["user"])

    @cached_property
    def message(self) -> Message | None:
        """Return the message that the pressed component (or the modal's opener) sits on."""
        raw = self.raw.get("message")
        return None if raw is None else Message.parse(raw)

    @cached_property
    def resolved(self) -> Resolved:
        """Return the objects that option and select values refer to."""
        raw = self.data.get("resolved") or {}
        if not isinstance(raw, dict):
            raise InvalidInteraction("data.resolved is not an object")
        return Resolved(raw)

    @cached_property
    def app_permissions(self) -> Permission:
        """Return the bot's own permissions where it happened."""
        try:
            return Permission(permission_bits(self.raw.get("app_permissions", "0")))
        except ValueError:
            raise InvalidInteraction("app_permissions is not a decimal string") from None

    @cached_property
    def context(self) -> InteractionContext | None:
        """Return where it happened, None when Discord did not say or said something new."""
        value = self.raw.get("context")
        return InteractionContext(value) if value in (0, 1, 2) else None

    @property
    def attachment_size_limit(self) -> int:
        """Return the bytes that one attachment of the answer may have."""
        value = self.raw.get("attachment_size_limit")
        return value if type(value) is int else 0


_BY_VALUE = {int(member): member for member in InteractionType}


def parse_interaction(body: bytes) -> Interaction:
    """Read a request body whose signature was checked. Raises InvalidInteraction."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidInteraction("the body is not JSON") from None
    if type(raw) is not dict:
        raise InvalidInteraction("the body is not an object")
    value = raw.get("type")
    kind = _BY_VALUE.get(value) if type(value) is int else None
    if kind is None:
        raise InvalidInteraction("type is not 1 to 5")
    interaction = Interaction(kind, raw)
    if kind is InteractionType.PING:
        return interaction

    get = raw.get
    interaction.id = InteractionId(snowflake(get("id")))
    interaction.application_id = snowflake(get("application_id"))
    token, data, member = get("token"), get("data"), get("member")
    if type(token) is not str or not token:
        raise InvalidInteraction("token is not a string")
    if type(data) is not dict:
        raise InvalidInteraction("data is not an object")
    interaction.token = token
    interaction.data = data
    guild_id = get("guild_id")
    interaction.guild_id = None if guild_id is None else GuildId(snowflake(guild_id))
    if member is None:
        user = get("user")
    elif type(member) is dict:
        user = member.get("user")
    else:
        raise InvalidInteraction("member is not an object")
    if type(user) is not dict:
        raise InvalidInteraction("user is not an object")
    interaction.user_id = UserId(snowflake(user.get("id")))
    locale, guild_locale = get("locale"), get("guild_locale")
    interaction.locale = locale if type(locale) is str else None
    interaction.guild_locale = guild_locale if type(guild_locale) is str else None

    if kind is InteractionType.MESSAGE_COMPONENT or kind is InteractionType.MODAL_SUBMIT:
        if type(data.get("custom_id")) is not str:
            raise InvalidInteraction("data.custom_id is not a string")
    elif type(data.get("name")) is not str or type(data.get("type", 1)) is not int:
        raise InvalidInteraction("data.name or data.type is missing")
    return interaction
