"""Links in a text, as people hide them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

import re2

from app.features.moderation.rules.domains.names import normal_host
from app.features.moderation.rules.patterns import options
from app.features.moderation.text.view import Layer

_LINK = re2.compile(
    r"(https?:[/\\]{1,4}(?:[^\s/\\<>()@]+@)?)?"
    r"((?:[\pL\pN_%-]+[.。．｡])+[\pL\pN%-]+)",
    options(),
)
"""A scheme with a user that looks like a host (google.com@evil.com), then labels with any dot that browsers take."""
_DOTS = str.maketrans({"。": ".", "．": ".", "｡": "."})
MOST_LINKS = 200


@dataclass(frozen=True, slots=True)
class Link:
    """A host in a text. `written_out`: with a scheme, so that Discord makes it a link."""

    host: str
    written_out: bool
    start: int
    end: int


def links_in(layer: Layer) -> list[Link]:
    """Return the hosts in a layer's text with offsets into the original; at most 200."""
    text = layer.text
    if "." not in text and not any(dot in text for dot in "。．｡"):
        return []
    found = []
    for match in _LINK.finditer(text):
        scheme = match[1]
        name = match[2].translate(_DOTS)
        if "%" in name:
            name = unquote(name)
        host = normal_host(name)
        if host is None:
            continue
        last = host.rsplit(".", 1)[1]
        if last.isdigit() and not scheme:
            continue  # a version number
        start, end = layer.span(*match.span())
        found.append(Link(host, bool(scheme), start, end))
        if len(found) >= MOST_LINKS:
            break
    return found
