"""Panels: polls and role pickers that admins post with /panel. The worked example of signed components."""

from __future__ import annotations

from app.feature import Feature, Floor, Services
from app.features.panels.look import look
from app.features.panels.member_roles import MemberRoles
from app.features.panels.panels import Panels


def _services(floor: Floor) -> Services:
    return {Panels: Panels(floor, look), MemberRoles: MemberRoles(floor.discord)}


FEATURE = Feature(
    name="panels",
    package="app.features.panels",
    services=_services,
    tables=("interactions.panels", "interactions.poll_votes"),
)
