"""A component that everybody sees is shown in the server's language, whoever caused it to be rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from app.interactions.rendering import Renderable, Rendering
from app.locale.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class _InLocale:
    shown: Renderable
    locale: str

    def render(self, rendering: Rendering) -> dict[str, Any]:
        """Render with the other language."""
        return self.shown.render(replace(rendering, locale=self.locale))


def translated(shown: Renderable, catalogue: Catalogue, locale: str) -> Renderable:
    """Return the component in this language instead of the reader's."""
    return _InLocale(shown, catalogue.choose(locale))
