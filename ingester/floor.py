"""What the shards of a process stand on, and how one of them can end the whole bot."""

from __future__ import annotations

from dataclasses import dataclass

from ingester.discord_gateway import GatewayClient
from ingester.identify import IdentifySlots
from ingester.leases import Leases
from ingester.publisher import Publisher


class ShardStopped(Exception):
    """Discord will not have this shard: the close code says that reconnecting is useless."""

    def __init__(self, shard: int, code: int) -> None:
        super().__init__(f"shard {shard}: close code {code}")
        self.shard = shard
        self.code = code


@dataclass(frozen=True, slots=True)
class Floor:
    """What all shards of a process share."""

    client: GatewayClient
    leases: Leases
    slots: IdentifySlots
    publisher: Publisher
    total: int
    gateway_url: str
