"""Open everything a process needs, in order; close it in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from app import catalog
from app.adapters.discord.rest import DiscordRest
from app.adapters.embedded import StoreUrls, embedded_stores
from app.adapters.openai.client import OpenAI
from app.adapters.postgres.migrate import migrate, pending
from app.adapters.postgres.pool import Pool, open_pool
from app.adapters.redis.client import open_redis
from app.errors import ConfigurationError
from app.feature import Feature, Floor, Services
from app.interactions.permissions import Flags, GuildRoles
from app.keyring import load_keyring
from app.locale.catalogue import Catalogue
from app.settings import Settings
from app.tenancy.access import FeatureFlags, GuildAccess
from app.tenancy.guild_settings import GuildSettings


@dataclass(frozen=True, slots=True)
class Runtime:
    """The open floor, the features' services by type, and where the stores are (for clients of one's own)."""

    floor: Floor
    services: Services
    stores: StoreUrls
    features: tuple[Feature, ...]

    @property
    def settings(self) -> Settings:
        """The settings this process runs with."""
        return self.floor.settings

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages to walk for declarations."""
        return catalog.packages(self.features)


@contextmanager
def open_stores(settings: Settings) -> Iterator[StoreUrls]:
    """Yield the stores' URLs, with an up-to-date schema.

    Embedded servers are started and migrated by themselves. A configured database is the operator's: pending
    migrations raise ConfigurationError that names DATABASE_URL and `gatehouse migrate`.
    """
    with embedded_stores(settings) as urls:
        if settings.database_url is None:
            migrate(urls.database)
        elif missing := pending(urls.database):
            raise ConfigurationError(
                "DATABASE_URL",
                f"the schema lacks {len(missing)} migration(s) from {missing[0]} on; run `gatehouse migrate`",
            )
        yield urls


def utc_now() -> datetime:
    """Return the aware UTC time."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    features: tuple[Feature, ...] = catalog.FEATURES,
    clock: Callable[[], datetime] = utc_now,
    redis_connections: int = 20,
) -> AsyncIterator[Runtime]:
    """Yield the runtime of a process. Raises ConfigurationError, DatabaseUnavailable (E004), MissingService."""
    async with AsyncExitStack() as stack:
        stores = open_stores(settings)
        urls = await asyncio.to_thread(stores.__enter__)
        stack.push(stores)
        postgres = await stack.enter_async_context(open_pool(urls.database, size=settings.database_pool_size))
        redis = await stack.enter_async_context(open_redis(urls.redis, connections=redis_connections))
        discord = await stack.enter_async_context(DiscordRest.open(settings, redis))
        guild_settings = GuildSettings(postgres, redis)
        await stack.enter_async_context(guild_settings.listening())
        provider = None
        if settings.openai_api_key is not None:
            key = settings.openai_api_key.get_secret_value()
            provider = await stack.enter_async_context(OpenAI.open(key, settings.openai_base_url))
        floor = Floor(
            settings=settings,
            postgres=postgres,
            redis=redis,
            discord=discord,
            guild_settings=guild_settings,
            catalogue=Catalogue.load(),
            keyring=load_keyring(settings),
            provider=provider,
            clock=clock,
        )
        yield Runtime(
            floor, {**_floor_services(floor), **catalog.build_services(floor, features)}, urls, features
        )


def _floor_services(floor: Floor) -> Services:
    """Return what every handler may ask for by type, whatever features there are."""
    return {
        Catalogue: floor.catalogue,
        DiscordRest: floor.discord,
        Flags: FeatureFlags(floor.postgres),
        GuildRoles: GuildAccess(floor.guild_settings, floor.postgres),
        GuildSettings: floor.guild_settings,
        Pool: floor.postgres,
        Settings: floor.settings,
    }
