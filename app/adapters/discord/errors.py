"""What can go wrong with a call to Discord. Every error says which route, never which token.

    DiscordUnreachable  E001   network or 5xx until the retries or the deadline were used up
    LoggedOut           E002   the bot token is refused; all calls stop
    RateLimited         E003   no slot before the deadline
    DiscordRefused             Discord answered 4xx: `status`, `discord_code`, `problem`, `fields`
    ├── NotFound               10003-10066 and any 404: it is gone
    │   ├── UnknownInteraction 10062: too late
    │   └── UnknownWebhook     10015, 50027: that token is never used again
    ├── Forbidden              any 403
    │   ├── PermissionsRefused E006, 50001 and 50013: also an app.errors.MissingPermissions
    │   ├── CannotMessageUser  50007, 50278, 40003 (opening DMs too fast)
    │   └── SecondFactorNeeded 60003: the guild wants 2FA of the application's owner
    ├── InvalidRequest         50006, 50035, 50109, 40005, 50045, 30015: a mistake on our side, never retried
    │   └── MessagesTooOld     50034: bulk delete beyond 14 days
    ├── AlreadyAcknowledged    40060
    ├── FollowupLimit          40094
    ├── ContentBlocked         200000, 240000: AutoMod or the link filter
    ├── NobodyBanned           500000
    └── QuotaReached           30030-30046, 20016, 20028, 20029: a cap or write limit of Discord's

The numbers come from contract section 4.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app import errors as app_errors


class DiscordUnreachable(app_errors.DiscordUnreachable):
    """Discord did not answer `route`. `status` is the last 5xx, None after network errors."""

    def __init__(self, route: str, cause: str, *, status: int | None = None) -> None:
        super().__init__(f"{route}: {cause}")
        self.route = route
        self.status = status


class LoggedOut(app_errors.LoggedOut):
    """The bot token is refused, twice in a row (contract 4.2: stop all calls with that token)."""

    def __init__(self, route: str) -> None:
        super().__init__(f"{route}: Discord refuses the bot token")
        self.route = route


class RateLimited(app_errors.RateLimited):
    """`route` gets no slot in time: `wait` seconds were needed. `limit` names what is used up."""

    def __init__(self, route: str, limit: str, *, wait: float, deadline: float) -> None:
        super().__init__(
            f"{route}: {limit} frees a slot in {wait:.1f} s, the deadline is in {deadline:.1f} s"
        )
        self.route = route
        self.limit = limit
        self.wait = wait


class DiscordRefused(app_errors.AppError):
    """Discord answered with a 4xx status.

    `discord_code` is its JSON error code (0 = general or none), `problem` its message, `fields` the path of
    each invalid field with what is wrong with it.
    """

    def __init__(
        self, route: str, status: int, discord_code: int, problem: str, fields: Mapping[str, str]
    ) -> None:
        details = "".join(f"; {path}: {text}" for path, text in fields.items())
        super().__init__(f"{route}: {status}, Discord's code {discord_code}: {problem}{details}")
        self.route = route
        self.status = status
        self.discord_code = discord_code
        self.problem = problem
        self.fields = dict(fields)


class NotFound(DiscordRefused):
    """What the call names does not exist (any more)."""


class UnknownInteraction(NotFound):
    """The interaction is not known: answered too late, or its token has run out."""


class UnknownWebhook(NotFound):
    """The webhook or interaction token is not valid (any more)."""


class Forbidden(DiscordRefused):
    """Discord refuses the call to this bot."""


class PermissionsRefused(Forbidden, app_errors.MissingPermissions):
    """The bot lacks a permission or access."""


class CannotMessageUser(Forbidden):
    """The person takes no direct messages from the bot."""


class SecondFactorNeeded(Forbidden):
    """The server requires two-factor authentication of the application's owner."""


class InvalidRequest(DiscordRefused):
    """Discord could not read what we sent."""


class MessagesTooOld(InvalidRequest):
    """A message to be deleted in bulk is older than 14 days."""


class AlreadyAcknowledged(DiscordRefused):
    """The interaction has had its first response."""


class FollowupLimit(DiscordRefused):
    """The interaction allows no more follow-ups."""


class ContentBlocked(DiscordRefused):
    """The server's AutoMod or Discord's link filter blocked the text."""


class NobodyBanned(DiscordRefused):
    """A bulk ban banned nobody."""


class QuotaReached(DiscordRefused):
    """A cap of Discord's on how many of these may exist, or how fast they may be made."""


_BY_CODE: dict[int, type[DiscordRefused]] = {
    10003: NotFound,
    10004: NotFound,
    10006: NotFound,
    10007: NotFound,
    10008: NotFound,
    10011: NotFound,
    10013: NotFound,
    10015: UnknownWebhook,
    10026: NotFound,
    10062: UnknownInteraction,
    10063: NotFound,
    10066: NotFound,
    20016: QuotaReached,
    20028: QuotaReached,
    20029: QuotaReached,
    30015: InvalidRequest,
    30032: QuotaReached,
    30034: QuotaReached,
    30035: QuotaReached,
    30037: QuotaReached,
    30046: QuotaReached,
    40003: CannotMessageUser,
    40005: InvalidRequest,
    40060: AlreadyAcknowledged,
    40094: FollowupLimit,
    50001: PermissionsRefused,
    50006: InvalidRequest,
    50007: CannotMessageUser,
    50013: PermissionsRefused,
    50016: InvalidRequest,
    50027: UnknownWebhook,
    50034: MessagesTooOld,
    50035: InvalidRequest,
    50045: InvalidRequest,
    50109: InvalidRequest,
    50278: CannotMessageUser,
    60003: SecondFactorNeeded,
    200000: ContentBlocked,
    240000: ContentBlocked,
    500000: NobodyBanned,
}
_BY_STATUS: dict[int, type[DiscordRefused]] = {403: Forbidden, 404: NotFound}


def refusal(route: str, status: int, body: Any) -> DiscordRefused:
    """Turn a 4xx answer into the error that fits Discord's code, else the status. `body`: parsed or None."""
    data: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    code = data.get("code")
    code = code if isinstance(code, int) else 0
    problem = str(data.get("message") or "no message")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, DiscordRefused)
    return kind(route, status, code, problem, dict(_leaves(data.get("errors"), "")))


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Flatten Discord's nested `errors` object (contract 4.1): array positions are string keys."""
    if not isinstance(node, Mapping):
        return
    for key, child in node.items():
        if key == "_errors" and isinstance(child, list):
            texts = [str(e.get("message") or e.get("code")) for e in child if isinstance(e, Mapping)]
            yield path or "(body)", ", ".join(texts)
        else:
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
