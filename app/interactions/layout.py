"""Components v2 (contract 3.1, 3.2), and whole messages: rows, the flag, and the limits that span components.

    Container(
        Section(TextDisplay("## Poll"), accessory=Thumbnail("attachment://poll.png")),
        Separator(),
        ActionRow(Button(…)),
        colour=0x5865F2,
    )

A message is either classic (content, embeds, up to five rows) or v2 (only components, up to 40 with nested
ones, flag 32768, which can never be taken off again). `message_body` decides by the components it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from app.interactions import limits
from app.interactions.components import (
    ActionRow,
    AnyButton,
    AnySelect,
    ComponentType,
)
from app.interactions.embeds import Embed, render_embeds
from app.interactions.errors import PayloadError
from app.interactions.rendering import Rendering
from app.locale.text import Text

COMPONENTS_V2_FLAG = 1 << 15
MAX_CONTENT = 2000
MAX_ROWS = 5
MAX_COMPONENTS = 40
MAX_TEXT = 4000
"""Characters of one Text Display by the OpenAPI document; discord.py allows as many for all of a message
together, so we hold the sum to it too."""


@dataclass(frozen=True, slots=True)
class TextDisplay:
    """Markdown text of 1-4000 characters."""

    content: Text | str

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        content = limits.check_text("a text display", rendering.text(self.content), MAX_TEXT)
        return {"type": ComponentType.TEXT_DISPLAY.value, "content": content}


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture beside a section. `description` is its alternative text."""

    url: str
    description: Text | str | None = None
    spoiler: bool = False

    def __post_init__(self) -> None:
        limits.check_media("a thumbnail's url", self.url)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        return {"type": ComponentType.THUMBNAIL.value} | _media(self, rendering)


@dataclass(frozen=True, slots=True, init=False)
class Section:
    """One to three texts with a button or thumbnail at their side."""

    texts: tuple[TextDisplay, ...]
    accessory: AnyButton | Thumbnail

    def __init__(self, *texts: TextDisplay | Text | str, accessory: AnyButton | Thumbnail) -> None:
        limits.check_count("texts in a section", texts, 3)
        displays = tuple(text if isinstance(text, TextDisplay) else TextDisplay(text) for text in texts)
        object.__setattr__(self, "texts", displays)
        object.__setattr__(self, "accessory", accessory)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        return {
            "type": ComponentType.SECTION.value,
            "components": [text.render(rendering) for text in self.texts],
            "accessory": self.accessory.render(rendering),
        }


@dataclass(frozen=True, slots=True)
class GalleryItem:
    """A picture or video of a gallery. `description` is its alternative text."""

    url: str
    description: Text | str | None = None
    spoiler: bool = False

    def __post_init__(self) -> None:
        limits.check_media("a gallery item's url", self.url)


