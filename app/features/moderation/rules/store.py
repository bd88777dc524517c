"""The tables of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.adapters.postgres.pool import Conn
from app.adapters.postgres.query import many, maybe, one, value
from app.features.moderation.models import Sanction, Severity
from app.snowflake import GuildId, UserId


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is stored. `settings` belong to the kind."""

    rule_id: int
    guild_id: int
    kind: str
    name: str
    version: int
    settings: Mapping[str, Any]
    severity: int
    sanction: str | None
    enabled: bool
    shadow: bool
    expires_at: datetime | None
    exempt_roles: Sequence[int]
    exempt_channels: Sequence[int]
    exempt_permissions: int = 0


async def active_rules(conn: Conn, guild: GuildId) -> list[Rule]:
    """Return the guild's enabled rules that have not expired, oldest first."""
    return await many(
        conn,
        Rule,
        """
        SELECT rule_id, guild_id, kind, name, version, settings, severity, sanction, enabled, shadow, expires_at,
               exempt_roles, exempt_channels, exempt_permissions
        FROM moderation.rules
        WHERE guild_id = %(guild)s AND enabled AND (expires_at IS NULL OR expires_at > now())
        ORDER BY rule_id""",
        guild=guild,
    )


async def all_rules(conn: Conn, guild: GuildId) -> list[Rule]:
    """Return all of the guild's rules, by name."""
    return await many(
        conn,
        Rule,
        """
        SELECT rule_id, guild_id, kind, name, version, settings, severity, sanction, enabled, shadow, expires_at,
               exempt_roles, exempt_channels, exempt_permissions
        FROM moderation.rules WHERE guild_id = %(guild)s ORDER BY name""",
        guild=guild,
    )


async def find_rule(conn: Conn, guild: GuildId, name: str) -> Rule | None:
    """Return the guild's rule of that name, locked until the transaction ends."""
    return await maybe(
        conn,
        Rule,
        """
        SELECT rule_id, guild_id, kind, name, version, settings, severity, sanction, enabled, shadow, expires_at,
               exempt_roles, exempt_channels, exempt_permissions
        FROM moderation.rules WHERE guild_id = %(guild)s AND name = %(name)s FOR UPDATE""",
        guild=guild,
        name=name,
    )


async def put_rule(
    conn: Conn,
    guild: GuildId,
    kind: str,
    name: str,
    settings: Mapping[str, Any],
    *,
    severity: Severity,
    sanction: Sanction | None = None,
    enabled: bool = True,
    shadow: bool = False,
    expires_at: datetime | None = None,
    exempt_roles: Sequence[int] = (),
    exempt_channels: Sequence[int] = (),
    exempt_permissions: int = 0,
    by: UserId | None,
) -> Rule:
    """Create the rule, or change the one of that name (its version grows); keep what it was; count the change."""
    rule = await one(
        conn,
        Rule,
        """
        INSERT INTO moderation.rules AS known (guild_id, kind, name, settings, severity, sanction, enabled, shadow,
                                               expires_at, exempt_roles, exempt_channels, exempt_permissions,
                                               created_by)
        VALUES (%(guild)s, %(kind)s, %(name)s, %(settings)s::jsonb, %(severity)s, %(sanction)s, %(enabled)s,
                %(shadow)s, %(expires_at)s, %(roles)s, %(channels)s, %(permissions)s, %(by)s)
        ON CONFLICT (guild_id, name) DO UPDATE
        SET kind = excluded.kind, settings = excluded.settings, severity = excluded.severity,
            sanction = excluded.sanction, enabled = excluded.enabled, shadow = excluded.shadow,
            expires_at = excluded.expires_at, exempt_roles = excluded.exempt_roles,
            exempt_channels = excluded.exempt_channels,
            exempt_permissions = excluded.exempt_permissions, version = known.version + 1, updated_at = now()
        RETURNING rule_id, guild_id, kind, name, version, settings, severity, sanction, enabled, shadow, expires_at,
                  exempt_roles, exempt_channels, exempt_permissions""",
        guild=guild,
        kind=kind,
        name=name,
        settings=orjson.dumps(settings).decode(),
        severity=int(severity),
        sanction=sanction,
        enabled=enabled,
        shadow=shadow,
        expires_at=expires_at,
        roles=list(exempt_roles),
        channels=list(exempt_channels),
        permissions=exempt_permissions,
        by=by,
    )
    await conn.execute(
        """
        INSERT INTO moderation.rule_versions
            (rule_id, version, guild_id, kind, settings, severity, sanction, changed_by)
        VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s, %s)""",
        (
            rule.rule_id,
            rule.version,
            guild,
            kind,
            orjson.dumps(settings).decode(),
            int(severity),
            sanction,
            by,
        ),
    )
    await count_change(conn, guild)
    return rule


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule as it was in one version."""

    kind: str
    settings: Mapping[str, Any]
    severity: int
    sanction: str | None


async def rule_version(conn: Conn, rule_id: int, version: int) -> RuleVersion | None:
    """Return what the rule was in that version, also after it was removed."""
    return await maybe(
        conn,
        RuleVersion,
        """
        SELECT kind, settings, severity, sanction FROM moderation.rule_versions
        WHERE rule_id = %(rule)s AND version = %(version)s""",
        rule=rule_id,
        version=version,
    )


async def remove_rule(conn: Conn, guild: GuildId, name: str) -> bool:
    """Delete the rule; its versions stay for the decision records. False: there is none of that name."""
    removed = await value(
        conn,
        "DELETE FROM moderation.rules WHERE guild_id = %(guild)s AND name = %(name)s RETURNING rule_id",
        guild=guild,
        name=name,
    )
    if removed is not None:
        await count_change(conn, guild)
    return removed is not None


async def count_change(conn: Conn, guild: GuildId) -> int:
    """Make every cache of the guild's rules stale; return the new version of the set."""
    return int(
        await value(
            conn,
            """
            INSERT INTO moderation.rule_sets AS known (guild_id) VALUES (%(guild)s)
            ON CONFLICT (guild_id) DO UPDATE SET version = known.version + 1
            RETURNING version""",
            guild=guild,
        )
    )


async def set_version(conn: Conn, guild: GuildId) -> int:
    """Return the version of the guild's rules; 0 when it never had any."""
    found = await value(
        conn, "SELECT version FROM moderation.rule_sets WHERE guild_id = %(guild)s", guild=guild
    )
    return int(found or 0)
