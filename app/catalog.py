"""The features of this installation. To add one: its package under `app/features` and one line here."""

from __future__ import annotations

from app.errors import AppError
from app.feature import Feature, Floor, Services
from app.features import core, forms, guilds, moderation, panels, status

FEATURES: tuple[Feature, ...] = (
    core.FEATURE,
    forms.FEATURE,
    guilds.FEATURE,
    moderation.FEATURE,
    panels.FEATURE,
    status.FEATURE,
)


class ConflictingServices(AppError):
    """Two features provide the same type."""


def packages(features: tuple[Feature, ...] = FEATURES) -> tuple[str, ...]:
    """Return the packages whose modules declare commands, components, consumers and scheduled work."""
    return tuple(feature.package for feature in features)


def build_services(floor: Floor, features: tuple[Feature, ...] = FEATURES) -> Services:
    """Let every feature build its services. Raises ConflictingServices."""
    joined: dict[type, object] = {}
    for feature in features:
        for kind, service in feature.services(floor).items():
            if kind in joined:
                raise ConflictingServices(
                    f"{kind.__qualname__} is provided twice; the second time by {feature.name}"
                )
            joined[kind] = service
    return joined
