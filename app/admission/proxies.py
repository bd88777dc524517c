"""Who is the client: the address that per-address limits count.

A header is worth as much as the machine that wrote it. From the connection's own peer leftwards through
X-Forwarded-For, addresses are passed over while they belong to TRUSTED_PROXIES; the first that does not is
the client. `CF-Connecting-IP` wins where Cloudflare itself stands in that chain, or where a trusted proxy names
no other client: otherwise anyone could send that header through a proxy that passes it on, and choose a bucket.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from app.errors import ConfigurationError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CLOUDFLARE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "173.245.48.0/20",
        "103.21.244.0/22",
        "103.22.200.0/22",
        "103.31.4.0/22",
        "141.101.64.0/18",
        "108.162.192.0/18",
        "190.93.240.0/20",
        "188.114.96.0/20",
        "197.234.240.0/22",
        "198.41.128.0/17",
        "162.158.0.0/15",
        "104.16.0.0/13",
        "104.24.0.0/14",
        "172.64.0.0/13",
        "131.0.72.0/22",
        "2400:cb00::/32",
        "2606:4700::/32",
        "2803:f800::/32",
        "2405:b500::/32",
        "2405:8100::/32",
        "2a06:98c0::/29",
        "2c0f:f248::/32",
    )
)
"""Cloudflare's published ranges (www.cloudflare.com/ips-v4 and ips-v6); they change once in years."""

MOST_HOPS = 32
IPV6_SITE = 64
"""One subscriber has at least a /64: counting single IPv6 addresses would count nothing."""
UNKNOWN = "unknown"


class ClientAddresses:
    """Finds the client of a request. `trusted` are networks or the name `cloudflare`.

    Raises ConfigurationError naming TRUSTED_PROXIES.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted: list[Network] = []
        self._cloudflare: tuple[Network, ...] = ()
        for entry in trusted:
            if entry == "cloudflare":
                self._cloudflare = CLOUDFLARE
                continue
            try:
                self._trusted.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                raise ConfigurationError(
                    "TRUSTED_PROXIES", f"{entry!r} is neither a network like 10.0.0.0/8 nor `cloudflare`"
                ) from None
        self._belongs = lru_cache(maxsize=4096)(self._classify)

    def of(self, scope: Mapping[str, Any]) -> str:
        """Return the client of an ASGI scope as a window's subject: IPv4 whole, IPv6 as its /64."""
        peer = scope.get("client")
        address = _address(peer[0]) if peer else None
        if address is None:
            return UNKNOWN
        trusted, cloudflare = self._belongs(address)
        return _subject(self._forwarded(scope, address, cloudflare=cloudflare) if trusted else address)

    def _classify(self, address: Address) -> tuple[bool, bool]:
        cloudflare = any(address in network for network in self._cloudflare)
        return cloudflare or any(address in network for network in self._trusted), cloudflare

    def _forwarded(self, scope: Mapping[str, Any], address: Address, *, cloudflare: bool) -> Address:
        """Walk from a trusted peer to the client; `address` is the peer."""
        connecting: Address | None = None
        hops: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"cf-connecting-ip":
                connecting = _address(value.decode("latin-1"))
            elif name == b"x-forwarded-for":
                hops += value.split(b",")
        for hop in reversed(hops[-MOST_HOPS:]):
            if cloudflare and connecting is not None:
                return connecting
            found = _address(hop.decode("latin-1"))
            if found is None:
                return address  # not an address: nothing to the left of it can be believed
            address = found
            trusted, cloudflare = self._belongs(found)
            if not trusted:
                return address
        return address if connecting is None else connecting


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):  # [2001:db8::1]:443
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:443
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _subject(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    site = int(address) >> (128 - IPV6_SITE) << (128 - IPV6_SITE)
    return f"{ipaddress.IPv6Address(site)}/{IPV6_SITE}"
