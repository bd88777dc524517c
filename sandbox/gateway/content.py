"""What of a message a bot sees without the message-content intent (contract section 5.5)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def without_content(message: Json, bot_id: int) -> Json:
    """Return the message with content, embeds, attachments and components emptied and the poll gone.

    Untouched stay the bot's own messages, direct messages, and messages that mention the bot.
    """
    if is_visible(message, bot_id):
        stripped = message
    else:
        empty: Json = {"content": "", "embeds": [], "attachments": [], "components": []}
        stripped = {k: v for k, v in message.items() if k != "poll"} | empty
        if "message_snapshots" in message:
            snapshots = [{"message": one["message"] | empty} for one in message["message_snapshots"]]
            stripped["message_snapshots"] = snapshots
    referenced = message.get("referenced_message")
    if referenced is not None:
        seen = without_content(referenced | {"guild_id": message.get("guild_id")}, bot_id)
        stripped = stripped | {"referenced_message": {k: v for k, v in seen.items() if k != "guild_id"}}
    return stripped


def is_visible(message: Json, bot_id: int) -> bool:
    """Whether the bot sees the content of this message without the intent."""
    own = str(bot_id)
    if message.get("guild_id") is None or message["author"]["id"] == own:
        return True
    return any(mention["id"] == own for mention in message.get("mentions", ()))
