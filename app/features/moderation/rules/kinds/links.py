"""Links: blocked domains, or only allowed ones; also disguised, in punycode, below a listed domain, or look-alikes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.features.moderation.rules.domains.links import Link, links_in
from app.features.moderation.rules.domains.names import DomainSet, Lookalikes, entry_of
from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample, SteppedJudge
from app.interactions.form_problems import FieldError
from app.locale.text import t

MAX_DOMAINS = 500
"""In the rule itself; more belong into a list."""
STEP = 100
"""Names that are read in one go, in about a millisecond."""
MOST_SHOWN = 20
"""Places of links in one message that are noted."""
MAX_LISTS = 20
MAX_PROTECTED = 2_000
"""Names whose look-alikes are caught; of longer allow lists only the rule's own names are."""


class LinkSettings(BaseModel):
    """`block`: links to listed domains match. `allow`: links to all other domains match.

    `lists` are domain lists of the server, added to `domains`. `protected` are domains whose look-alikes match.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["block", "allow"] = "block"
    domains: Annotated[tuple[str, ...], Field(max_length=MAX_DOMAINS)] = ()
    lists: Annotated[tuple[str, ...], Field(max_length=MAX_LISTS)] = ()
    protected: Annotated[tuple[str, ...], Field(max_length=MAX_DOMAINS)] = ()

    @field_validator("domains", "protected")
    @classmethod
    def _are_domains(cls, written: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for name in written:
            entry = entry_of(name)
            if entry is None:
                raise FieldError(
                    t(
                        "“{name}” is no domain. Write for example `example.com` or `=host.example.com`.",
                        name=name[:100],
                    )
                )
            found.append(entry)
        return tuple(dict.fromkeys(found))

    @model_validator(mode="after")
    def _names_something(self) -> LinkSettings:
        if self.mode == "block" and not (self.domains or self.lists or self.protected):
            raise FieldError(t("Name domains, lists, or domains to protect."))
        return self


class _Links(SteppedJudge):
    def __init__(self, settings: LinkSettings, lists: Mapping[str, DomainSet]) -> None:
        self._block = settings.mode == "block"
        own = DomainSet.of(settings.domains)
        self._sets = [own, *(found for name in settings.lists if (found := lists.get(name)) is not None)]
        protected = [name.removeprefix("=").removeprefix("*.") for name in settings.protected]
        if not self._block:
            protected += list(own.names())
            protected += [
                name for found in self._sets[1:] if len(found) <= MAX_PROTECTED for name in found.names()
            ]
        self._lookalikes = Lookalikes(protected)

    def steps(self, sample: Sample) -> Iterator[Match | None]:
        """Read the names of each layer, some at a time: 4,000 characters may hold a thousand."""
        view = sample.view
        spans: dict[tuple[int, int], str] = {}
        # Folding makes up hosts, so only what is blocked is looked for in it.
        twice = self._block and view.folded is not view.plain
        for layer in (view.plain, view.folded) if twice else (view.plain,):
            folded = layer is not view.plain
            for link in links_in(layer, step=STEP):
                if link is None:
                    yield None
                elif (problem := self._problem(link, folded=folded)) is not None:
                    spans.setdefault(link.span, problem)
            if spans:
                yield Match(f"{len(spans)} link(s), {next(iter(spans.values()))}", tuple(spans)[:MOST_SHOWN])
                return
            yield None

    def _problem(self, link: Link, *, folded: bool) -> str | None:
        """Say what is wrong with a link. The folded layer is only read for blocked names: it makes up others."""
        listed = any(found.find(link.host) is not None for found in self._sets)
        if self._block:
            if listed:
                return "blocked domain" if not folded else "looks like a blocked domain"
        elif listed:
            return None
        if folded:
            return None
        if self._lookalikes.imitated(link.host) is not None:
            return "looks like a protected domain"
        return "not on the allow list" if not self._block and link.written_out else None


def compile_links(settings: LinkSettings) -> Judge:
    """Return the judge with the rule's own domains only."""
    return _Links(settings, {})


def compile_with_lists(settings: LinkSettings, lists: Mapping[str, DomainSet]) -> Judge:
    """Return the judge with the lists that the server has imported."""
    return _Links(settings, lists)


def lists_of(settings: LinkSettings) -> Sequence[str]:
    """Return the names of the lists that the settings refer to."""
    return settings.lists


KIND = RuleKind(
    name="links",
    sentence=t("Links to blocked domains, or to all but allowed ones."),
    settings=LinkSettings,
    compile=compile_links,
    category="links",
    options={"protected": "protect"},
    names=True,
    lists=lists_of,
    compile_with=compile_with_lists,
)
