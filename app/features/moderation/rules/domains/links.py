"""Links in a text, as people hide them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import re2

from app.features.moderation.rules.domains.names import host_in_text
from app.features.moderation.rules.patterns import options
from app.features.moderation.text.view import Layer

_LINK = re2.compile(
    r"(https?:[/\\]{1,4}(?:[^\s/\\<>()@]+@)?)?"
    r"((?:[\pL\pN_%-]+[.。．｡])+[\pL\pN%-]+)",
    options(),
)
"""A scheme with a user that looks like a host (google.com@evil.com), then labels with any dot that browsers take."""
_DOTS = str.maketrans({"。": ".", "．": ".", "｡": "."})
FOREIGN_COSTS = 10
"""So much more it costs to read a name outside ASCII: up to 100 µs."""


@dataclass(frozen=True, slots=True)
class Link:
    """A host in a text. `written_out`: with a scheme, so that Discord makes it a link. `place` is in the layer."""

    host: str
    written_out: bool
    layer: Layer
    place: tuple[int, int]

    @property
    def span(self) -> tuple[int, int]:
        """[start, end) in the original text."""
        return self.layer.span(*self.place)


def links_in(layer: Layer, *, step: int = sys.maxsize) -> Iterator[Link | None]:
    """Yield the hosts in a layer's text; None whenever about `step` new names have been read since the last None."""
    text = layer.text
    if "." not in text and not any(dot in text for dot in "。．｡"):
        return
    known: dict[str, str | None] = {}
    left = step
    for match in _LINK.finditer(text):
        scheme = match[1]
        name = match[2].translate(_DOTS)
        if "%" in name:
            name = unquote(name)
        left -= 1
        if name not in known:
            known[name] = host_in_text(name)
            left -= 0 if name.isascii() else FOREIGN_COSTS
        host = known[name]
        # Digits at the end are a version number, unless there is a scheme.
        if host is not None and (scheme or not host.rsplit(".", 1)[1].isdigit()):
            yield Link(host, bool(scheme), layer, match.span())
        if left <= 0:
            left = step
            yield None
