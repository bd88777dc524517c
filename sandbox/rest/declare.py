"""How a REST route is declared: `@route(...)` above the function that answers it.

    @route("DELETE", "/channels/{channel_id}/messages/{message_id}", bucket=Bucket("message.delete", 5, 1.0))
    async def delete_message(call: Call) -> Answer: ...

Path parameters that end in `_id` are ids; a value that is none is answered with 50035 before the function
runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.rest.call import Call

Handler = Callable[["Call"], Awaitable["Answer"]]

TOP_LEVEL = ("channel_id", "guild_id", "webhook_id", "token")
"""Path parameters that set buckets apart; a webhook counts together with its token (contract section 4.2)."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`limit` requests per `seconds` for one top-level resource. Routes with the same name share a bucket.

    Discord documents no route's numbers: these follow what clients commonly see.
    """

    name: str
    limit: int
    seconds: float

    @property
    def hash(self) -> str:
        """The opaque value of X-RateLimit-Bucket."""
        return blake2s(self.name.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out: a status and JSON (None: no body)."""

    status: int = 200
    body: Any = None


NO_CONTENT = Answer(204)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `token_in_path` routes need no bot token and stay outside the global limit (contract
    1.9).
    """

    method: str
    template: str
    handler: Handler
    bucket: Bucket
    token_in_path: bool = False
    public: bool = False

    @property
    def name(self) -> str:
        """Method and template: what trouble switches and the log call the route."""
        return f"{self.method} {self.template}"


def route(
    method: str,
    template: str,
    *,
    bucket: Bucket,
    token_in_path: bool = False,
    public: bool = False,
) -> Callable[[Handler], Route]:
    """Declare a route; the decorated name becomes the `Route`, collect it in the module's ROUTES."""

    def declare(handler: Handler) -> Route:
        return Route(method, template, handler, bucket, token_in_path, public)

    return declare
