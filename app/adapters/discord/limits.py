"""The numbers that calls are held to, and whose they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from app.settings import Settings

BAD_ANSWERS = 10_000
"""401, 403 and 429 per address in ten minutes before Discord blocks it (contract 4.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`bot` names whose limits these are, `egress` the address that calls leave from.

    `global_rate` calls per second; `bad_answers_stop` bad answers in ten minutes end all calls; `processes` share
    the limits as long as Redis has not told their number.
    """

    bot: str
    application: int | None = None
    token_digest: str = ""
    egress: str = "default"
    global_rate: int = 50
    bad_answers_stop: int = BAD_ANSWERS // 2
    processes: int = 8

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Limits belong to the application; without its id, to the token."""
        token = settings.discord_token.get_secret_value() if settings.discord_token else ""
        digest = hashlib.sha256(token.encode()).hexdigest()[:24] if token else ""
        return cls(
            bot=str(settings.discord_application_id or digest or "anonymous"),
            application=settings.discord_application_id,
            token_digest=digest,
            egress=settings.discord_egress,
            global_rate=settings.discord_global_rate,
            processes=settings.discord_processes,
        )
