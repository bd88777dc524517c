"""A process of its own that asks for admission as fast as it can, and counts.

    python hammer.py URL SECONDS COUNT LENGTH PROCESS

Prints how often it asked and how often it was admitted.
"""

from __future__ import annotations

import asyncio
import sys
import time

from app.adapters.redis.client import open_redis
from app.adapters.redis.shared_connection import open_shared_connection
from app.admission.gate import ADMITTED, SCRIPT, Gate
from app.admission.limits import Limit, charge


async def main(url: str, seconds: float, count: int, length: float, process: int) -> None:
    """Ask from four coroutines at once."""
    window = charge("user", "hammered", Limit(count, length))
    async with open_redis(url) as client, open_shared_connection(client, scripts=[SCRIPT]) as shared:
        gate = Gate(shared)
        end = time.monotonic() + seconds
        number = process * 10**9
        admitted = asked = 0

        async def ask() -> None:
            nonlocal number, admitted, asked
            while time.monotonic() < end:
                number += 1
                asked += 1
                verdict = await gate.admit(number, (window,))
                admitted += verdict is ADMITTED

        await asyncio.gather(*(ask() for _ in range(4)))
        print(asked, admitted)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
