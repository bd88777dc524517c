"""What a kind of rule is: a settings model, and how those settings become something that judges a message.

To add one: a file in `kinds/` with a `KIND = RuleKind(...)`, and its sub-command of `/rule` in `commands/`.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


PART = 4_500
"""Characters that are judged in one piece: more than the longest message or embed has. Forwards, embeds and files
make longer texts, whose parts are judged one by one: no single match call takes long."""
OVERLAP = 200
"""What two parts of one long text share, so that nothing hides at the cut."""
MOST_CHARACTERS = 60_000
"""More than Discord's limits allow for everything in a message together (contract sections 4.5 to 4.7)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a rule looks at: the text's layers, and the message when there is one (a nickname has none).

    A long text comes in parts: this one begins at `offset`, the others are `rest`.
    """

    view: TextView
    message: Message | None = None
    guild_id: int = 0
    roles: tuple[int, ...] = ()
    """Of the author, or of the member whose nickname it is."""
    channels: tuple[int, ...] = ()
    """Where it was written; of a thread also the channel that it belongs to."""

    offset: int = 0
    rest: tuple[Sample, ...] = ()

    @classmethod
    def parts_of(cls, message: Message) -> Iterator[Sample]:
        """Read everything readable in a message, part by part; one at least."""
        roles = message.member.roles if message.member else ()
        for offset, text in parts(message.texts()):
            view = TextView.of(text)
            yield cls(view, message, message.guild_id, roles, (message.channel_id,), offset)

    @classmethod
    def of_message(cls, message: Message) -> Sample:
        """Read everything readable in a message at once."""
        first, *rest = cls.parts_of(message)
        return replace(first, rest=tuple(rest)) if rest else first

    def parts(self) -> tuple[Sample, ...]:
        """Return this part and the others."""
        return (self, *self.rest)


def parts(texts: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the texts, a line for each, in parts of up to PART characters with where they begin; one part at least.

    Parts end and begin between words where there is a space, and overlap: nothing hides at a cut, and none makes a
    word that is not there.
    """
    whole = "\n".join(texts)[:MOST_CHARACTERS]
    start = 0
    while len(whole) - start > PART:
        limit = start + PART
        space = max(whole.rfind(mark, limit - OVERLAP, limit) for mark in " \n")
        end = limit if space < 0 else space
        yield start, whole[start:end]
        again = [at for mark in " \n" if (at := whole.find(mark, end - OVERLAP, end)) >= 0]
        start = min(again) + 1 if again else end - OVERLAP
    yield start, whole[start:] if start else whole


@dataclass(frozen=True, slots=True)
class Match:
    """A rule applies. `spans` are offsets into the original text; `detail` goes into the log, never the text.

    `unsure`: something could not be looked up, so people must look.
    """

    detail: str
    spans: tuple[tuple[int, int], ...] = ()
    unsure: bool = False

    def at(self, offset: int) -> Match:
        """Return the match in the whole text, for one in a part that begins at `offset`."""
        if not offset:
            return self
        return replace(self, spans=tuple((start + offset, end + offset) for start, end in self.spans))


class Judge(Protocol):
    """Compiled settings: pure and fast, called for every message."""

    def __call__(self, sample: Sample) -> Match | None:
        """Return the match, or None."""
        ...


class SteppedJudge(ABC):
    """A judge whose look at one text may take many milliseconds: it is done in steps, and others run in between."""

    @abstractmethod
    def steps(self, sample: Sample) -> Iterator[Match | None]:
        """Yield None after each step, and the match at last if there is one; each step is one match call."""

    def __call__(self, sample: Sample) -> Match | None:
        """Return the match, or None, at once."""
        return next((match for match in self.steps(sample) if match is not None), None)


def steps_of(judge: Judge, sample: Sample) -> Iterator[Match | None]:
    """Yield what the judge says, step by step if it has steps."""
    if isinstance(judge, SteppedJudge):
        yield from judge.steps(sample)
    else:
        yield judge(sample)


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
    as_written: bool = False
    """Whether it also looks at the text as written, which a record does not keep."""
    names: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    """The option of `/rule` that holds a setting, where it is called otherwise: refusals name what people typed."""
    watch: Callable[[Any], Watch] | None = None
    lists: Callable[[Any], Sequence[str]] | None = None
    compile_with: Callable[[Any, Mapping[str, DomainSet]], Judge] | None = None
    lint: Callable[[Any, Judge], None] | None = None
    most: int | None = None
    """Rules of the kind that a server may have; None: as many as of all kinds together."""

    def parse(self, settings: Mapping[str, Any]) -> BaseModel:
        """Check settings. Raises InvalidRule with the first problem, in words."""
        try:
            return self.settings.model_validate(settings)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            setting = str(problem["loc"][0]) if problem["loc"] else self.name
            option, said = self.options.get(setting, setting), problem_message(problem)
            if len(problem["loc"]) > 1 and isinstance(problem["input"], str):
                entry = problem["input"][:60]
                raise InvalidRule(
                    t("`{field}`, “{entry}”: {problem}", field=option, entry=entry, problem=said)
                ) from None
            raise InvalidRule(t("`{field}`: {problem}", field=option, problem=said)) from None


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
