"""What a kind of rule is: a settings model, and how those settings become something that judges a message.

To add one: a file in `kinds/` with a `KIND = RuleKind(...)`, and its sub-command of `/rule` in `commands/`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from app.errors import UserError
from app.events.message import Message
from app.features.moderation.rules.domains.names import DomainSet
from app.features.moderation.text.view import TextView
from app.interactions.form_problems import problem_message
from app.locale.text import Text, t


class InvalidRule(UserError):
    """The settings of a rule are wrong; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a rule looks at: the text's layers, and the message when there is one (a nickname has none)."""

    view: TextView
    message: Message | None = None
    guild_id: int = 0
    roles: tuple[int, ...] = ()
    """Of the author, or of the member whose nickname it is."""
    channels: tuple[int, ...] = ()
    """Where it was written; of a thread also the channel that it belongs to."""

    @classmethod
    def of_message(cls, message: Message) -> Sample:
        """Read everything readable in a message."""
        roles = message.member.roles if message.member else ()
        view = TextView.of("\n".join(message.texts()))
        return cls(view, message, message.guild_id, roles, (message.channel_id,))


@dataclass(frozen=True, slots=True)
class Match:
    """A rule applies. `spans` are offsets into the original text; `detail` goes into the log, never the text.

    `unsure`: something could not be looked up, so people must look.
    """

    detail: str
    spans: tuple[tuple[int, int], ...] = ()
    unsure: bool = False


class Judge(Protocol):
    """Compiled settings: pure and fast, called for every message."""

    def __call__(self, sample: Sample) -> Match | None:
        """Return the match, or None."""
        ...


class Windows(Protocol):
    """Counts happenings in sliding windows, shared by all processes."""

    async def count(self, key: str, member: str, at_ms: int, window_ms: int) -> int:
        """Add `member` once at its time and return how many lie in the window that ends with it.

        Raises RedisError or OSError when the shared store is gone.
        """
        ...


class InviteGuilds(Protocol):
    """Tells where an invite leads."""

    async def guild_of(self, code: str) -> int | None:
        """Return the guild's id; None: the invite leads nowhere. Raises LookupFailed."""
        ...


class LookupFailed(Exception):
    """Discord could not be asked."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a watch may ask; `rule_id` keeps the windows of rules apart."""

    windows: Windows
    invites: InviteGuilds
    rule_id: int = 0


class Watch(Protocol):
    """The second, asynchronous look of a rule, after all pure judges have spoken."""

    async def __call__(self, sample: Sample, match: Match | None, tools: Tools) -> Match | None:
        """Return the final match; `match` is what the kind's judge said."""
        ...


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A kind of rule. `sentence` describes it to moderators; `category` names it in findings and statistics.

    `names`: it also judges nicknames and names of threads. `watch` makes the asynchronous look. `lists` names the
    domain lists that settings refer to, `compile_with` compiles with them. `lint` raises ValueError for settings
    that would be too slow; it runs when somebody saves them, not when they are loaded.
    """

    name: str
    sentence: Text
    settings: type[BaseModel]
    compile: Callable[[Any], Judge]
    category: str
    by_text: bool = True
    """Whether the text alone decides: then a verdict can be rebuilt from its record."""
    names: bool = False
    watch: Callable[[Any], Watch] | None = None
    lists: Callable[[Any], Sequence[str]] | None = None
    compile_with: Callable[[Any, Mapping[str, DomainSet]], Judge] | None = None
    lint: Callable[[Any, Judge], None] | None = None

    def parse(self, settings: Mapping[str, Any]) -> BaseModel:
        """Check settings. Raises InvalidRule with the first problem, in words."""
        try:
            return self.settings.model_validate(settings)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in problem["loc"]) or self.name
            raise InvalidRule(
                t("`{field}`: {problem}", field=where, problem=problem_message(problem))
            ) from None


@cache
def kinds() -> Mapping[str, RuleKind]:
    """Return every kind by its name."""
    package = importlib.import_module(f"{__package__}.kinds")
    found: dict[str, RuleKind] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        kind = getattr(importlib.import_module(module.name), "KIND", None)
        if isinstance(kind, RuleKind):
            assert kind.name not in found, kind.name
            found[kind.name] = kind
    return found
