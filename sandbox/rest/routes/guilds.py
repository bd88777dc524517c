"""Guilds: reading and editing them, the audit log, incident actions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.authority import guild_of
from sandbox.rest.call import Call
from sandbox.rest.declare import Answer, Bucket, route
from sandbox.rest.errors import invalid_form
from sandbox.world import AuditEntry, Permission
from sandbox.world.payloads import channel_payload, command_payload, guild_payload, user_payload
from sandbox.world.snowflakes import created_ms, iso
from sandbox.world.state import audit_payload

P = Permission
INCIDENT_MS = 24 * 3600 * 1000
"""Incident actions reach at most 24 hours ahead (contract section 4.4)."""

AUDIT_DAYS_MS = 45 * 24 * 3600 * 1000
"""Audit entries last 45 days (contract section 4.3)."""


class EditGuild(Form):
    name: str | None = Field(None, min_length=2, max_length=100)
    description: str | None = Field(None, max_length=300)
    preferred_locale: str | None = None
    verification_level: int | None = Field(None, ge=0, le=4)


class IncidentActions(Form):
    invites_disabled_until: str | None = None
    dms_disabled_until: str | None = None


def moment(name: str, value: str) -> int:
    """Return an ISO 8601 time in Unix milliseconds. Raises 50035."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        text = f"Could not parse {value[:40]}. Should be ISO8601."
        raise invalid_form(name, code="DATE_TIME_TYPE_PARSE", message=text) from None
    return int((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1000)


@route("GET", "/guilds/{guild_id}", bucket=Bucket("guilds.get", 10, 10.0))
async def get_guild(call: Call) -> Answer:
    """Get Guild."""
    guild = guild_of(call)
    body = guild_payload(call.world, guild)
    if call.flag("with_counts"):
        online = [m for m in guild.members if call.world.user(m).presence != "offline"]
        body |= {"approximate_member_count": len(guild.members), "approximate_presence_count": len(online)}
    return Answer(body=body)


@route("PATCH", "/guilds/{guild_id}", bucket=Bucket("guilds.edit", 5, 10.0))
async def modify_guild(call: Call) -> Answer:
    """Modify Guild: MANAGE_GUILD."""
    form = call.form(EditGuild)
    guild = guild_of(call, P.MANAGE_GUILD)
    fields = {name: getattr(form, name) for name in form.model_fields_set}
    fields = {k: v for k, v in fields.items() if v is not None or k == "description"}
    edited = call.world.edit_guild(guild.id, actor=call.bot_id, reason=call.reason, **fields)
    return Answer(body=guild_payload(call.world, edited))


@route("GET", "/guilds/{guild_id}/preview", bucket=Bucket("guilds.preview", 5, 5.0))
async def get_guild_preview(call: Call) -> Answer:
    """Get Guild Preview."""
    guild = guild_of(call)
    full = guild_payload(call.world, guild)
    names = (
        "id",
        "name",
        "icon",
        "splash",
        "discovery_splash",
        "emojis",
        "features",
        "description",
        "stickers",
    )
    counts = {
        "approximate_member_count": len(guild.members),
        "approximate_presence_count": len(guild.members),
    }
    return Answer(body={**{name: full[name] for name in names}, **counts, "home_header": None})


@route("PUT", "/guilds/{guild_id}/incident-actions", bucket=Bucket("guilds.incidents", 5, 10.0))
async def modify_guild_incident_actions(call: Call) -> Answer:
    """Modify Guild Incident Actions: MANAGE_GUILD, at most 24 hours ahead; null switches off."""
    form = call.form(IncidentActions)
    guild = guild_of(call, P.MANAGE_GUILD)
    fields: dict[str, int | None] = {}
    latest = call.world.clock() + INCIDENT_MS
    for name in form.model_fields_set & {"invites_disabled_until", "dms_disabled_until"}:
        value = getattr(form, name)
        until = None if value is None else moment(name, value)
        if until is not None and until > latest + 60_000:
            text = "Must be at most 24 hours in the future."
            raise invalid_form(name, code="BASE_TYPE_MAX_DATE", message=text)
        fields[f"{name}_ms"] = until
    edited = call.world.edit_guild(guild.id, actor=call.bot_id, reason=call.reason, **fields)
    return Answer(
        body={
            "invites_disabled_until": _iso(edited.invites_disabled_until_ms),
            "dms_disabled_until": _iso(edited.dms_disabled_until_ms),
        }
    )


def _iso(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else iso(unix_ms)


@route("GET", "/guilds/{guild_id}/audit-logs", bucket=Bucket("guilds.audit", 5, 5.0))
async def get_guild_audit_log(call: Call) -> Answer:
    """Get Guild Audit Log: VIEW_AUDIT_LOG; `before` descending, `after` ascending."""
    guild = guild_of(call, P.VIEW_AUDIT_LOG)
    limit = call.integer("limit", 50, 1, 100)
    user_id, before, after = (call.snowflake(name) for name in ("user_id", "before", "after"))
    action = call.integer("action_type", 0, 0, 1000)
    oldest = call.world.clock() - AUDIT_DAYS_MS
    found = [
        entry
        for entry in guild.audit
        if (user_id is None or entry.user_id == user_id)
        and (not action or entry.action_type == action)
        and (before is None or entry.id < before)
        and (after is None or entry.id > after)
        and created_ms(entry.id) >= oldest
    ]
    chosen = found[:limit] if after is not None else found[::-1][:limit]
    return Answer(body=_audit_body(call, chosen))


def _audit_body(call: Call, entries: list[AuditEntry]) -> dict[str, Any]:
    ids = {i for e in entries for i in (e.user_id, e.target_id) if i is not None}
    world = call.world
    threads = [world.channels[i] for i in ids if i in world.channels and world.channels[i].is_thread]
    commands = [world.commands[i] for i in ids if i in world.commands]
    return {
        "audit_log_entries": [audit_payload(entry) for entry in entries],
        "users": [user_payload(world.users[i]) for i in sorted(ids) if i in world.users],
        "threads": [channel_payload(world, thread) for thread in threads],
        "application_commands": [command_payload(world, command) for command in commands],
        "integrations": [],
        "webhooks": [],
        "guild_scheduled_events": [],
        "auto_moderation_rules": [],
    }


ROUTES = (
    get_guild,
    modify_guild,
    get_guild_preview,
    modify_guild_incident_actions,
    get_guild_audit_log,
)
