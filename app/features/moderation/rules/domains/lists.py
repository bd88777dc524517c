"""The domain lists of guilds: imported, removed, and held in the process by version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import UserError
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.rules import store as rules_store
from app.features.moderation.rules.domains import store
from app.features.moderation.rules.domains.names import DomainSet
from app.locale.text import t
from app.snowflake import GuildId, UserId
from app.tenancy.guild_settings import GuildSettings

MODULE = "moderation.rules"
"""Rules compile with their lists, so a changed list is announced as changed rules."""
MAX_LISTS = 20
MAX_DOMAINS = 250_000
CACHED_LISTS = 200
EMPTY = DomainSet()


class DomainLists:
    """What `/rule domains` does, and what rules compile with."""

    def __init__(
        self, pool: Pool, settings: GuildSettings, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._audit = audit
        self._clock = clock
        self._cache: dict[int, tuple[int, DomainSet]] = {}

    async def get(self, conn: Conn, guild: GuildId, name: str) -> DomainSet:
        """Return the list; an empty one when it was removed."""
        found = await store.find_list(conn, guild, name)
        if found is None:
            return EMPTY
        cached = self._cache.get(found.list_id)
        if cached is not None and cached[0] == found.version:
            return cached[1]
        loaded = await asyncio.to_thread(DomainSet.of, await store.domains_of(conn, found.list_id))
        if len(self._cache) >= CACHED_LISTS:
            self._cache.pop(next(iter(self._cache)))
        self._cache[found.list_id] = (found.version, loaded)
        return loaded

    async def all(self, guild: GuildId) -> list[store.DomainList]:
        """Return the guild's lists by name."""
        async with transaction(self._pool) as conn:
            return await store.lists_of(conn, guild)

    async def replace(
        self, guild: GuildId, name: str, domains: Iterable[str], *, source: str, by: UserId
    ) -> int:
        """Make the list hold exactly these entries and return how many. Raises UserError when they are too many."""
        unique = list(dict.fromkeys(domains))
        if len(unique) > MAX_DOMAINS:
            raise UserError(
                t(
                    "A list can have {most} domains; this one has {count}.",
                    most=MAX_DOMAINS,
                    count=len(unique),
                )
            )
        async with transaction(self._pool) as conn:
            known = {found.name for found in await store.lists_of(conn, guild)}
            if name not in known and len(known) >= MAX_LISTS:
                raise UserError(
                    t("A server can have {count} domain lists. Remove one first.", count=MAX_LISTS)
                )
            list_id = await store.put_list(conn, guild, name, source=source, entries=len(unique), by=by)
            await store.clear(conn, list_id)
            await store.fill(conn, list_id, unique)
            await rules_store.count_change(conn, guild)
            detail = {"list": name, "domains": len(unique)}
            entry = AuditEntry("domains.imported", f"list:{list_id}", by, detail)
            await self._audit.append(conn, guild, entry, self._clock())
        await self._settings.announce(guild, MODULE)
        return len(unique)

    async def remove(self, guild: GuildId, name: str, *, by: UserId) -> None:
        """Remove a list. Raises UserError when there is none, or a rule refers to it."""
        async with transaction(self._pool) as conn:
            for rule in await rules_store.all_rules(conn, guild):
                if name in rule.settings.get("lists", ()):
                    raise UserError(t("The rule “{rule}” uses this list. Change it first.", rule=rule.name))
            if not await store.remove_list(conn, guild, name):
                raise UserError(t("There is no domain list “{name}”.", name=name[:100]))
            await rules_store.count_change(conn, guild)
            await self._audit.append(
                conn, guild, AuditEntry("domains.removed", f"list:{name}", by), self._clock()
            )
        await self._settings.announce(guild, MODULE)
