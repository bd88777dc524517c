"""Changing a guild's rules: checked by the kind, recorded in the audit log, announced to every process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from app.adapters.postgres.pool import Conn, Pool, transaction
from app.errors import UserError
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.models import Sanction, Severity
from app.features.moderation.rules import store
from app.features.moderation.rules.domains import store as domain_store
from app.features.moderation.rules.engine import MODULE
from app.features.moderation.rules.kind import InvalidRule, RuleKind, kinds
from app.features.moderation.rules.store import Rule
from app.features.moderation.text.view import as_plain
from app.interactions.form_problems import FieldError
from app.locale.text import t
from app.snowflake import GuildId, UserId
from app.tenancy.guild_settings import GuildSettings

MAX_RULES = 100
"""Rules per guild: each is looked at for every message."""


class RuleEditing:
    """What `/rule` does."""

    def __init__(
        self, pool: Pool, settings: GuildSettings, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._audit = audit
        self._clock = clock

    async def put(
        self,
        guild: GuildId,
        kind: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        severity: Severity,
        sanction: Sanction | None = None,
        shadow: bool = False,
        expires_at: datetime | None = None,
        by: UserId,
    ) -> Rule:
        """Create or replace the rule of that name; its exemptions stay. Raises InvalidRule for wrong settings.

        A rule of another kind is not replaced: what it looks for would be lost.
        """
        if not as_plain(name).strip():
            raise InvalidRule(t("A rule's name needs a character that can be seen."))
        found = kinds()[kind]
        parsed = found.parse(settings)
        try:
            await asyncio.to_thread(_try_out, found, parsed)
        except ValueError as error:
            problem = error.text if isinstance(error, FieldError) else str(error)[:300]
            raise InvalidRule(t("This cannot be used: {problem}", problem=problem)) from None
        async with transaction(self._pool) as conn:
            known = await store.all_rules(conn, guild)
            before = next((rule for rule in known if rule.name == name), None)
            if before is not None and before.kind != kind:
                raise InvalidRule(
                    t(
                        "“{name}” is a rule of another kind: `{kind}`. Choose another name, or remove that rule first.",
                        name=name,
                        kind=before.kind,
                    )
                )
            if len(known) >= MAX_RULES and before is None:
                raise UserError(t("A server can have {count} rules. Remove one first.", count=MAX_RULES))
            of_kind = sum(rule.kind == kind for rule in known if rule.name != name)
            if found.most is not None and of_kind >= found.most:
                raise UserError(
                    t(
                        "A server can have {count} rules of this kind. Put more into one rule.",
                        count=found.most,
                    )
                )
            await self._need_lists(conn, guild, found.lists(parsed) if found.lists else ())
            rule = await store.put_rule(
                conn,
                guild,
                kind,
                name,
                parsed.model_dump(mode="json"),
                severity=severity,
                sanction=sanction,
                shadow=shadow,
                expires_at=expires_at,
                exempt_roles=before.exempt_roles if before else (),
                exempt_channels=before.exempt_channels if before else (),
                exempt_permissions=before.exempt_permissions if before else 0,
                by=by,
            )
            detail = {"rule": rule.rule_id, "version": rule.version, "kind": kind, "severity": int(severity)}
            entry = AuditEntry("rule.changed", f"rule:{rule.rule_id}", by, detail)
            await self._audit.append(conn, guild, entry, self._clock())
        await self._settings.announce(guild, MODULE)
        return rule

    @staticmethod
    async def _need_lists(conn: Conn, guild: GuildId, names: Sequence[str]) -> None:
        if not names:
            return
        known = {found.name for found in await domain_store.lists_of(conn, guild)}
        missing = sorted(set(names) - known)
        if missing:
            raise InvalidRule(
                t(
                    "There is no domain list “{name}”. `/rule domains import` makes one.",
                    name=missing[0][:100],
                )
            )

    async def find(self, guild: GuildId, name: str) -> Rule:
        """Return the rule. Raises UserError when there is none of that name."""
        async with transaction(self._pool) as conn:
            rule = await store.find_rule(conn, guild, name)
        if rule is None:
            raise UserError(t("There is no rule called “{name}”. `/rule list` shows all.", name=name[:100]))
        return rule

    async def all(self, guild: GuildId) -> list[Rule]:
        """Return the guild's rules by name."""
        async with transaction(self._pool) as conn:
            return await store.all_rules(conn, guild)

    async def change(self, guild: GuildId, name: str, *, by: UserId | None, **fields: Any) -> Rule:
        """Change `enabled`, `shadow`, `severity`, `exempt_roles` … of a rule; `by` None: automatic.

        Raises UserError when there is none.
        """
        async with transaction(self._pool) as conn:
            rule = await store.find_rule(conn, guild, name)
            if rule is None:
                raise UserError(
                    t("There is no rule called “{name}”. `/rule list` shows all.", name=name[:100])
                )
            values: dict[str, Any] = {
                "severity": Severity(rule.severity),
                "sanction": None if rule.sanction is None else Sanction(rule.sanction),
                "enabled": rule.enabled,
                "shadow": rule.shadow,
                "expires_at": rule.expires_at,
                "exempt_roles": rule.exempt_roles,
                "exempt_channels": rule.exempt_channels,
                "exempt_permissions": rule.exempt_permissions,
            } | fields
            changed = await store.put_rule(conn, guild, rule.kind, name, rule.settings, by=by, **values)
            entry = AuditEntry(
                "rule.changed",
                f"rule:{rule.rule_id}",
                by,
                {"fields": sorted(fields), "version": changed.version},
            )
            await self._audit.append(conn, guild, entry, self._clock())
        await self._settings.announce(guild, MODULE)
        return changed

    async def remove(self, guild: GuildId, name: str, *, by: UserId) -> None:
        """Remove a rule. Raises UserError when there is none of that name."""
        async with transaction(self._pool) as conn:
            rule = await store.find_rule(conn, guild, name)
            if rule is None or not await store.remove_rule(conn, guild, name):
                raise UserError(
                    t("There is no rule called “{name}”. `/rule list` shows all.", name=name[:100])
                )
            await self._audit.append(
                conn, guild, AuditEntry("rule.removed", f"rule:{rule.rule_id}", by), self._clock()
            )
        await self._settings.announce(guild, MODULE)


def _try_out(kind: RuleKind, settings: BaseModel) -> None:
    """Compile and lint: tenths of a second for large rules, so in a thread. Raises ValueError."""
    judge = kind.compile(settings)
    if kind.lint is not None:
        kind.lint(settings, judge)
