"""Names of the gateway intents and how to switch the privileged ones on (contract section 5.5)."""

from __future__ import annotations

from enum import IntFlag


class Intent(IntFlag):
    """Bits of `intents` in IDENTIFY."""

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


PRIVILEGED = {
    Intent.GUILD_MEMBERS: "Server Members Intent",
    Intent.GUILD_PRESENCES: "Presence Intent",
    Intent.MESSAGE_CONTENT: "Message Content Intent",
}
"""The privileged intents and what their switches are called in the Developer Portal."""


def privileged_switches(intents: int) -> list[str]:
    """Return the Developer Portal's names of the privileged intents among these bits."""
    return [name for intent, name in PRIVILEGED.items() if intents & intent]


def explain_disallowed(intents: int) -> str:
    """Return what to do after close code 4014: which switches the portal must have on."""
    switches = " and ".join(f"'{name}'" for name in privileged_switches(intents))
    return (
        f"Discord refuses the privileged intents of this bot (close code 4014). Switch on {switches} under "
        "Bot > Privileged Gateway Intents in the Developer Portal, then restart; an app seen by more than "
        "10,000 users also needs Discord's approval there"
    )
