"""Modals that were refused: what was entered is kept until the person has corrected it."""

from __future__ import annotations

from app.feature import Feature, Floor, Services
from app.features.forms.drafts import RedisDrafts
from app.interactions.modals import Drafts, correct

__all__ = ["FEATURE", "correct"]


def _services(floor: Floor) -> Services:
    return {Drafts: RedisDrafts(floor.redis, floor.keyring)}


FEATURE = Feature(name="forms", package="app.features.forms", services=_services)
