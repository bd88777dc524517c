"""What a person is told when something fails: their own text for a refusal, an incident id for our faults."""

from __future__ import annotations

import logging
import secrets

from app.errors import (
    AppError,
    DatabaseUnavailable,
    DiscordUnreachable,
    MissingPermissions,
    PoolExhausted,
    RateLimited,
    UserError,
)
from app.interactions.interaction import Interaction
from app.interactions.payloads import InteractionType
from app.interactions.replies import Reply
from app.interactions.responses import Audience, Renderer, Response
from app.interactions.routing import Route
from app.locale.text import Text, t
from app.observability import metrics

log = logging.getLogger(__name__)


class Failures:
    """Turns exceptions into ephemeral answers."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def answer(
        self, error: Exception, route: Route, interaction: Interaction, audience: Audience
    ) -> Response:
        """Return the answer for an error. A UserError is no fault of ours and is not logged."""
        if isinstance(error, UserError):
            return self._respond(error.text, interaction, audience)
        incident = secrets.token_hex(4)
        metrics.ERRORS.labels("interaction").inc()
        log.error(
            "interaction failed",
            extra={
                "incident": incident,
                "code": error.code if isinstance(error, AppError) else None,
                "route": route.name,
                "kind": interaction.type.name,
                "interaction": str(interaction.id),
                "guild": str(interaction.guild_id),
            },
            exc_info=error,
        )
        return self._respond(incident_text(error, incident), interaction, audience)

    def too_late(self, audience: Audience) -> Response:
        """Return the answer for a form that came too late to be opened."""
        reply = Reply.private(t("That took too long, so I could not open the form. Please try again."))
        return self._renderer.message(reply, audience)

    def _respond(self, text: Text, interaction: Interaction, audience: Audience) -> Response:
        if interaction.type is InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE:
            reply = Reply.choices(())  # there is no other answer to an autocompletion (contract 1.6)
        else:
            reply = Reply.private(text)
        return self._renderer.respond(reply, audience, interaction, None)


def incident_text(error: Exception, incident: str) -> Text:
    """Return what a person reads about a fault of ours: what they can do, and the number that is in the log."""
    match error:
        case MissingPermissions():
            return t(
                "I lack a permission in this server for that ({code}, incident `{incident}`).",
                **_parts(error, incident),
            )
        case RateLimited() | DiscordUnreachable():
            return t(
                "Discord did not answer me in time. Please try again in a moment ({code}, incident `{incident}`).",
                **_parts(error, incident),
            )
        case DatabaseUnavailable() | PoolExhausted():
            return t(
                "I cannot reach my database right now. Please try again in a moment ({code}, incident `{incident}`).",
                **_parts(error, incident),
            )
        case AppError(code=str()):
            return t(
                "Something went wrong on my side ({code}). Whoever runs me finds it as incident `{incident}`.",
                **_parts(error, incident),
            )
        case _:
            return t(
                "Something went wrong on my side. Whoever runs me finds it as incident `{incident}`.",
                incident=incident,
            )


def _parts(error: AppError, incident: str) -> dict[str, str]:
    return {"code": error.code or "", "incident": incident}
