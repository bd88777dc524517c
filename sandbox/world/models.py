"""What the world is made of. Plain mutable records; only the world's own methods change them.

Ids are ints, times are Unix milliseconds, permission sets are ints. `payloads.py` turns records into
Discord's JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

JsonObject = dict[str, Any]


class ChannelType(IntEnum):
    """Discord's channel types that exist in the sandbox."""

    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


THREAD_TYPES = frozenset({10, 11, 12})
MESSAGE_FLAG_EPHEMERAL = 64
MESSAGE_FLAG_COMPONENTS_V2 = 32768
MESSAGE_FLAG_HAS_THREAD = 32
MESSAGE_FLAG_LOADING = 128


@dataclass(slots=True)
class User:
    """A person or a bot. `accepts_dms` false makes direct messages fail with 50007."""

    id: int
    username: str
    global_name: str | None = None
    bot: bool = False
    avatar: str | None = None
    accent_color: int | None = None
    locale: str = "en-US"
    accepts_dms: bool = True
    presence: str = "online"

    @property
    def display_name(self) -> str:
        """The name people see."""
        return self.global_name or self.username


@dataclass(slots=True)
class Role:
    """A guild role; the one whose id is the guild's is @everyone."""

    id: int
    guild_id: int
    name: str
    permissions: int = 0
    position: int = 1
    color: int = 0
    hoist: bool = False
    mentionable: bool = False
    managed: bool = False
    bot_id: int | None = None


@dataclass(slots=True)
class Overwrite:
    """A channel's exception for a role (type 0) or a member (type 1)."""

    id: int
    type: int
    allow: int = 0
    deny: int = 0


@dataclass(slots=True)
class ThreadState:
    """What only threads have."""

    owner_id: int
    created_ms: int
    archived: bool = False
    locked: bool = False
    auto_archive_minutes: int = 4320
    archive_changed_ms: int = 0
    member_ids: list[int] = field(default_factory=list)
    invitable: bool = True


@dataclass(slots=True)
class Channel:
    """A guild channel, a thread or a direct message (`guild_id` None, `recipients` both people)."""

    id: int
    type: int
    guild_id: int | None = None
    name: str | None = None
    position: int = 0
    parent_id: int | None = None
    topic: str | None = None
    nsfw: bool = False
    rate_limit_per_user: int = 0
    overwrites: list[Overwrite] = field(default_factory=list)
    last_message_id: int | None = None
    last_pin_ms: int | None = None
    recipients: list[int] = field(default_factory=list)
    thread: ThreadState | None = None
    bitrate: int = 64000
    user_limit: int = 0
    message_count: int = 0
    flags: int = 0

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread of its `parent_id`."""
        return self.type in THREAD_TYPES

    @property
    def is_voice(self) -> bool:
        """Whether people can speak here."""
        return self.type in {2, 13}

    @property
    def is_text(self) -> bool:
        """Whether messages can stand here."""
        return self.type != ChannelType.CATEGORY


@dataclass(slots=True)
class Member:
    """A user in a guild. `roles` leaves @everyone out, as Discord does."""

    guild_id: int
    user_id: int
    joined_ms: int
    roles: list[int] = field(default_factory=list)
    nick: str | None = None
    timed_out_until_ms: int | None = None
    deaf: bool = False
    mute: bool = False
    pending: bool = False
    flags: int = 0


@dataclass(slots=True)
class Reaction:
    """Who reacted with one emoji (a Unicode emoji, or `name:id`)."""

    emoji: str
    user_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    """One message. Embeds, components, attachments and polls are kept as Discord's JSON.

    `ephemeral_for` is the one user who sees it; such messages are never in a channel's history.
    """

    id: int
    channel_id: int
    author_id: int
    content: str = ""
    guild_id: int | None = None
    edited_ms: int | None = None
    type: int = 0
    flags: int = 0
    tts: bool = False
    pinned: bool = False
    mention_everyone: bool = False
    mentions: list[int] = field(default_factory=list)
    mention_roles: list[int] = field(default_factory=list)
    embeds: list[JsonObject] = field(default_factory=list)
    components: list[JsonObject] = field(default_factory=list)
    attachments: list[JsonObject] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    reference: JsonObject | None = None
    snapshots: list[JsonObject] = field(default_factory=list)
    nonce: str | int | None = None
    webhook_id: int | None = None
    application_id: int | None = None
    interaction_metadata: JsonObject | None = None
    poll: JsonObject | None = None
    sticker_ids: list[int] = field(default_factory=list)
    thread_id: int | None = None
    ephemeral_for: int | None = None


@dataclass(slots=True)
class Ban:
    """A ban; the target need not have been a member."""

    guild_id: int
    user_id: int
    reason: str | None = None


@dataclass(slots=True)
class AuditEntry:
    """A line of a guild's audit log (contract section 4.4). `changes` and `options` are Discord's JSON."""

    id: int
    guild_id: int
    action_type: int
    user_id: int | None
    target_id: int | None
    reason: str | None = None
    changes: list[JsonObject] = field(default_factory=list)
    options: JsonObject | None = None


@dataclass(slots=True)
class Guild:
    """A server. `unavailable` plays an outage; `bot_present` false means that the bot was removed."""

    id: int
    name: str
    owner_id: int
    description: str | None = None
    preferred_locale: str = "en-US"
    features: list[str] = field(default_factory=list)
    verification_level: int = 1
    mfa_level: int = 0
    system_channel_id: int | None = None
    rules_channel_id: int | None = None
    invites_disabled_until_ms: int | None = None
    dms_disabled_until_ms: int | None = None
    unavailable: bool = False
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    bans: dict[int, Ban] = field(default_factory=dict)
    channel_ids: list[int] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)


@dataclass(slots=True)
class Command:
    """A registered application command: `body` is Discord's JSON without id, application_id, guild_id and
    version.
    """

    id: int
    guild_id: int | None
    version: int
    body: JsonObject

    @property
    def key(self) -> tuple[int, str]:
        """What makes a command unique within its scope: type and name."""
        return (int(self.body.get("type", 1)), str(self.body["name"]))


@dataclass(slots=True)
class Application:
    """The application whose bot the sandbox serves. `signing_seed` is the Ed25519 seed in hex; it never
    leaves.
    """

    id: int
    bot_id: int
    owner_id: int
    name: str
    token: str
    signing_seed: str
    public_key: str
    description: str = ""
    tags: list[str] = field(default_factory=list)
    flags: int = 0
    interactions_endpoint_url: str | None = None
    event_webhooks_url: str | None = None
    event_webhooks_status: int = 1
    event_webhooks_types: list[str] = field(default_factory=list)
    role_connections_verification_url: str | None = None
    custom_install_url: str | None = None
    install_params: JsonObject | None = None
    role_connections: list[JsonObject] = field(default_factory=list)
    integration_types_config: JsonObject = field(default_factory=lambda: {"0": {}})
