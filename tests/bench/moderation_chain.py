"""Message to action through the whole chain: sandbox, gateway, ingester, Redis, worker, rules, REST.

    python -m tests.bench.moderation_chain [--per-second 500] [--seconds 20] [--flagged 2]

The system as `make run` starts it, the sandbox and the load on the same machine. Two per cent of the messages hold
a disguised listed word. Reported: from the moment the sandbox made the message (its id tells) to the moment its
deletion was asked for (the REST log tells), p50 and p99; the time the worker took by itself; processor time per
process. Limits are raised: the chain is measured, not Discord's limits. The goal (issue 5): p99 of 250 ms at 500
messages a second. Exit code 1 if a message was missed; times are not judged, machines differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from app.snowflake import created_ms
from tests.acceptance.system.chromium import DISGUISED
from tests.acceptance.system.conftest import System, start_system, stop_system
from tests.acceptance.system.flood import guild_id

LINES = (
    "Has anybody seen my other sock? {n}",
    "That was a lovely evening, thank you all 💛 {n}",
    "Page {n}. That is all I am going to say.",
    "Who is in for Thursday, number {n}?",
)
SETTLE_SECONDS = 30.0


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie."""
    return values[min(len(values) - 1, int(len(values) * share))]


class Deletions:
    """What the sandbox's REST log tells of deletions: the log is short, so it is read all the time."""

    def __init__(self, page: str) -> None:
        self._http = httpx.Client(base_url=page, timeout=30)
        self._stop = threading.Event()
        self.took: dict[int, float] = {}
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        while not self._stop.wait(2.0):
            self.look()

    def look(self) -> None:
        answer = self._http.get("/sandbox/rest", params={"limit": 1000, "route": "/messages/"}).json()
        for call in answer["calls"]:
            if call["method"] == "DELETE" and call["status"] == 204:
                message = int(call["path"].rpartition("/")[2])
                asked = call["at_ms"]
                self.took.setdefault(message, float(asked - created_ms(message)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()
        self._http.close()


@contextmanager
def processor_time(system: System) -> Iterator[dict[str, float]]:
    """Yield a table that holds processor seconds by process at the end; `cpu` of a supervisor's child and below."""
    used: dict[str, float] = {}
    watched = {name: psutil.Process(pid) for name, pid in system.children().items()}
    before = {name: _seconds(process) for name, process in watched.items()}
    yield used
    used |= {name: _seconds(process) - before[name] for name, process in watched.items()}


def _seconds(process: psutil.Process) -> float:
    processes = [process, *process.children(recursive=True)]
    return float(sum(sum(one.cpu_times()[:2]) for one in processes))


def worker_times(system: System) -> tuple[float, int]:
    """Return the mean milliseconds and the number of calls of the moderation handler, from the worker's metrics."""
    port = system.environment["WORKER_HEALTH_PORT"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    total = {
        suffix: sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if "handler" in line.split("{")[0] and f"_{suffix}{{" in line and "check_message" in line
        )
        for suffix in ("sum", "count")
    }
    return total["sum"] / max(1.0, total["count"]), int(total["count"])


def load(system: System, arguments: argparse.Namespace) -> dict[str, Any]:
    every = max(1, round(100 / arguments.flagged))
    contents = [LINES[n % len(LINES)] for n in range(every - 1)] + [f"what a {DISGUISED} {{n}}"]
    answer: dict[str, Any] = system.admin(
        "POST",
        "/load",
        messages=arguments.per_second * arguments.seconds,
        per_second=arguments.per_second,
        guild=guild_id(system),
        contents=contents,
    )
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--flagged", type=float, default=2.0, help="per cent of the messages")
    arguments = parser.parse_args()
    os.environ.setdefault("DISCORD_GLOBAL_RATE", "2000")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        system = start_system(Path(folder))
        try:
            system.admin("PUT", "/limits", scale=0, global_per_second=0)
            system.admin(
                "POST", f"/guilds/{guild_id(system)}/join-burst", count=500, per_second=500, prefix="talker"
            )
            time.sleep(3)
            with (
                system.database() as conn,
                Deletions(system.page) as deletions,
                processor_time(system) as used,
            ):
                burst = load(system, arguments)
                wanted = burst["posted"] * arguments.flagged / 100
                deadline = time.monotonic() + SETTLE_SECONDS
                query = "SELECT count(*) FILTER (WHERE state <> 'recorded'), count(*) FROM moderation.cases"
                while time.monotonic() < deadline:
                    finished, cases = conn.execute(query).fetchone()  # type: ignore[misc]
                    refused = conn.execute(
                        "SELECT count(*) FROM moderation.decisions WHERE outcome->>'refusal' IS NOT NULL"
                    ).fetchone()[0]  # type: ignore[index]
                    if cases + refused >= int(wanted) and finished == cases:
                        break
                    time.sleep(0.5)
            mean, calls = worker_times(system)
        finally:
            stop_system(system)
    took = sorted(deletions.took.values())
    print(f"posted {burst['posted']} messages in {burst['seconds']:.1f} s, {cases} cases, {refused} refusals")
    if took:
        print(
            f"message -> DELETE over {len(took)} deletions: p50 {percentile(took, 0.5):.0f} ms, "
            f"p90 {percentile(took, 0.9):.0f} ms, p99 {percentile(took, 0.99):.0f} ms, max {took[-1]:.0f} ms"
        )
    print(f"handler in the worker: {mean:.2f} ms on average over {calls} messages")
    for name, seconds in used.items():
        print(f"  processor time, {name}: {seconds:.1f} s")
    return 0 if cases + refused >= int(wanted) and len(took) >= cases else 1


if __name__ == "__main__":
    sys.exit(main())
