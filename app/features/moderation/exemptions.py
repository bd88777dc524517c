"""Whose messages, and where, automatic moderation leaves alone from the start: nothing is judged or recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.adapters.discord.errors import DiscordRefused
from app.errors import AppError
from app.events.message import Message
from app.features.moderation.directory import Directory
from app.features.moderation.settings import ModerationSettings
from app.snowflake import UserId
from app.streams.retry import TryLater

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
"""When a channel or a member could not be looked up, the message is looked at again after so long."""


class Exemptions:
    """Tells what is left alone. `ours` returns the bot's own user id."""

    def __init__(self, directory: Directory, ours: Callable[[], int]) -> None:
        self._directory = directory
        self._ours = ours

    def judgeable(self, message: Message) -> bool:
        """Return whether somebody of a guild wrote it: no direct message, webhook, or message of our own.

        Our own quote what others wrote: a review item that is judged opens the next review item.
        """
        return (
            bool(message.guild_id)
            and message.author is not None
            and message.webhook_id is None
            and message.author.id != self._ours()
        )

    async def cover(self, message: Message, settings: ModerationSettings) -> bool:
        """Return whether the guild exempts the author, one of its roles, or the channel, be it by the thread's channel.

        Raises TryLater when that cannot be looked up: what may be exempt is not punished.
        """
        assert message.author is not None
        if message.author.bot and not settings.moderate_bots:
            return True
        if message.channel_id in settings.exempt_channels:
            return True
        if settings.exempt_roles:
            held = message.member.roles if message.member is not None else await self._roles(message)
            if set(held) & set(settings.exempt_roles):
                return True
        return bool(settings.exempt_channels) and await self._parent(message) in settings.exempt_channels

    async def _roles(self, message: Message) -> frozenset[int]:
        assert message.author is not None
        try:
            standing = await self._directory.standing(message.guild_id, UserId(message.author.id))
        except (AppError, DiscordRefused, OSError, TimeoutError) as error:
            raise _later("roles", error) from None
        return frozenset(standing.roles)

    async def _parent(self, message: Message) -> int | None:
        try:
            return await self._directory.parent(message.channel_id)
        except (AppError, DiscordRefused, OSError, TimeoutError) as error:
            raise _later("the channel of a thread", error) from None


def _later(what: str, error: BaseException) -> TryLater:
    log.warning("exemption not looked up", extra={"what": what, "error": type(error).__name__})
    return TryLater(f"{what} could not be looked up", after=AGAIN_SECONDS)
