"""Every route of Discord's REST API that the platform calls: one table.

A rate-limit bucket belongs to (identity, the opaque bucket id that Discord sends, top-level resource).
Top-level resources are only `channel_id`, `guild_id` and `webhook_id` with or without its token (contract
section 4.2); the other ids in a path share one bucket. Routes that carry a webhook or interaction token need
no bot token and do not count towards the global limit (contract section 1.9).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from app.adapters.discord.priority import Priority

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TOP_LEVEL = ("channel_id", "guild_id", "webhook_id", "webhook_token", "interaction_token")
_TOKENS = frozenset({"webhook_token", "interaction_token"})

INTERACTION, MODERATION, ASSISTANT, LOGS, BULK = Priority


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `idempotent`: sending it twice has the effect of sending it once."""

    method: str
    template: str
    priority: Priority
    idempotent: bool = True

    @property
    def name(self) -> str:
        """Method and template, free of ids and tokens: for logs, metrics and errors."""
        return f"{self.method} {self.template}"

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The ids that the path needs, in order."""
        return tuple(_PLACEHOLDER.findall(self.template))

    @property
    def top_level(self) -> tuple[str, ...]:
        """Those placeholders that set buckets of this route apart."""
        return tuple(name for name in self.placeholders if name in _TOP_LEVEL)

    @property
    def has_token(self) -> bool:
        """The path itself authorises the call: no bot token, outside the global limit."""
        return not _TOKENS.isdisjoint(self.placeholders)

    def at(self, **ids: int | str) -> Target:
        """Fill in the path. Raises ValueError unless exactly the placeholders are given."""
        if set(ids) != set(self.placeholders):
            raise ValueError(f"{self.name} needs {self.placeholders}, got {tuple(ids)}")
        return Target(self, ids)


@dataclass(frozen=True, slots=True)
class Target:
    """A route with its ids: what a call goes to."""

    route: Route
    ids: Mapping[str, int | str]

    @property
    def path(self) -> str:
        """The path below the API's root. It may hold a token: never log it."""
        filled = {name: quote(str(value), safe="@") for name, value in self.ids.items()}
        return self.route.template.format_map(filled)

    @property
    def top_level(self) -> str:
        """Key of the top-level resource, tokens replaced by a digest; `-` if the route has none."""
        names = self.route.top_level
        return ":".join(_key(name, self.ids[name]) for name in names) or "-"

    @property
    def webhook(self) -> str | None:
        """Digest of the path's token, which stands for its webhook or interaction; None without one."""
        return next((_key(name, self.ids[name]) for name in self.route.placeholders if name in _TOKENS), None)


def _key(name: str, value: int | str) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()[:24] if name in _TOKENS else str(value)


