"""Embeds as values with their limits (contract 4.7); those of a whole message are checked with the reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.interactions import limits
from app.interactions.errors import PayloadError
from app.interactions.rendering import Rendering
from app.locale.text import Text


@dataclass(frozen=True, slots=True)
class Field:
    """A field: name of at most 256, value of at most 1024 characters."""

    name: Text | str
    value: Text | str
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Embed:
    """An embed. `colour` is RGB (0xRRGGBB), `timestamp` aware; pictures are addresses or `attachment://name`."""

    title: Text | str | None = None
    description: Text | str | None = None
    fields: Sequence[Field] = ()
    url: str | None = None
    colour: int | None = None
    timestamp: datetime | None = None
    author: Text | str | None = None
    author_url: str | None = None
    author_icon: str | None = None
    footer: Text | str | None = None
    footer_icon: str | None = None
    image: str | None = None
    thumbnail: str | None = None

    def __post_init__(self) -> None:
        limits.check_count("fields in an embed", self.fields, 25, low=0)
        for what, url in (("an embed's url", self.url), ("an embed author's url", self.author_url)):
            if url is not None:
                limits.check_url(what, url)
        for picture in (self.author_icon, self.footer_icon, self.image, self.thumbnail):
            if picture is not None:
                limits.check_media("an embed's picture", picture)
        if self.colour is not None:
            limits.check_colour("an embed's colour", self.colour)
        if self.timestamp is not None and self.timestamp.tzinfo is None:
            raise PayloadError("an embed's timestamp needs a time zone")
        if self.author is None and (self.author_url or self.author_icon):
            raise PayloadError("an embed's author needs a name")
        if self.footer is None and self.footer_icon:
            raise PayloadError("an embed's footer needs a text")

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload: dict[str, Any] = {}
        if self.title is not None:
            payload["title"] = _text("an embed's title", self.title, 256, rendering)
        if self.description is not None:
            payload["description"] = _text("an embed's description", self.description, 4096, rendering)
        if self.fields:
            payload["fields"] = [_field(field, rendering) for field in self.fields]
        if self.author is not None:
            payload["author"] = {"name": _text("an embed author's name", self.author, 256, rendering)}
            payload["author"] |= _given(url=self.author_url, icon_url=self.author_icon)
        if self.footer is not None:
            payload["footer"] = {"text": _text("an embed's footer", self.footer, 2048, rendering)}
            payload["footer"] |= _given(icon_url=self.footer_icon)
        for name, picture in (("image", self.image), ("thumbnail", self.thumbnail)):
            if picture is not None:
                payload[name] = {"url": picture}
        if not payload:
            raise PayloadError("an embed is empty")
        if self.timestamp is not None:
            payload["timestamp"] = self.timestamp.isoformat()
        return payload | _given(url=self.url, color=self.colour)


def _text(what: str, text: Text | str, high: int, rendering: Rendering) -> str:
    return limits.check_text(what, rendering.text(text).strip(), high)  # Discord trims before it counts


def _field(field: Field, rendering: Rendering) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "name": _text("an embed field's name", field.name, 256, rendering),
        "value": _text("an embed field's value", field.value, 1024, rendering),
    }
    return payload | {"inline": True} if field.inline else payload


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
