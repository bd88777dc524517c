"""Joins the interactions side to a sandbox: one call when it starts, `Interactions.aclose` when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.interactions.service import Interactions

if TYPE_CHECKING:
    from sandbox.instance import Sandbox


def attach_interactions(sandbox: Sandbox) -> Interactions:
    """Make the interactions side of a sandbox and set its hooks; call `open()` in the running loop.

    The routes to serve are `sandbox.interactions.routes.ROUTES`.
    """
    interactions = Interactions(sandbox.world, sandbox.files)
    sandbox.interactions = interactions
    sandbox.check_endpoint = interactions.endpoint.check_interactions_url
    sandbox.check_event_webhooks = interactions.endpoint.check_webhooks_url
    return interactions
