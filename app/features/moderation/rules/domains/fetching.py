"""Fetch a list that somebody named by URL, without being led into our own network.

Only https; every address that the name resolves to must be public, also after a redirect, and the connection goes to
the very address that was checked: a name that resolves differently a moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from app.errors import UserError
from app.locale.text import t

MAX_BYTES = 8 << 20
"""250,000 domains of 32 characters."""
SECONDS = 60.0
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 << 10

Progress = Callable[[int], Awaitable[None]]


class CannotFetch(UserError):
    """The list could not be fetched; the text says why."""


class _PrivateAddress(OSError):
    """A name leads to an address that is not public."""


def is_public(address: str) -> bool:
    """Return whether an address belongs to the open internet; IPv4 within IPv6 is looked at too."""
    try:
        found = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses them when any of their addresses is not public."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses. Raises OSError."""
        found = await self._resolver.resolve(host, port, family)
        if not found or not all(is_public(result["host"]) for result in found):
            raise _PrivateAddress(host)
        return found

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


def check_url(url: str) -> str:
    """Return the URL if it may be asked for. Raises CannotFetch."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise CannotFetch(t("That is no URL.")) from None
    if parts.scheme != "https" or not host or parts.username or parts.password:
        raise CannotFetch(t("Give an `https://` address without user and password."))
    if _is_address(host) and not is_public(host):
        raise CannotFetch(t("That address is not on the public internet."))
    return parts.geturl()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def fetch(
    url: str,
    *,
    trusted: bool = False,
    progress: Progress | None = None,
    resolver: AbstractResolver | None = None,
    max_bytes: int = MAX_BYTES,
) -> str:
    """Return the text behind a URL. Raises CannotFetch.

    `trusted`: the URL came from Discord in a signed interaction (an attachment), not from a person.
    """
    connector = aiohttp.TCPConnector(resolver=None if trusted else PublicResolver(resolver))
    timeout = aiohttp.ClientTimeout(total=SECONDS, connect=10.0)
    headers = {"User-Agent": "Gatehouse (domain lists)", "Accept": "text/plain, */*;q=0.1"}
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            for _ in range(MAX_REDIRECTS + 1):
                address = url if trusted else check_url(url)
                async with session.get(address, allow_redirects=False) as response:
                    if response.status in _REDIRECTS and "Location" in response.headers:
                        url = urljoin(address, response.headers["Location"])
                        continue
                    if response.status != 200:
                        raise CannotFetch(t("The server answered with {status}.", status=response.status))
                    return await _read(response, progress, max_bytes)
            raise CannotFetch(t("That address redirects too often."))
    except _PrivateAddress:
        raise CannotFetch(t("That address is not on the public internet.")) from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _PrivateAddress):
            raise CannotFetch(t("That address is not on the public internet.")) from None
        raise CannotFetch(t("The address could not be reached.")) from None
    except (aiohttp.ClientError, OSError):
        raise CannotFetch(t("The address could not be reached.")) from None
    except TimeoutError:
        raise CannotFetch(t("The address took too long to answer.")) from None


async def _read(response: aiohttp.ClientResponse, progress: Progress | None, max_bytes: int) -> str:
    too_large = t("The file is larger than {size} MB.", size=max_bytes >> 20)
    if (response.content_length or 0) > max_bytes:
        raise CannotFetch(too_large)
    body = bytearray()
    async for chunk in response.content.iter_chunked(
        _CHUNK
    ):  # decompressed: a zip bomb meets the cap as well
        body += chunk
        if len(body) > max_bytes:
            raise CannotFetch(too_large)
        if progress is not None:
            await progress(len(body))
    return body.decode("utf-8", errors="replace")