# Messages
GET_MESSAGES = Route("GET", "/channels/{channel_id}/messages", LOGS)
GET_MESSAGE = Route("GET", "/channels/{channel_id}/messages/{message_id}", MODERATION)
CREATE_MESSAGE = Route("POST", "/channels/{channel_id}/messages", ASSISTANT, idempotent=False)
EDIT_MESSAGE = Route("PATCH", "/channels/{channel_id}/messages/{message_id}", ASSISTANT)
DELETE_MESSAGE = Route("DELETE", "/channels/{channel_id}/messages/{message_id}", MODERATION)
BULK_DELETE_MESSAGES = Route("POST", "/channels/{channel_id}/messages/bulk-delete", MODERATION)
PIN_MESSAGE = Route("PUT", "/channels/{channel_id}/messages/pins/{message_id}", ASSISTANT)
UNPIN_MESSAGE = Route("DELETE", "/channels/{channel_id}/messages/pins/{message_id}", ASSISTANT)
CREATE_REACTION = Route(
    "PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me", ASSISTANT
)
TRIGGER_TYPING = Route("POST", "/channels/{channel_id}/typing", ASSISTANT)
# Channels
GET_CHANNEL = Route("GET", "/channels/{channel_id}", MODERATION)
MODIFY_CHANNEL = Route("PATCH", "/channels/{channel_id}", MODERATION)
DELETE_CHANNEL = Route("DELETE", "/channels/{channel_id}", MODERATION)
EDIT_CHANNEL_PERMISSIONS = Route("PUT", "/channels/{channel_id}/permissions/{overwrite_id}", MODERATION)
DELETE_CHANNEL_PERMISSION = Route("DELETE", "/channels/{channel_id}/permissions/{overwrite_id}", MODERATION)
START_THREAD_FROM_MESSAGE = Route(
    "POST", "/channels/{channel_id}/messages/{message_id}/threads", ASSISTANT, idempotent=False
)
# Guilds
GET_GUILD = Route("GET", "/guilds/{guild_id}", MODERATION)
GET_GUILD_CHANNELS = Route("GET", "/guilds/{guild_id}/channels", MODERATION)
GET_GUILD_ROLES = Route("GET", "/guilds/{guild_id}/roles", MODERATION)
GET_GUILD_AUDIT_LOG = Route("GET", "/guilds/{guild_id}/audit-logs", LOGS)
MODIFY_GUILD_INCIDENT_ACTIONS = Route("PUT", "/guilds/{guild_id}/incident-actions", MODERATION)
GET_INVITE = Route("GET", "/invites/{invite_code}", MODERATION)
GET_CURRENT_USER_GUILDS = Route("GET", "/users/@me/guilds", LOGS)
LEAVE_GUILD = Route("DELETE", "/users/@me/guilds/{guild_id}", LOGS)
# Members, bans, roles
GET_GUILD_MEMBER = Route("GET", "/guilds/{guild_id}/members/{user_id}", MODERATION)
LIST_GUILD_MEMBERS = Route("GET", "/guilds/{guild_id}/members", BULK)
SEARCH_GUILD_MEMBERS = Route("GET", "/guilds/{guild_id}/members/search", ASSISTANT)
MODIFY_GUILD_MEMBER = Route("PATCH", "/guilds/{guild_id}/members/{user_id}", MODERATION)
REMOVE_GUILD_MEMBER = Route("DELETE", "/guilds/{guild_id}/members/{user_id}", MODERATION)
GET_GUILD_BANS = Route("GET", "/guilds/{guild_id}/bans", LOGS)
GET_GUILD_BAN = Route("GET", "/guilds/{guild_id}/bans/{user_id}", MODERATION)
CREATE_GUILD_BAN = Route("PUT", "/guilds/{guild_id}/bans/{user_id}", MODERATION)
REMOVE_GUILD_BAN = Route("DELETE", "/guilds/{guild_id}/bans/{user_id}", MODERATION)
BULK_GUILD_BAN = Route("POST", "/guilds/{guild_id}/bulk-ban", MODERATION, idempotent=False)
ADD_GUILD_MEMBER_ROLE = Route("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", MODERATION)
REMOVE_GUILD_MEMBER_ROLE = Route("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", MODERATION)
# Users
GET_CURRENT_USER = Route("GET", "/users/@me", MODERATION)
GET_USER = Route("GET", "/users/{user_id}", MODERATION)
CREATE_DM = Route("POST", "/users/@me/channels", MODERATION)
# Interactions and webhooks
CREATE_INTERACTION_RESPONSE = Route(
    "POST", "/interactions/{interaction_id}/{interaction_token}/callback", INTERACTION, idempotent=False
)
GET_ORIGINAL_RESPONSE = Route("GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", INTERACTION)
EDIT_ORIGINAL_RESPONSE = Route(
    "PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", INTERACTION
)
DELETE_ORIGINAL_RESPONSE = Route(
    "DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", INTERACTION
)
EXECUTE_WEBHOOK = Route("POST", "/webhooks/{webhook_id}/{webhook_token}", INTERACTION, idempotent=False)
GET_WEBHOOK_MESSAGE = Route(
    "GET", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", INTERACTION
)
EDIT_WEBHOOK_MESSAGE = Route(
    "PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", INTERACTION
)
DELETE_WEBHOOK_MESSAGE = Route(
    "DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", INTERACTION
)
# The application
GET_CURRENT_APPLICATION = Route("GET", "/applications/@me", LOGS)
EDIT_CURRENT_APPLICATION = Route("PATCH", "/applications/@me", LOGS)
GET_GLOBAL_COMMANDS = Route("GET", "/applications/{application_id}/commands", LOGS)
BULK_OVERWRITE_GLOBAL_COMMANDS = Route("PUT", "/applications/{application_id}/commands", BULK)
GET_GUILD_COMMANDS = Route("GET", "/applications/{application_id}/guilds/{guild_id}/commands", LOGS)
BULK_OVERWRITE_GUILD_COMMANDS = Route(
    "PUT", "/applications/{application_id}/guilds/{guild_id}/commands", BULK
)
GET_GUILD_COMMAND_PERMISSIONS = Route(
    "GET", "/applications/{application_id}/guilds/{guild_id}/commands/permissions", LOGS
)
GET_ROLE_CONNECTION_METADATA = Route("GET", "/applications/{application_id}/role-connections/metadata", LOGS)
SET_ROLE_CONNECTION_METADATA = Route("PUT", "/applications/{application_id}/role-connections/metadata", BULK)
GET_GATEWAY_BOT = Route("GET", "/gateway/bot", MODERATION)

ROUTES: tuple[Route, ...] = tuple(value for value in globals().values() if isinstance(value, Route))
