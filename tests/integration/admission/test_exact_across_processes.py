"""Eight processes hammer one window; what Redis recorded proves that no true window held more than the limit."""

from __future__ import annotations

import asyncio
import struct
import sys
from pathlib import Path

from redis.asyncio import Redis

COUNT, LENGTH, PROCESSES = 50, 1, 8


async def test_eight_processes_never_exceed_the_limit_and_use_all_of_it(redis_url: str, redis: Redis) -> None:
    script = Path(__file__).with_name("hammer.py")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(script), redis_url, "2", str(COUNT), str(LENGTH), str(number),
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    outputs = asyncio.gather(*(process.communicate() for process in processes))
    seen: set[float] = set()
    # The window holds the last 50 admissions and no second has more of them: reading it often misses none.
    while not outputs.done():
        await asyncio.sleep(0.05)
        window = await redis.get("window:user:hammered") or b""
        seen.update(time for (time,) in struct.iter_unpack(">d", window))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    counts = [tuple(map(int, output.split())) for output, _ in await outputs]

    asked, admitted = sum(a for a, _ in counts), sum(b for _, b in counts)
    times = sorted(seen)
    assert admitted == len(times)
    assert asked > 10 * admitted, "the processes did not hammer"
    spans = [last - first for first, last in zip(times, times[COUNT:], strict=False)]
    assert spans, "less than one window's worth was admitted"
    assert min(spans) >= LENGTH * 1_000_000
    # And it is no more than exact: while they hammer, a freed place is taken within a moment.
    assert sorted(spans)[len(spans) // 2] < 1.5 * LENGTH * 1_000_000
