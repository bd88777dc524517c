"""What turns values into Discord's JSON: whose language, and who signs the custom ids.

Buttons, selects and modals are values without an id; they carry a `Target`. Only when an answer is rendered for one
interaction is the Target signed for that application, guild and user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app.interactions.custom_id import Target
from app.locale.text import Text


@dataclass(frozen=True, slots=True)
class Rendering:
    """The edge's tools for one answer."""

    locale: str
    translate: Callable[[Text | str, str], str]
    sign: Callable[[Target], str]

    def text(self, text: Text | str) -> str:
        """Return the text in the reader's language; a plain string is shown as it is."""
        return text if type(text) is str else self.translate(text, self.locale)

    def custom_id(self, target: Target) -> str:
        """Return the signed id, at most 100 characters."""
        return self.sign(target)


class Renderable(Protocol):
    """A component, embed or modal as a value."""

    def render(self, rendering: Rendering, /) -> dict[str, Any]:
        """Return Discord's JSON. Raises PayloadError when a limit is exceeded."""
        ...
