"""Limits per client address on ordinary HTTP routes: /api and /verify (seed S4)."""

from __future__ import annotations

from dataclasses import dataclass

from app.admission.gate import Gate
from app.admission.limits import Limit, charge
from app.admission.proxies import ClientAddresses
from app.settings import Settings
from app.web.asgi import ASGIApp, Message, Receive, Scope, Send, refuse
from app.web.unsigned import limit_headers


@dataclass(frozen=True, slots=True)
class LimitedPrefix:
    """A path and everything below it."""

    prefix: str
    scope: str
    limit: Limit

    def covers(self, path: str) -> bool:
        """Tell whether the path belongs to it: /api and /api/x, not /apiary."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


def limited_prefixes(settings: Settings) -> tuple[LimitedPrefix, ...]:
    """Return what the settings limit."""
    limits = {"api": Limit.parse(settings.limit_api), "verify": Limit.parse(settings.limit_verify)}
    return tuple(
        LimitedPrefix(f"/{name}", name, limit) for name, limit in limits.items() if limit is not None
    )


class LimitedRoutes:
    """Middleware: counts requests below the prefixes, tells what is left, answers 429 beyond it."""

    def __init__(
        self, app: ASGIApp, gate: Gate, clients: ClientAddresses, prefixes: tuple[LimitedPrefix, ...]
    ) -> None:
        self._app = app
        self._gate = gate
        self._clients = clients
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        path = scope["path"]
        limited = next((prefix for prefix in self._prefixes if prefix.covers(path)), None)
        if limited is None:
            await self._app(scope, receive, send)
            return
        allowance = await self._gate.charge(charge(limited.scope, self._clients.of(scope), limited.limit))
        headers = limit_headers(allowance)
        if not allowance.admitted:
            await refuse(
                send,
                429,
                "You are being rate limited.",
                headers,
                retry_after=allowance.wait_ms / 1000,
                **{"global": False},
            )
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, tell)
