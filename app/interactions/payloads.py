"""What Discord sends (contract 1.4, 1.5, 3.4): the envelope read by hand, everything inside it on demand.

Reading a whole interaction into models costs more than all the rest of the request but its signature, and most
handlers look at two fields. So `parse_interaction` checks only what routing needs; users, members, roles,
channels, attachments and messages are validated when a handler asks for them. All of it raises
InvalidInteraction, never anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import cached_property
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.interactions.errors import InvalidInteraction
from app.interactions.permissions import Permission
from app.snowflake import ChannelId, GuildId, InteractionId, MessageId, RoleId, UserId

MAX_SNOWFLAKE_DIGITS = 20
"""2^64 - 1 has 20 digits."""


class InteractionType(IntEnum):
    """Contract 1.4."""

    PING = 1
    APPLICATION_COMMAND = 2
    MESSAGE_COMPONENT = 3
    APPLICATION_COMMAND_AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class CommandType(IntEnum):
    """Contract 2.1."""

    CHAT_INPUT = 1
    USER = 2
    MESSAGE = 3
    PRIMARY_ENTRY_POINT = 4


class InteractionContext(IntEnum):
    """Where an interaction may happen (contract 1.4)."""

    GUILD = 0
    BOT_DM = 1
    PRIVATE_CHANNEL = 2


class IntegrationType(IntEnum):
    """How the application is installed (contract 2.1)."""

    GUILD_INSTALL = 0
    USER_INSTALL = 1


class ChannelType(IntEnum):
    """Channel types that a CHANNEL option or select may be limited to."""

    GUILD_TEXT = 0
    DM = 1
    GUILD_VOICE = 2
    GROUP_DM = 3
    GUILD_CATEGORY = 4
    GUILD_ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    GUILD_STAGE_VOICE = 13
    GUILD_DIRECTORY = 14
    GUILD_FORUM = 15
    GUILD_MEDIA = 16


def snowflake(value: Any) -> int:
    """Read an id as Discord writes it: a string of digits. Raises InvalidInteraction."""
    if (
        type(value) is str
        and value.isascii()
        and value.isdigit()
        and len(value) <= MAX_SNOWFLAKE_DIGITS
        and (number := int(value)) < 1 << 64
    ):
        return number
    raise InvalidInteraction("an id is not a string of digits")


def _bits(value: Any) -> int:
    """Permission sets are decimal strings of unbounded size (contract section 0); 40 digits bound the work."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 40:
        return int(value)
    message = "not a decimal string"
    raise ValueError(message)


def _id(value: Any) -> int:
    try:
        return snowflake(value)
    except InvalidInteraction as error:
        raise ValueError(str(error)) from None


_Id = BeforeValidator(_id)
_PermissionSet = Annotated[Permission, BeforeValidator(lambda value: Permission(_bits(value)))]


class _Payload(BaseModel):
    """A partial object: unknown fields are ignored, as Discord asks (contract section 0)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def parse(cls, raw: Any) -> Self:
        """Validate a JSON object. Raises InvalidInteraction, which names the field and never its value."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInteraction(f"{cls.__name__}.{where}: {first['type']}") from None


class User(_Payload):
    """A user account."""

    id: Annotated[UserId, _Id]
    username: str = ""
    global_name: str | None = None
    avatar: str | None = None
    bot: bool = False

    @property
    def mention(self) -> str:
        """Return the markup that Discord shows as the user's name."""
        return f"<@{self.id}>"

    @property
    def display_name(self) -> str:
        """Return the name that people see outside guilds."""
        return self.global_name or self.username


