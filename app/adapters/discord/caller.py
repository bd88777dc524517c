"""The seam between the operations and the machinery that sends them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

from app.adapters.discord.priority import Priority
from app.adapters.discord.routes import Target

Json: TypeAlias = dict[str, Any]
"""A parsed JSON object, with the fields that Discord documents for it."""

QUIET: Mapping[str, Any] = {"parse": []}
"""`allowed_mentions` that pings nobody: what every message gets that names no other (contract 4.5)."""


class Options(TypedDict, total=False):
    """What every operation takes: `priority` (default: the route's), `deadline` and `patience` in seconds."""

    priority: Priority | None
    deadline: float | None
    patience: float | None


class Audited(Options, total=False):
    """Also a `reason` for the guild's audit log; everyone with access to that log reads it (contract 4.3)."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach; `attachment://NAME` refers to it in embeds and components (contract 4.6)."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"
    description: str | None = None
    spoiler: bool = False


class Caller(ABC):
    """Sends one call. Operations are written against this."""

    @abstractmethod
    async def request(
        self,
        target: Target,
        *,
        json: Any = None,
        query: Mapping[str, Any] | None = None,
        files: Sequence[File] = (),
        reason: str | None = None,
        priority: Priority | None = None,
        deadline: float | None = None,
        patience: float | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        """Send a call within `deadline` seconds and return the parsed answer, None for an empty one.

        `priority` defaults to the route's, `deadline` to the priority's. With `patience` the call waits for a
        slot of the rate limits no longer than that: RateLimited then tells how long it would have been, and that
        Discord has done nothing. `reason` goes into the guild's audit log. `idempotent` overrides the route's,
        e.g. for a create with an enforced nonce.
        Raises the errors of `errors.py`.
        """

    @property
    @abstractmethod
    def application_id(self) -> int:
        """Raise ConfigurationError if DISCORD_APPLICATION_ID is not set."""


def created(message: Mapping[str, Any], files: Sequence[File] = ()) -> Json:
    """Return the body of a new message: it pings nobody unless `allowed_mentions` is given."""
    return _with_files({"allowed_mentions": dict(QUIET), **message}, files)


def edited(message: Mapping[str, Any], files: Sequence[File] = ()) -> Json:
    """Return the body of an edit. Edited text is parsed for mentions anew, so it pings nobody either."""
    quiet = {"allowed_mentions": dict(QUIET)} if message.keys() & {"content", "components", "embeds"} else {}
    return _with_files({**quiet, **message}, files)


def _with_files(body: Json, files: Sequence[File]) -> Json:
    if files:
        kept = list(body.get("attachments") or [])
        body["attachments"] = kept + [_attachment(number, file) for number, file in enumerate(files)]
    return body


def _attachment(number: int, file: File) -> Json:
    attachment: Json = {"id": str(number), "filename": file.name}
    if file.description is not None:
        attachment["description"] = file.description
    if file.spoiler:
        attachment["is_spoiler"] = True
    return attachment
