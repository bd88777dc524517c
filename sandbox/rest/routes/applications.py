"""The application itself (contract sections 1.2 and 7)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox.interactions.rules.form import Form
from sandbox.rest.call import Call
from sandbox.rest.declare import Answer, Bucket, route
from sandbox.rest.errors import invalid_form, refused
from sandbox.world import Application
from sandbox.world.payloads import user_payload

LIMITED_INTENTS = 1 << 13 | 1 << 15 | 1 << 19
"""Flags that an application may set for itself."""

METADATA = Bucket("role-connections", 5, 5.0)
EVENTS = Literal[
    "APPLICATION_AUTHORIZED",
    "APPLICATION_DEAUTHORIZED",
    "ENTITLEMENT_CREATE",
    "ENTITLEMENT_UPDATE",
    "ENTITLEMENT_DELETE",
    "QUEST_USER_ENROLLMENT",
    "LOBBY_MESSAGE_CREATE",
    "LOBBY_MESSAGE_UPDATE",
    "LOBBY_MESSAGE_DELETE",
    "GAME_DIRECT_MESSAGE_CREATE",
    "GAME_DIRECT_MESSAGE_UPDATE",
    "GAME_DIRECT_MESSAGE_DELETE",
]
URLS = (
    "interactions_endpoint_url",
    "event_webhooks_url",
    "role_connections_verification_url",
    "custom_install_url",
)


class EditApplication(Form):
    description: str | None = Field(None, max_length=400)
    tags: list[str] | None = Field(None, max_length=5)
    flags: int | None = Field(None, ge=0)
    interactions_endpoint_url: str | None = None
    event_webhooks_url: str | None = None
    event_webhooks_status: Literal[1, 2] | None = None
    event_webhooks_types: list[EVENTS] | None = None
    role_connections_verification_url: str | None = None
    custom_install_url: str | None = None
    install_params: dict[str, Any] | None = None
    integration_types_config: dict[str, Any] | None = None


class Metadata(Form):
    type: int = Field(ge=1, le=8)
    key: str = Field(min_length=1, max_length=50, pattern=r"^[a-z0-9_]+$")
    name: str = Field(min_length=1, max_length=100)
    name_localizations: dict[str, str] | None = None
    description: str = Field(min_length=1, max_length=200)
    description_localizations: dict[str, str] | None = None


class MetadataList(Form):
    records: list[Metadata] = Field(max_length=5)


def application_payload(call: Call) -> dict[str, Any]:
    """Return the application as its own bot sees it."""
    application = call.world.application
    owner = user_payload(call.world.user(application.owner_id))
    payload: dict[str, Any] = {
        "id": str(application.id),
        "name": application.name,
        "icon": None,
        "description": application.description,
        "type": None,
        "bot": user_payload(call.world.user(application.bot_id)),
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "integration_types_config": application.integration_types_config,
        "verify_key": application.public_key,
        "flags": application.flags,
        "flags_new": str(application.flags),
        "tags": application.tags,
        "redirect_uris": [],
        "interactions_endpoint_url": application.interactions_endpoint_url,
        "role_connections_verification_url": application.role_connections_verification_url,
        "event_webhooks_url": application.event_webhooks_url,
        "event_webhooks_status": application.event_webhooks_status,
        "event_webhooks_types": application.event_webhooks_types,
        "owner": owner,
        "approximate_guild_count": len(call.world.bot_guilds()),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": ["identify", "guilds", "bot", "applications.commands"],
    }
    if application.custom_install_url is not None:
        payload["custom_install_url"] = application.custom_install_url
    if application.install_params is not None:
        payload["install_params"] = application.install_params
    return payload


@route("GET", "/applications/@me", bucket=Bucket("applications.me", 10, 10.0))
async def get_current_application(call: Call) -> Answer:
    """Get Current Application."""
    return Answer(body=application_payload(call))


@route("GET", "/oauth2/applications/@me", bucket=Bucket("oauth2.application", 10, 10.0))
async def get_current_bot_application(call: Call) -> Answer:
    """Get Current Bot Application Information."""
    return Answer(body=application_payload(call))


@route("PATCH", "/applications/@me", bucket=Bucket("applications.me.edit", 10, 10.0))
async def edit_current_application(call: Call) -> Answer:
    """Edit Current Application; a new endpoint URL must first pass Discord's checks (contract section 1.2)."""
    form = call.form(EditApplication)
    application = call.world.application
    given = form.model_fields_set
    for name in given.intersection(URLS):
        _check_url(name, getattr(form, name))
    url = form.interactions_endpoint_url
    if "interactions_endpoint_url" in given and url and call.sandbox.check_endpoint is not None:
        await call.sandbox.check_endpoint(url)
    event_url = form.event_webhooks_url
    if "event_webhooks_url" in given and event_url and call.sandbox.check_event_webhooks is not None:
        await call.sandbox.check_event_webhooks(event_url)
    _apply(application, form, given)
    call.world.save_application()
    return Answer(body=application_payload(call))


def _check_url(name: str, value: str | None) -> None:
    if value and not value.startswith(("http://", "https://")):
        text = "Scheme must be one of ('http', 'https')."
        raise invalid_form(name, code="URL_TYPE_INVALID_SCHEME", message=text)


def _apply(application: Application, form: EditApplication, given: set[str]) -> None:
    for name in given - {"flags"}:
        value = getattr(form, name)
        if value is None and name in {"description", "tags", "event_webhooks_status", "event_webhooks_types"}:
            continue
        if value is None and name == "integration_types_config":
            continue
        setattr(application, name, value or None if name in URLS else value)
    if form.flags is not None:
        application.flags = (application.flags & ~LIMITED_INTENTS) | (form.flags & LIMITED_INTENTS)


@route("GET", "/applications/{application_id}/role-connections/metadata", bucket=METADATA)
async def get_role_connection_metadata(call: Call) -> Answer:
    """Get Application Role Connection Metadata Records."""
    _own(call)
    return Answer(body=call.world.application.role_connections)


@route("PUT", "/applications/{application_id}/role-connections/metadata", bucket=METADATA)
async def update_role_connection_metadata(call: Call) -> Answer:
    """Update Application Role Connection Metadata Records: at most five, keys unique."""
    _own(call)
    call.body = {"records": call.body}
    records = call.form(MetadataList).records
    if len({record.key for record in records}) != len(records):
        text = "Metadata keys must be unique"
        raise invalid_form("key", code="APPLICATION_ROLE_CONNECTION_METADATA_KEYS_NOT_UNIQUE", message=text)
    stored = [{k: v for k, v in record.model_dump().items() if v is not None} for record in records]
    call.world.application.role_connections = stored
    call.world.save_application()
    return Answer(body=stored)


def _own(call: Call) -> None:
    if call.id("application_id") != call.world.application.id:
        raise refused(20012)


ROUTES = (
    get_current_application,
    get_current_bot_application,
    edit_current_application,
    get_role_connection_metadata,
    update_role_connection_metadata,
)
