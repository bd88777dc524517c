"""How the bot is: its shards on all machines, their latency, its servers."""

from __future__ import annotations

from app.adapters.openai.health import ProviderHealth
from app.adapters.redis.bridge import GatewayBridge
from app.feature import Feature, Floor, Services

TIMEOUT_SECONDS = 1.0
"""The answer must be with Discord within 3 s; processes that are silent for longer are reported as missing."""


def _services(floor: Floor) -> Services:
    return {
        GatewayBridge: GatewayBridge(floor.redis, timeout=TIMEOUT_SECONDS),
        ProviderHealth: ProviderHealth(floor.redis),
    }


FEATURE = Feature(name="status", package=__name__, services=_services)
