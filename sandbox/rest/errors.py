"""Discord's error bodies: `{code, message, errors?}` with its documented codes and sentences (contract 4.1,
4.8).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sandbox.world import Unknown

TOO_FEW_OR_MANY = (
    "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100"
)

MESSAGES: dict[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10006: (404, "Unknown Invite"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10026: (404, "Unknown Ban"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    10066: (404, "Unknown application command permissions"),
    20012: (403, "You are not authorized to perform this action on this application"),
    20016: (429, "This action cannot be performed due to slowmode rate limit"),
    30003: (400, "Maximum number of pins reached for the channel (250)"),
    30005: (400, "Maximum number of guild roles reached (250)"),
    30010: (400, "Maximum number of reactions reached (20)"),
    30013: (400, "Maximum number of guild channels reached (500)"),
    30015: (400, "Maximum number of attachments in a message reached (10)"),
    30032: (400, "Maximum number of application commands reached"),
    30034: (429, "Max number of daily application command creates has been reached (200)"),
    40001: (401, "Unauthorized"),
    40003: (403, "You are opening direct messages too fast"),
    40005: (413, "Request entity too large"),
    40007: (403, "The user is banned from this guild"),
    40041: (400, "An application command with that name already exists"),
    40043: (400, "Application interaction failed to send"),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "Maximum number of follow-up messages reached"),
    40333: (403, "internal network error"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50016: (400, TOO_FEW_OR_MANY + " messages to delete"),
    50019: (400, "A message can only be pinned to the channel it was sent in"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50028: (400, "Invalid role"),
    50033: (400, "Invalid Recipient(s)"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50035: (400, "Invalid Form Body"),
    50041: (400, "Invalid API version"),
    50045: (400, "File uploaded exceeds the maximum size"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    50278: (403, "Cannot send messages to this user due to having no mutual guilds"),
    160002: (400, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
    160005: (400, "Thread is locked"),
    160014: (400, "You cannot forward a message whose content you cannot read"),
    500000: (400, "Failed to ban users"),
}
"""Discord's JSON error codes: the HTTP status that goes with each, and its sentence."""

UNKNOWN = {
    "channel": 10003,
    "guild": 10004,
    "member": 10007,
    "message": 10008,
    "role": 10011,
    "user": 10013,
    "ban": 10026,
    "command": 10063,
}


class ApiError(Exception):
    """An answer that is an error. `errors` mirrors the request with `_errors` lists at its leaves."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        errors: dict[str, Any] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.extra = extra or {}
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        body: dict[str, Any] = {"message": self.message, "code": self.code, **self.extra}
        return body if self.errors is None else {**body, "errors": self.errors}


def refused(code: int) -> ApiError:
    """Return the error of a documented code."""
    status, message = MESSAGES[code]
    return ApiError(status, code, message)


def unknown(error: Unknown) -> ApiError:
    """Return the 404 for something that the world does not know."""
    return refused(UNKNOWN[error.kind])


def plain(status: int) -> ApiError:
    """Return a general error (code 0), such as `401: Unauthorized`."""
    return ApiError(status, 0, f"{status}: {HTTPStatus(status).phrase}")


def invalid_form(*path: str, code: str, message: str) -> ApiError:
    """Return a 50035 with one problem at that path; array positions are string keys (contract section 4.1)."""
    node: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for key in reversed(path):
        node = {key: node}
    return ApiError(400, 50035, "Invalid Form Body", node)
