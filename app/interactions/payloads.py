"""The objects inside an interaction (contract 1.4, 1.5), validated when a handler asks for them.

All of it raises InvalidInteraction, never anything else. The envelope around them is `interaction.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.interactions.errors import InvalidInteraction
from app.interactions.permissions import Permission
from app.snowflake import ChannelId, MessageId, RoleId, UserId

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


def permission_bits(value: Any) -> int:
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
_PermissionSet = Annotated[Permission, BeforeValidator(lambda value: Permission(permission_bits(value)))]


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
