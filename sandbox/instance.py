"""One sandbox: its world and everything that acts on it. What handlers, admin API and page are given."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.gateway.gateway import Gateway
from sandbox.interactions.files import Files
from sandbox.rest.limits import RateLimits
from sandbox.rest.log import RestLog
from sandbox.settings import SandboxSettings
from sandbox.trouble import Trouble
from sandbox.world import World

EndpointCheck = Callable[[str], Awaitable[None]]
"""Raises `sandbox.rest.errors.ApiError` when the interactions endpoint is not accepted."""


class Sandbox:
    """The parts of a running sandbox."""

    def __init__(self, settings: SandboxSettings, world: World) -> None:
        self.settings = settings
        self.world = world
        self.trouble = Trouble()
        self.limits = RateLimits(settings)
        self.rest_log = RestLog()
        self.gateway = Gateway(settings, world, self.trouble)
        self.files = Files(world.ids.next, lambda: settings.http_url)
        self.dm_openings: deque[int] = deque()
        """When the bot opened new direct messages, Unix milliseconds."""
        self.nonces: OrderedDict[tuple[int, str], tuple[int, int]] = OrderedDict()
        """Enforced nonces of the last minutes: (channel, nonce) to (message id, Unix milliseconds)."""
        self.check_endpoint: EndpointCheck | None = None
        """Set by the interactions side; `PATCH /applications/@me` asks it before it saves an endpoint URL."""
        self.check_event_webhooks: EndpointCheck | None = None
        """The same for an event webhooks URL."""
        self.interactions: Any = None
        """Set by the interactions side."""
