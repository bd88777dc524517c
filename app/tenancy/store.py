"""The tables of schema `tenancy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import maybe, one, run, value
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild that installed the bot; `left_at` is set when it removed the bot."""

    guild_id: int
    name: str
    owner_id: int | None
    locale: str | None
    installed_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """A feature's settings in a guild as they are stored."""

    version: int
    settings: Mapping[str, Any]


async def remember_guild(
    conn: Conn, guild: GuildId, *, name: str, owner: UserId | None = None, locale: str | None = None
) -> None:
    """Note that the bot is in the guild, and what it is called now."""
    await run(
        conn,
        """
        INSERT INTO tenancy.guilds (guild_id, name, owner_id, locale)
        VALUES (%(guild)s, %(name)s, %(owner)s, %(locale)s)
        ON CONFLICT (guild_id) DO UPDATE
        SET name = excluded.name, owner_id = coalesce(excluded.owner_id, guilds.owner_id),
            locale = coalesce(excluded.locale, guilds.locale), left_at = NULL""",
        guild=guild,
        name=name,
        owner=owner,
        locale=locale,
    )


async def forget_guild(conn: Conn, guild: GuildId) -> None:
    """Note that the bot was removed; what the guild's data is kept for decides retention."""
    await run(
        conn,
        "UPDATE tenancy.guilds SET left_at = now() WHERE guild_id = %(guild)s AND left_at IS NULL",
        guild=guild,
    )


async def find_guild(conn: Conn, guild: GuildId) -> Guild | None:
    """Return the guild, also after it removed the bot."""
    return await maybe(
        conn,
        Guild,
        """
        SELECT guild_id, name, owner_id, locale, installed_at, left_at
        FROM tenancy.guilds WHERE guild_id = %(guild)s""",
        guild=guild,
    )


async def read_settings(conn: Conn, guild: GuildId, feature: str) -> StoredSettings:
    """Return the stored settings; version 0 and {} when the guild never changed any."""
    found = await maybe(
        conn,
        StoredSettings,
        """
        SELECT version, settings FROM tenancy.guild_settings
        WHERE guild_id = %(guild)s AND feature = %(feature)s""",
        guild=guild,
        feature=feature,
    )
    return found or StoredSettings(0, {})


async def settings_version(conn: Conn, guild: GuildId, feature: str) -> int:
    """Return the version only: what a cache compares."""
    found = await value(
        conn,
        "SELECT version FROM tenancy.guild_settings WHERE guild_id = %(guild)s AND feature = %(feature)s",
        guild=guild,
        feature=feature,
    )
    return int(found or 0)


async def lock_settings(conn: Conn, guild: GuildId, feature: str) -> StoredSettings:
    """Return the settings, locked until the transaction ends; makes the row when it is missing."""
    return await one(
        conn,
        StoredSettings,
        """
        INSERT INTO tenancy.guild_settings AS known (guild_id, feature, version) VALUES (%(guild)s, %(feature)s, 0)
        ON CONFLICT (guild_id, feature) DO UPDATE SET version = known.version
        RETURNING version, settings""",
        guild=guild,
        feature=feature,
    )


async def write_settings(
    conn: Conn, guild: GuildId, feature: str, settings: Mapping[str, Any], by: UserId | None
) -> int:
    """Store the settings of a locked row and return their new version."""
    return int(
        await value(
            conn,
            """
            UPDATE tenancy.guild_settings
            SET settings = %(settings)s::jsonb, version = version + 1, updated_at = now(), updated_by = %(by)s
            WHERE guild_id = %(guild)s AND feature = %(feature)s
            RETURNING version""",
            guild=guild,
            feature=feature,
            settings=orjson.dumps(settings).decode(),
            by=by,
        )
    )


async def feature_flag(conn: Conn, flag: str, guild: GuildId) -> bool | None:
    """Return the guild's own setting of a flag, else the global one, else None."""
    found = await value(
        conn,
        """
        SELECT enabled FROM tenancy.feature_flags
        WHERE flag = %(flag)s AND guild_id IN (0, %(guild)s) ORDER BY guild_id DESC LIMIT 1""",
        flag=flag,
        guild=guild,
    )
    return None if found is None else bool(found)
