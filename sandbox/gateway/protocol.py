"""The gateway's numbers: opcodes, close codes, intents and which event needs which (contract sections 5.2 to
5.6).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Op(IntEnum):
    """Gateway opcodes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE_UPDATE = 3
    VOICE_STATE_UPDATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_GUILD_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11
    REQUEST_SOUNDBOARD_SOUNDS = 31
    REQUEST_CHANNEL_INFO = 43


SENT_BY_CLIENTS = frozenset({1, 2, 3, 4, 6, 8, 31, 43})


class Close(IntEnum):
    """Close codes."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQ = 4007
    RATE_LIMITED = 4008
    SESSION_TIMED_OUT = 4009
    INVALID_SHARD = 4010
    SHARDING_REQUIRED = 4011
    INVALID_API_VERSION = 4012
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


REASONS: dict[int, str] = {
    4000: "Unknown error.",
    4001: "Unknown opcode.",
    4002: "Error while decoding payload.",
    4003: "Not authenticated.",
    4004: "Authentication failed.",
    4005: "Already authenticated.",
    4007: "Invalid seq.",
    4008: "Rate limited.",
    4009: "Session timed out.",
    4010: "Invalid shard.",
    4011: "Sharding required.",
    4012: "Invalid API version.",
    4013: "Invalid intent(s).",
    4014: "Disallowed intent(s).",
}

SESSION_ENDS = frozenset({1000, 1001, 4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014})
"""Closes after which a session cannot be resumed."""


class Intent(IntFlag):
    """Gateway intents by bit (contract section 5.5)."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_MODERATION = 1 << 2
    GUILD_EXPRESSIONS = 1 << 3
    GUILD_INTEGRATIONS = 1 << 4
    GUILD_WEBHOOKS = 1 << 5
    GUILD_INVITES = 1 << 6
    GUILD_VOICE_STATES = 1 << 7
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15
    GUILD_SCHEDULED_EVENTS = 1 << 16
    AUTO_MODERATION_CONFIGURATION = 1 << 20
    AUTO_MODERATION_EXECUTION = 1 << 21
    GUILD_MESSAGE_POLLS = 1 << 24
    DIRECT_MESSAGE_POLLS = 1 << 25


ALL_INTENTS = sum(intent.value for intent in Intent)

PRIVILEGED: dict[Intent, int] = {
    Intent.GUILD_PRESENCES: 1 << 12 | 1 << 13,
    Intent.GUILD_MEMBERS: 1 << 14 | 1 << 15,
    Intent.MESSAGE_CONTENT: 1 << 18 | 1 << 19,
}
"""Privileged intents and the application flags (full, limited) either of which switches one on."""

_ALWAYS = Intent(0)
_EVENTS: dict[str, tuple[Intent, Intent]] = {
    "MESSAGE_CREATE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_UPDATE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_DELETE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_DELETE_BULK": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_REACTION_ADD": (Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE": (Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    "TYPING_START": (Intent.GUILD_MESSAGE_TYPING, Intent.DIRECT_MESSAGE_TYPING),
    "CHANNEL_PINS_UPDATE": (Intent.GUILDS, Intent.DIRECT_MESSAGES),
    "GUILD_MEMBER_ADD": (Intent.GUILD_MEMBERS, _ALWAYS),
    "GUILD_MEMBER_UPDATE": (Intent.GUILD_MEMBERS, _ALWAYS),
    "GUILD_MEMBER_REMOVE": (Intent.GUILD_MEMBERS, _ALWAYS),
    "THREAD_MEMBERS_UPDATE": (Intent.GUILD_MEMBERS, _ALWAYS),
    "GUILD_AUDIT_LOG_ENTRY_CREATE": (Intent.GUILD_MODERATION, _ALWAYS),
    "GUILD_BAN_ADD": (Intent.GUILD_MODERATION, _ALWAYS),
    "GUILD_BAN_REMOVE": (Intent.GUILD_MODERATION, _ALWAYS),
    "PRESENCE_UPDATE": (Intent.GUILD_PRESENCES, _ALWAYS),
    "INVITE_CREATE": (Intent.GUILD_INVITES, _ALWAYS),
    "INVITE_DELETE": (Intent.GUILD_INVITES, _ALWAYS),
    "WEBHOOKS_UPDATE": (Intent.GUILD_WEBHOOKS, _ALWAYS),
    "AUTO_MODERATION_RULE_CREATE": (Intent.AUTO_MODERATION_CONFIGURATION, _ALWAYS),
    "AUTO_MODERATION_RULE_UPDATE": (Intent.AUTO_MODERATION_CONFIGURATION, _ALWAYS),
    "AUTO_MODERATION_RULE_DELETE": (Intent.AUTO_MODERATION_CONFIGURATION, _ALWAYS),
    "AUTO_MODERATION_ACTION_EXECUTION": (Intent.AUTO_MODERATION_EXECUTION, _ALWAYS),
}
_GUILDS_EVENTS = ("GUILD_", "CHANNEL_", "THREAD_", "STAGE_INSTANCE_")


def intent_for(event: str, *, in_guild: bool) -> Intent:
    """Return the intent that an event needs; no bit at all for those that always come."""
    pair = _EVENTS.get(event)
    if pair is not None:
        return pair[0] if in_guild else pair[1]
    return Intent.GUILDS if event.startswith(_GUILDS_EVENTS) else _ALWAYS
