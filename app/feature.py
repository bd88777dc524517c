"""What a feature is: a package under `app.features` that `app.catalog` lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis.asyncio
    from psycopg_pool import AsyncConnectionPool

    from app.adapters.discord.rest import DiscordRest
    from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Floor:
    """What `app.runtime` has opened and features build their services from.

    `clock` returns aware UTC time; tests pass another one.
    """

    settings: Settings
    postgres: AsyncConnectionPool[Any]
    redis: redis.asyncio.Redis
    discord: DiscordRest
    clock: Callable[[], datetime]


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
