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

from app.errors import DiscordUnreachable, LoggedOut
from app.settings import Settings

TIMEOUT_SECONDS = 10.0
DEFAULT_AGENT = Settings().user_agent
LONGEST_WAIT_SECONDS = 3600.0
"""An address that Cloudflare has blocked is told to stay away for up to an hour (contract section 4)."""


class AskedToWait(DiscordUnreachable):
    """Discord answered 429: asking again before `seconds` have passed would count against us."""

    code = "E003"
    remedy = "it is asked again by itself; if that recurs, fewer processes must start at a time"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"GET /gateway/bot: Discord asks to wait {seconds:.1f} s (status 429)")
        self.seconds = seconds


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


async def ask_gateway_bot(api_base: str, token: str, *, agent: str = DEFAULT_AGENT) -> GatewayBot:
    """Ask once. Raises LoggedOut (E002), AskedToWait (E003) or DiscordUnreachable (E001)."""
    return await asyncio.to_thread(_ask, api_base, token, agent)


def _ask(api_base: str, token: str, agent: str) -> GatewayBot:
    request = Request(  # noqa: S310 - Settings accepts http and https only
        f"{api_base}/gateway/bot",
        headers={"Authorization": f"Bot {token}", "User-Agent": agent},
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
        if error.code == HTTPStatus.TOO_MANY_REQUESTS:
            raise AskedToWait(_retry_after(error.headers.get("Retry-After"))) from None
        raise DiscordUnreachable(f"GET /gateway/bot: status {error.code}") from None
    except OSError as error:
        raise DiscordUnreachable(f"GET /gateway/bot: {type(error).__name__}") from None
    except (KeyError, TypeError, ValueError):
        raise DiscordUnreachable("GET /gateway/bot: not the answer that Discord documents") from None


def _retry_after(header: str | None) -> float:
    """Return the seconds that a 429 names, 5 when it names none."""
    try:
        seconds = float(header or 5.0)
    except ValueError:
        seconds = 5.0
    return min(max(seconds, 0.1), LONGEST_WAIT_SECONDS)
