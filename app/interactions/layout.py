"""Components v2 as values (contract 3.1, 3.2).

    Container(
        Section("## Poll", accessory=Thumbnail("attachment://poll.png")),
        Separator(),
        ActionRow(Button(…)),
        colour=0x5865F2,
    )

One of these in a reply makes it a components-v2 message: the reply's content becomes its first text, embeds
are refused, and the flag can never be taken off again. What spans a message (40 components, unique custom
ids) is checked where replies are rendered.
"""

from __future__ import annotations

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
from app.interactions.errors import PayloadError
from app.interactions.rendering import Rendering
from app.locale.text import Text

MAX_COMPONENTS = 40
"""In a message, nested ones counted (contract 3.2)."""
MAX_TEXT = 4000
"""Characters of a text display (contract 3.1)."""


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
        limits.check_count("components in a container", children, MAX_COMPONENTS - 1)
        if colour is not None:
            limits.check_colour("a container's colour", colour)
        for child in children:
            if not isinstance(child, ContainerChild):
                raise PayloadError(
                    f"a container cannot hold a {type(child).__name__}; put it into a row or section"
                )
        object.__setattr__(self, "children", children)
        object.__setattr__(self, "colour", colour)
        object.__setattr__(self, "spoiler", spoiler)

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Return Discord's JSON."""
        children = [child.render(rendering) for child in self.children]
        payload: dict[str, Any] = {"type": ComponentType.CONTAINER.value, "components": children}
        if self.colour is not None:
            payload["accent_color"] = self.colour
        return payload | {"spoiler": True} if self.spoiler else payload


def _media(item: Thumbnail | GalleryItem, rendering: Rendering) -> dict[str, Any]:
    payload: dict[str, Any] = {"media": {"url": item.url}}
    if item.description is not None:
        text = rendering.text(item.description)
        payload["description"] = limits.check_text("an alternative text", text, 1024)
    return payload | {"spoiler": True} if item.spoiler else payload
