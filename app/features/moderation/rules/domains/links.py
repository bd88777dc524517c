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
    r"(https?:[/\\]{1,4}(?:[^\s/\\<>?#]+@)?)?"
    r"((?:[\pL\pN_%-]+(?:[.。．｡]|%2e))+[\pL\pN%-]+)"
    r"|(https?:[/\\]{1,4})[^\s/\\<>?#]*[0-9a-z\]\x{80}-\x{10ffff}]",
    options(),
)
"""A scheme with a user that looks like a host (google.com@evil.com), then labels with any dot that browsers take, also
written as %2E; or a scheme with something else that leads somewhere: http://2130706433, http://[::1]."""
_DOTS = str.maketrans({"。": ".", "．": ".", "｡": "."})
_SIGNS = (".", "。", "．", "｡", "%2e", "http")
"""Without any of them there is no link."""
FOREIGN_COSTS = 10
"""So much more it costs to read a name outside ASCII: up to 100 µs."""


@dataclass(frozen=True, slots=True)
class Link:
    """A host in a text, "" for one that cannot be read. `place` is in the layer.

    `written_out`: with a scheme, so that Discord makes it a link.
    """

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
    if not any(sign in text for sign in _SIGNS):
        return
    known: dict[str, str | None] = {}
    left = step
    for match in _LINK.finditer(text):
        scheme = match[1] or match[3]
        name = (match[2] or "").translate(_DOTS)
        if "%" in name:
            name = unquote(name).translate(_DOTS)
        name = name.strip("_-")  # formatting (_evil.com_) and dashes beside it
        left -= 1
        if name not in known:
            known[name] = host_in_text(name)
            left -= 0 if name.isascii() else FOREIGN_COSTS
        host = known[name]
        # Digits at the end are a version number, unless there is a scheme.
        if scheme or (host is not None and not host.rsplit(".", 1)[1].isdigit()):
            yield Link(host or "", bool(scheme), layer, match.span())
        if left <= 0:
            left = step
            yield None