@dataclass(frozen=True, slots=True, init=False)
class MediaGallery:
    """One to ten pictures or videos."""

    items: tuple[GalleryItem, ...]

    def __init__(self, *items: GalleryItem) -> None:
        limits.check_count("items in a gallery", items, 10)
        object.__setattr__(self, "items", items)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        return {
            "type": ComponentType.MEDIA_GALLERY.value,
            "items": [_media(i, rendering) for i in self.items],
        }


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file by its name: shown as a download."""

    filename: str
    spoiler: bool = False

    def __post_init__(self) -> None:
        limits.check_url("a file's name", self.url, schemes=("attachment",))

    @property
    def url(self) -> str:
        """Return the reference to the upload."""
        return f"attachment://{self.filename}"

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        payload: dict[str, Any] = {"type": ComponentType.FILE.value, "file": {"url": self.url}}
        return payload | {"spoiler": True} if self.spoiler else payload


class Spacing(IntEnum):
    """How much room a separator takes."""

    SMALL = 1
    LARGE = 2


@dataclass(frozen=True, slots=True)
class Separator:
    """Room between components, with a line unless `divider` is off."""

    divider: bool = True
    spacing: Spacing = Spacing.SMALL

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        return {"type": ComponentType.SEPARATOR.value, "divider": self.divider, "spacing": self.spacing.value}


ContainerChild = ActionRow | Section | TextDisplay | MediaGallery | File | Separator


@dataclass(frozen=True, slots=True, init=False)
class Container:
    """A box around components. `colour` (0xRRGGBB) is the bar at its side."""

    children: tuple[ContainerChild, ...]
    colour: int | None
    spoiler: bool

    def __init__(
        self,
        *children: ContainerChild | AnyButton | AnySelect,
        colour: int | None = None,
        spoiler: bool = False,
    ) -> None:
        rows = tuple(into_rows(children))
        limits.check_count("components in a container", rows, MAX_COMPONENTS - 1)
        if colour is not None:
            limits.check_colour("a container's colour", colour)
        for child in rows:
            if not isinstance(child, ContainerChild):
                raise PayloadError(f"a container cannot hold a {type(child).__name__}")
        object.__setattr__(self, "children", rows)
        object.__setattr__(self, "colour", colour)
        object.__setattr__(self, "spoiler", spoiler)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        children = [child.render(rendering) for child in self.children]
        payload: dict[str, Any] = {"type": ComponentType.CONTAINER.value, "components": children}
        if self.colour is not None:
            payload["accent_color"] = self.colour
        return payload | {"spoiler": True} if self.spoiler else payload


V2Component = Container | Section | TextDisplay | MediaGallery | File | Separator
AnyComponent = ActionRow | V2Component | AnyButton | AnySelect


def into_rows(components: Sequence[Any]) -> Iterator[Any]:
    """Put loose buttons (five to a row) and loose selects (each alone) into rows, in their order."""
    buttons: list[AnyButton] = []
    for component in components:
        if isinstance(component, AnyButton) and len(buttons) < 5:
            buttons.append(component)
            continue
        if buttons:
            yield ActionRow(*buttons)
            buttons = []
        if isinstance(component, AnyButton):
            buttons.append(component)
        else:
            yield ActionRow(component) if isinstance(component, AnySelect) else component
    if buttons:
        yield ActionRow(*buttons)


def is_v2(components: Sequence[Any]) -> bool:
    """Tell whether a message with these components needs the components-v2 flag."""
    return any(isinstance(component, V2Component) for component in components)


def message_body(
    rendering: Rendering,
    content: Text | str | None = None,
    components: Sequence[Any] = (),
    embeds: Sequence[Embed] = (),
    *,
    complete: bool = False,
) -> dict[str, Any]:
    """Return `content`, `embeds`, `components` and, for v2, `flags` of a message.

    In a v2 message the content becomes its first text. With `complete` every key is there, so that an edit
    leaves nothing of what the message was. Raises PayloadError naming the broken limit.
    """
    rows = list(into_rows(components))
    if is_v2(rows):
        return _v2_body(rendering, content, rows, embeds, complete=complete)
    limits.check_count("rows in a message", rows, MAX_ROWS, low=0)
    rendered = [row.render(rendering) for row in rows]
    _check_custom_ids(rendered)
    body: dict[str, Any] = {}
    if content is not None:
        body["content"] = limits.check_text("the message", rendering.text(content), MAX_CONTENT)
    elif complete:
        body["content"] = ""
    if embeds or complete:
        body["embeds"] = render_embeds(embeds, rendering)
    if rendered or complete:
        body["components"] = rendered
    if content is None and not embeds and not rendered:
        raise PayloadError("the message is empty; it needs a text, an embed or a component")
    return body


def _v2_body(
    rendering: Rendering,
    content: Text | str | None,
    rows: list[Any],
    embeds: Sequence[Embed],
    *,
    complete: bool,
) -> dict[str, Any]:
    if embeds:
        raise PayloadError("a components-v2 message cannot hold embeds; use a Container")
    if content is not None:
        rows.insert(0, TextDisplay(content))
    rendered = [row.render(rendering) for row in rows]
    every = list(_walk(rendered))
    if len(every) > MAX_COMPONENTS:
        raise PayloadError(f"{len(every)} components, nested ones counted; Discord allows {MAX_COMPONENTS}")
    characters = sum(len(component.get("content", "")) for component in every)
    if characters > MAX_TEXT:
        raise PayloadError(f"the text displays have {characters} characters together; allowed are {MAX_TEXT}")
    _check_custom_ids(rendered)
    body: dict[str, Any] = {"components": rendered, "flags": COMPONENTS_V2_FLAG}
    return {"content": None, "embeds": [], **body} if complete else body


def _walk(components: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        yield component
        yield from _walk(component.get("components", ()))
        if "accessory" in component:
            yield component["accessory"]


def _check_custom_ids(rendered: Sequence[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for component in _walk(rendered):
        key = component.get("custom_id")
        if key is None:
            continue
        if key in seen:
            raise PayloadError(
                "two components of a message have the same custom id; give one other arguments"
            )
        seen.add(key)


def _media(item: Thumbnail | GalleryItem, rendering: Rendering) -> dict[str, Any]:
    payload: dict[str, Any] = {"media": {"url": item.url}}
    if item.description is not None:
        text = rendering.text(item.description)
        payload["description"] = limits.check_text("an alternative text", text, 1024)
    return payload | {"spoiler": True} if item.spoiler else payload
