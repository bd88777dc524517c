"""The body of a message, and what Discord limits over the whole of it (contract 1.7, 3.2, 4.7).

A message is classic (content, embeds, up to five rows) or components v2 (only components, up to 40 with nested
ones, and a flag that can never be taken off again). Which it is follows from the components it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.interactions import limits
from app.interactions.components import ComponentType
from app.interactions.errors import PayloadError
from app.interactions.rendering import Renderable, Rendering
from app.interactions.replies import MessageFlag
from app.locale.text import Text

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_CHARACTERS = 6000
"""Titles, descriptions, field names and values, footers and authors of all embeds together (contract 4.7)."""
MAX_ROWS = 5
MAX_COMPONENTS = 40
MAX_V2_TEXT = 4000
"""Of one Text Display by the OpenAPI document; we hold all of a message together to it."""

_ROW_WIDTH = 5
_SELECTS = frozenset(
    {
        ComponentType.STRING_SELECT,
        ComponentType.USER_SELECT,
        ComponentType.ROLE_SELECT,
        ComponentType.MENTIONABLE_SELECT,
        ComponentType.CHANNEL_SELECT,
    }
)
_V2 = frozenset(
    {
        ComponentType.SECTION,
        ComponentType.TEXT_DISPLAY,
        ComponentType.MEDIA_GALLERY,
        ComponentType.FILE,
        ComponentType.SEPARATOR,
        ComponentType.CONTAINER,
    }
)


def message_body(
    rendering: Rendering,
    content: Text | str | None,
    components: Sequence[Renderable],
    embeds: Sequence[Renderable],
    *,
    complete: bool = False,
    stays_v2: bool = False,
) -> dict[str, Any]:
    """Return `content`, `embeds`, `components` and, for components v2, `flags`.

    With `complete` every key is there, so that an edit leaves nothing of what the message was; `stays_v2` tells that
    it has the flag already. Raises PayloadError naming the broken limit.
    """
    rows = arrange([component.render(rendering) for component in components])
    text = None if content is None else rendering.text(content)
    if stays_v2 or any(row["type"] in _V2 for row in rows):
        return _v2_body(text, rows, embeds, complete=complete)
    limits.check_count("rows of components in a message", rows, MAX_ROWS, low=0)
    _check_custom_ids(rows)
    rendered = [embed.render(rendering) for embed in embeds]
    _check_embeds(rendered)
    if not (text or rendered or rows):
        raise PayloadError("the message is empty; it needs a text, an embed or a component")
    body: dict[str, Any] = {}
    if text is not None:
        body["content"] = limits.check_text("the message", text, MAX_CONTENT, low=0)
    elif complete:
        body["content"] = ""
    if rendered or complete:
        body["embeds"] = rendered
    if rows or complete:
        body["components"] = rows
    return body


def arrange(components: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put loose buttons into rows of five, and each loose select into a row of its own."""
    arranged: list[dict[str, Any]] = []
    row: list[dict[str, Any]] | None = None
    for component in components:
        if component["type"] == ComponentType.BUTTON:
            if row is None or len(row) == _ROW_WIDTH:
                row = []
                arranged.append({"type": ComponentType.ACTION_ROW.value, "components": row})
            row.append(component)
            continue
        row = None
        if component["type"] in _SELECTS:
            component = {"type": ComponentType.ACTION_ROW.value, "components": [component]}
        arranged.append(component)
    return arranged


def walk(components: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield rendered components and everything inside them; what is no object is skipped."""
    for component in components:
        if not isinstance(component, dict):
            continue
        yield component
        inner = component.get("components")
        if isinstance(inner, list):
            yield from walk(inner)
        yield from walk([component.get("accessory")])


def _v2_body(
    text: str | None, rows: list[dict[str, Any]], embeds: Sequence[Renderable], *, complete: bool
) -> dict[str, Any]:
    if embeds:
        raise PayloadError("a components-v2 message cannot hold embeds; use a Container")
    if text:
        rows.insert(0, {"type": ComponentType.TEXT_DISPLAY.value, "content": text})
    every = list(walk(rows))
    limits.check_count("components in a message, nested ones counted", every, MAX_COMPONENTS)
    characters = sum(len(part["content"]) for part in every if part["type"] == ComponentType.TEXT_DISPLAY)
    limits.check_range("the characters of all text displays", characters, 0, MAX_V2_TEXT)
    _check_custom_ids(rows)
    body: dict[str, Any] = {"components": rows, "flags": int(MessageFlag.IS_COMPONENTS_V2)}
    return {"content": None, "embeds": [], **body} if complete else body


def _check_custom_ids(rows: Sequence[dict[str, Any]]) -> None:
    ids = [part["custom_id"] for part in walk(rows) if "custom_id" in part]
    if len(set(ids)) != len(ids):
        raise PayloadError("two components of a message have the same custom id; give one other arguments")


def _check_embeds(embeds: Sequence[Mapping[str, Any]]) -> None:
    limits.check_count("embeds in a message", embeds, MAX_EMBEDS, low=0)
    characters = sum(map(_embed_characters, embeds))
    if characters > MAX_EMBED_CHARACTERS:
        raise PayloadError(
            f"the embeds have {characters} characters together; Discord allows {MAX_EMBED_CHARACTERS}"
        )


def _embed_characters(embed: Mapping[str, Any]) -> int:
    texts = [embed.get("title", ""), embed.get("description", "")]
    texts += [embed.get("author", {}).get("name", ""), embed.get("footer", {}).get("text", "")]
    texts += [part for field in embed.get("fields", ()) for part in (field["name"], field["value"])]
    return sum(map(len, texts))
