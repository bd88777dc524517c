"""Badly signed and unsigned requests: always 401, and counted per client address.

Discord sends wrong signatures on purpose and takes the endpoint away when they are answered with anything but 401
(contract 1.2). So this limit changes no status: beyond it the answer says how long to wait and closes the
connection, which makes every further attempt cost a new one, and Redis is not asked about that address again until
the wait is over. Signed requests never come here.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from app.admission.gate import Allowance, Gate
from app.admission.limits import Limit, charge
from app.admission.proxies import ClientAddresses
from app.observability import metrics
from app.web.asgi import Scope, Send, refuse

MOST_BLOCKED = 10_000


class Unsigned:
    """Answers requests whose signature is missing or wrong."""

    def __init__(self, gate: Gate, clients: ClientAddresses, limit: Limit | None) -> None:
        self._gate = gate
        self._clients = clients
        self._limit = limit
        self._blocked: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Send the 401."""
        headers: list[tuple[bytes, bytes]] = []
        if self._limit is not None:
            client = self._clients.of(scope)
            wait = self._blocked.get(client, 0) - time.monotonic()
            if wait <= 0:
                self._blocked.pop(client, None)
                allowance = await self._gate.charge(charge("unsigned", client, self._limit))
                headers = limit_headers(allowance)
                wait = allowance.wait_ms / 1000
                if wait > 0:
                    self._block(client, wait)
            else:
                metrics.ADMISSION_REFUSALS.labels("unsigned").inc()
                headers = [(b"retry-after", b"%d" % -(-wait // 1))]
            if wait > 0:
                headers.append((b"connection", b"close"))
        await refuse(send, 401, "invalid request signature", headers)

    def _block(self, client: str, seconds: float) -> None:
        self._blocked[client] = time.monotonic() + seconds
        if len(self._blocked) > MOST_BLOCKED:
            self._blocked.popitem(last=False)


def limit_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """Return Discord's header names (contract 4.2): what is left, and when the window is empty again.

    After a refusal `Retry-After` tells, in whole seconds, when the next request fits.
    """
    seconds = allowance.reset_ms / 1000
    headers = [
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", f"{time.time() + seconds:.3f}".encode()),
        (b"x-ratelimit-reset-after", f"{seconds:.3f}".encode()),
    ]
    if not allowance.admitted:
        headers.append((b"retry-after", b"%d" % -(-allowance.wait_ms // 1000)))
    return headers
