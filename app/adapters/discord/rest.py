"""Discord's REST API for every process of a bot: one client, shared limits, typed errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from app.adapters.discord.caller import File
from app.adapters.discord.exchange import Exchange
from app.adapters.discord.priority import Priority
from app.adapters.discord.resources.applications import Applications
from app.adapters.discord.resources.channels import Channels
from app.adapters.discord.resources.guilds import Guilds
from app.adapters.discord.resources.interactions import Interactions
from app.adapters.discord.resources.members import Members
from app.adapters.discord.resources.messages import Messages
from app.adapters.discord.resources.users import Users
from app.adapters.discord.routes import Target
from app.adapters.discord.sender import Call, Sender, open_sender
from app.settings import Settings


class DiscordRest(Messages, Channels, Guilds, Members, Users, Interactions, Applications):
    """All operations, as methods. Open one per process with `DiscordRest.open`."""

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._settings = settings
        self._sender = sender

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, redis: Redis) -> AsyncIterator[DiscordRest]:
        """Yield a client whose limits are shared, through `redis`, with all processes of the bot.

        Opening sends nothing. Token and application id are asked for by the first call that needs them
        (ConfigurationError), so that a process which only answers interactions can do without.
        """
        async with open_sender(settings, redis) as sender:
            yield cls(settings, sender)

    @property
    def application_id(self) -> int:
        self._settings.require("discord_application_id")
        assert self._settings.discord_application_id is not None
        return self._settings.discord_application_id

    async def request(
        self,
        target: Target,
        *,
        json: Any = None,
        query: Mapping[str, Any] | None = None,
        files: Sequence[File] = (),
        reason: str | None = None,
        priority: Priority | None = None,
        deadline: float | None = None,
        patience: float | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        if not target.route.has_token:
            self._settings.require("discord_token")
        exchange = Exchange(target, json, query, files, reason)
        chosen = target.route.priority if priority is None else priority
        repeatable = target.route.idempotent if idempotent is None else idempotent
        return await self._sender.send(Call(exchange, chosen, deadline, repeatable, patience))
