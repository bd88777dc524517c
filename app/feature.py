"""What a feature is: a package under `app.features` that `app.catalog` lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from app.interactions.custom_id import CustomIds

if TYPE_CHECKING:
    import redis.asyncio

    from app.adapters.discord.rest import DiscordRest
    from app.adapters.openai.client import OpenAI
    from app.adapters.postgres.pool import Pool
    from app.keyring import Keyring
    from app.locale.catalogue import Catalogue
    from app.settings import Settings
    from app.tenancy.guild_settings import GuildSettings


@dataclass(frozen=True, slots=True)
class Floor:
    """What `app.runtime` has opened and features build their services from.

    `clock` returns aware UTC time; tests pass another one.
    """

    settings: Settings
    postgres: Pool
    redis: redis.asyncio.Redis
    discord: DiscordRest
    guild_settings: GuildSettings
    catalogue: Catalogue
    keyring: Keyring
    provider: OpenAI | None
    """None without OPENAI_API_KEY: moderation then works by rules only."""
    clock: Callable[[], datetime]

    @property
    def custom_ids(self) -> CustomIds:
        """What signs component ids. Raises ConfigurationError without DISCORD_APPLICATION_ID, which they cover."""
        self.settings.require("discord_application_id")
        assert self.settings.discord_application_id is not None
        return CustomIds(self.keyring, self.settings.discord_application_id, self.clock)


Services = Mapping[type, object]
"""Services by their type: a handler's keyword-only parameter of that type receives the object."""


def no_services(_floor: Floor) -> Services:
    """Return nothing: for features whose handlers need only the context."""
    return {}


@dataclass(frozen=True, slots=True)
class Feature:
    """Name, folder and needs of a feature; commands, components and consumers are found by walking `package`."""

    name: str
    package: str
    services: Callable[[Floor], Services] = no_services
    tables: tuple[str, ...] = field(default=())