class Member(_Payload):
    """A user in a guild, with permissions resolved for the channel, overwrites included."""

    user: User
    nick: str | None = None
    roles: tuple[Annotated[RoleId, _Id], ...] = ()
    permissions: _PermissionSet = Permission(0)
    joined_at: str | None = None
    communication_disabled_until: str | None = None
    avatar: str | None = None

    @property
    def id(self) -> UserId:
        """Return the user's id."""
        return self.user.id

    @property
    def mention(self) -> str:
        """Return the markup that Discord shows as the member's name."""
        return self.user.mention

    @property
    def display_name(self) -> str:
        """Return the name that people see in this guild."""
        return self.nick or self.user.display_name


class Role(_Payload):
    """A guild's role."""

    id: Annotated[RoleId, _Id]
    name: str = ""
    color: int = 0
    position: int = 0
    managed: bool = False
    permissions: _PermissionSet = Permission(0)

    @property
    def mention(self) -> str:
        """Return the markup that Discord shows as the role's name."""
        return f"<@&{self.id}>"


class Channel(_Payload):
    """A channel; only `id` and `type` are sure to be there. `permissions` are the caller's."""

    id: Annotated[ChannelId, _Id]
    type: int
    name: str | None = None
    parent_id: Annotated[ChannelId, _Id] | None = None
    nsfw: bool = False
    rate_limit_per_user: int | None = None
    permissions: _PermissionSet = Permission(0)
    app_permissions: _PermissionSet | None = None

    @property
    def mention(self) -> str:
        """Return the markup that Discord shows as the channel's name."""
        return f"<#{self.id}>"


class Attachment(_Payload):
    """An uploaded file. `content_type` is what the uploader says; `size` is in bytes; `url` expires."""

    id: Annotated[int, _Id]
    filename: str
    size: Annotated[int, Field(ge=0)]
    url: str
    proxy_url: str = ""
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    ephemeral: bool = False


class Message(_Payload):
    """A message: a command's target, or the one that a component sits on."""

    id: Annotated[MessageId, _Id]
    channel_id: Annotated[ChannelId, _Id] | None = None
    author: User | None = None
    content: str = ""
    flags: int = 0
    timestamp: str | None = None
    edited_timestamp: str | None = None
    attachments: tuple[Attachment, ...] = ()
    embeds: tuple[dict[str, Any], ...] = ()
    components: tuple[dict[str, Any], ...] = ()


class Resolved:
    """The objects that ids in options and select values stand for."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def _entry(self, kind: str, key: int) -> Any | None:
        entries = self._raw.get(kind)
        if entries is None:
            return None
        if not isinstance(entries, dict):
            raise InvalidInteraction(f"resolved.{kind} is not an object")
        return entries.get(str(key))

    def user(self, key: int) -> User | None:
        """Return the user with that id, None when Discord did not send it."""
        raw = self._entry("users", key)
        return None if raw is None else User.parse(raw)

    def member(self, key: int) -> Member | None:
        """Return the member with that id, None outside guilds and for people who left."""
        raw, user = self._entry("members", key), self._entry("users", key)
        if raw is None or user is None:
            return None
        if not isinstance(raw, dict):
            raise InvalidInteraction("resolved.members holds something else than objects")
        return Member.parse({**raw, "user": user})

    def role(self, key: int) -> Role | None:
        """Return the role with that id."""
        raw = self._entry("roles", key)
        return None if raw is None else Role.parse(raw)

    def channel(self, key: int) -> Channel | None:
        """Return the channel with that id."""
        raw = self._entry("channels", key)
        return None if raw is None else Channel.parse(raw)

    def attachment(self, key: int) -> Attachment | None:
        """Return the uploaded file with that id."""
        raw = self._entry("attachments", key)
        return None if raw is None else Attachment.parse(raw)

    def message(self, key: int) -> Message | None:
        """Return the message with that id: a message command's target."""
        raw = self._entry("messages", key)
        return None if raw is None else Message.parse(raw)


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
            return Permission(_bits(self.raw.get("app_permissions", "0")))
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


_TYPES = dict(InteractionType.__members__.items())
_BY_VALUE = {int(member): member for member in _TYPES.values()}


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
