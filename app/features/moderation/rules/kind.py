"""What a kind of rule is: a settings model, and how those settings become something that judges a message.

To add one: a file in `kinds/` with a `KIND = RuleKind(...)`. It then appears in `/rule` by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from app.errors import UserError
from app.events.message import Message
from app.features.moderation.text.view import TextView
from app.locale.text import Text, t


class InvalidRule(UserError):
    """The settings of a rule are wrong; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a rule looks at: the text's layers, and the message when there is one (a nickname has none)."""

    view: TextView
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A rule applies. `spans` are offsets into the original text; `detail` goes into the log, never the text."""

    detail: str
    spans: tuple[tuple[int, int], ...] = ()


class Judge(Protocol):
    """Compiled settings: pure and fast, called for every message."""

    def __call__(self, sample: Sample) -> Match | None:
        """Return the match, or None."""
        ...


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A kind of rule. `sentence` describes it to moderators; `category` names it in findings and statistics."""

    name: str
    sentence: Text
    settings: type[BaseModel]
    compile: Callable[[Any], Judge]
    category: str
    by_text: bool = True
    """Whether the text alone decides: then a verdict can be rebuilt from its record."""
    examples: Mapping[str, str] = field(default_factory=dict)

    def parse(self, settings: Mapping[str, Any]) -> BaseModel:
        """Check settings. Raises InvalidRule with the first problem, in words."""
        try:
            return self.settings.model_validate(settings)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in problem["loc"]) or self.name
            reason = problem["msg"].removeprefix("Value error, ")
            raise InvalidRule(t("`{field}`: {problem}", field=where, problem=reason)) from None


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
