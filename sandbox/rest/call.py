"""One request, as the function that answers it sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.datastructures import Headers, QueryParams

from sandbox.interactions.files import Upload
from sandbox.interactions.rules.form import Form, parse
from sandbox.rest.declare import Route
from sandbox.rest.errors import invalid_form
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.instance import Sandbox

MAX_SNOWFLAKE = 2**63 - 1
F = TypeVar("F", bound=Form)


@dataclass(slots=True)
class Call:
    """A request that has passed authentication and rate limits.

    `params` holds the path's parameters (those that end in `_id` as ints), `body` the parsed JSON (for
    multipart the `payload_json` part), `reason` the decoded audit-log reason. `is_bot` says that the bot
    token was given.
    """

    sandbox: Sandbox
    route: Route
    params: Mapping[str, int | str]
    query: QueryParams
    headers: Headers
    body: Any = None
    files: list[Upload] = field(default_factory=list)
    reason: str | None = None
    ip: str = ""
    is_bot: bool = False

    @property
    def world(self) -> World:
        """The world that the call acts on."""
        return self.sandbox.world

    @property
    def bot_id(self) -> int:
        """The user that acts: the application's bot."""
        return self.sandbox.world.bot_id

    def id(self, name: str) -> int:
        """Return an id of the path."""
        return int(self.params[name])

    def text(self, name: str) -> str:
        """Return another parameter of the path."""
        return str(self.params[name])

    def form(self, model: type[F]) -> F:
        """Read the body as `model`. Raises InvalidForm."""
        return parse(model, {} if self.body is None else self.body)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a query boolean: true/True/1, false/False/0 (contract section 0)."""
        value = self.query.get(name)
        if value is None:
            return default
        if value in {"true", "True", "1"}:
            return True
        if value in {"false", "False", "0"}:
            return False
        raise invalid_form(name, code="BOOLEAN_TYPE_PARSE", message="Must be either true or false.")

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a query integer within bounds."""
        value = self.query.get(name)
        if value is None:
            return default
        if not value.lstrip("-").isdecimal():
            raise invalid_form(name, code="NUMBER_TYPE_COERCE", message=f'Value "{value}" is not int.')
        number = int(value)
        if number < low:
            message = f"int value should be greater than or equal to {low}."
            raise invalid_form(name, code="NUMBER_TYPE_MIN", message=message)
        if number > high:
            message = f"int value should be less than or equal to {high}."
            raise invalid_form(name, code="NUMBER_TYPE_MAX", message=message)
        return number

    def snowflake(self, name: str) -> int | None:
        """Return a query id, None when it is absent."""
        value = self.query.get(name)
        return None if value is None else read_snowflake(name, value)


def read_snowflake(name: str, value: Any) -> int:
    """Return an id. Raises 50035 with Discord's words for anything else."""
    text = str(value)
    if not (text.isascii() and text.isdecimal()) or int(text) > MAX_SNOWFLAKE:
        raise invalid_form(name, code="NUMBER_TYPE_COERCE", message=f'Value "{text[:40]}" is not snowflake.')
    return int(text)
