"""GET /gateway/bot: where the gateway is, how many shards Discord wants, how many IDENTIFYs are left today.

The supervisor asks once at the start and the processes before they identify. One request with the standard library:
the supervisor stays small without discord.py.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from app import __version__
from app.errors import DiscordUnreachable, LoggedOut

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StartLimit:
    """`session_start_limit`; `reset_after` in ms (contract section 5.1)."""

    total: int
    remaining: int
    reset_after: int
    max_concurrency: int


@dataclass(frozen=True, slots=True)
class GatewayBot:
    """The answer."""

    url: str
    shards: int
    limit: StartLimit


async def ask_gateway_bot(api_base: str, token: str) -> GatewayBot:
    """Ask once. Raises LoggedOut (E002) or DiscordUnreachable (E001)."""
    return await asyncio.to_thread(_ask, api_base, token)


def _ask(api_base: str, token: str) -> GatewayBot:
    request = Request(  # noqa: S310 - Settings accepts http and https only
        f"{api_base}/gateway/bot",
        headers={
            "Authorization": f"Bot {token}",
            "User-Agent": f"DiscordBot (https://gatehouse.example, {__version__})",
        },
    )
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - as above
            answer = json.load(response)
        limit = answer["session_start_limit"]
        return GatewayBot(
            str(answer["url"]),
            int(answer["shards"]),
            StartLimit(
                int(limit["total"]),
                int(limit["remaining"]),
                int(limit["reset_after"]),
                max(1, int(limit["max_concurrency"])),
            ),
        )
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.UNAUTHORIZED:
            raise LoggedOut("Discord refuses DISCORD_TOKEN") from None
        raise DiscordUnreachable(f"GET /gateway/bot: status {error.code}") from None
    except OSError as error:
        raise DiscordUnreachable(f"GET /gateway/bot: {type(error).__name__}") from None
    except (KeyError, TypeError, ValueError):
        raise DiscordUnreachable("GET /gateway/bot: not the answer that Discord documents") from None
