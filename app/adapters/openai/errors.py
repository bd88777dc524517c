"""What calls to a provider end in."""

from __future__ import annotations

from app.errors import AppError


class ProviderUnavailable(AppError):
    """The provider did not answer in time, refused, or is being left alone. The text is a status or a word."""


class MalformedAnswer(AppError):
    """The provider's answer is not what its API promises."""
