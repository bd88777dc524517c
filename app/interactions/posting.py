"""Messages that answer no interaction: a panel in a channel, a notice from a worker. Signed and in one language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.interactions.custom_id import CustomIds
from app.interactions.messages import message_body
from app.interactions.rendering import Renderable, Rendering
from app.locale.catalogue import Catalogue
from app.locale.text import Text
from app.snowflake import GuildId, UserId


class PostRenderer:
    """Renders messages that are created or edited over REST. Raises PayloadError when a limit is broken."""

    def __init__(self, custom_ids: CustomIds, catalogue: Catalogue) -> None:
        self._custom_ids, self._catalogue = custom_ids, catalogue

    def body(
        self,
        content: Text | str | None = None,
        components: Sequence[Renderable] = (),
        embeds: Sequence[Renderable] = (),
        *,
        guild: GuildId | None,
        locale: str,
        user: UserId | None = None,
        edits: bool = False,
    ) -> dict[str, Any]:
        """Return the body of a created message, or of an edit that leaves nothing of what it was.

        `guild` is where it will be seen (None: a DM), `user` whom ids that are bound to a user are for.
        """
        rendering = Rendering(
            self._catalogue.choose(locale),
            self._catalogue.render,
            lambda target: self._custom_ids.sign(target, guild=guild, user=user),
        )
        return message_body(rendering, content, components, embeds, complete=edits)
