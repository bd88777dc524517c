"""The errors of the interactions protocol.

BadSignature          the request is not Discord's: 401, whatever is wrong with it
InvalidInteraction    signed, but not an interaction we can read: 400
DeclarationError      a command, component or modal is declared wrongly: the import fails
PayloadError          something we built breaks a limit of Discord's: a bug of ours, answered with an incident id
"""

from __future__ import annotations

from app.errors import AppError


class BadSignature(AppError):
    """The request is not signed by Discord, or too long ago."""


class InvalidInteraction(AppError):
    """The body is not an interaction that Discord would send."""


class DeclarationError(AppError):
    """A declaration breaks a rule of Discord's or of ours."""

    def __init__(self, where: str, rule: str) -> None:
        super().__init__(f"{where}: {rule}")
        self.where = where
        self.rule = rule


class PayloadError(AppError):
    """A message, component or modal breaks one of Discord's limits."""
