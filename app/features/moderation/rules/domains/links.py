"""Links in a text, as people hide them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
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
MOST_READ = 100
"""Names that are read in one layer; who writes more of them in 4,000 characters writes no links."""
MOST_FOREIGN = 10
"""Different names outside ASCII that are read in one message: each costs up to 100 µs."""


@dataclass(frozen=True, slots=True)
class Link:
    """A host in a text. `written_out`: with a scheme, so that Discord makes it a link."""

    host: str
    written_out: bool
    start: int
    end: int


def links_in(layer: Layer) -> list[Link]:
    """Return the hosts in a layer's text with offsets into the original, of the first 100 names (10 outside ASCII)."""
    text = layer.text
    if "." not in text and not any(dot in text for dot in "。．｡"):
        return []
    found: list[Link] = []
    known: dict[str, str | None] = {}
    foreign = 0
    for match in islice(_LINK.finditer(text), MOST_READ):
        scheme = match[1]
        name = match[2].translate(_DOTS)
        if "%" in name:
            name = unquote(name)
        if name not in known:
            foreign += not name.isascii()
            known[name] = host_in_text(name) if foreign <= MOST_FOREIGN or name.isascii() else None
        host = known[name]
        if host is None:
            continue
        last = host.rsplit(".", 1)[1]
        if last.isdigit() and not scheme:
            continue  # a version number
        start, end = layer.span(*match.span())
        found.append(Link(host, bool(scheme), start, end))
    return found
