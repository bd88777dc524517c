"""kill -9 of the worker in full: 2,000 messages with one kill, 5,000 flagged messages with twenty.

    python -m tests.bench.worker_kill [--messages N --kills K --per-second R] [--scale X --global-limit G]

The whole system on the sandbox, whose limits are raised unless told otherwise: under Discord's own, 5,000 timeouts
of one guild take over an hour. Exit code 1 when a message was missed, a strike, timeout or direct message came
twice, or the audit chain does not hold. The bar: issue 2 (4.) and issue 5 (2.).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.acceptance.system.conftest import start_system, stop_system
from tests.acceptance.system.flood import Outcome, flood

FULL = ((2000, 1), (5000, 20))
PATIENT = (
    "import runpy; import sandbox.stack.process as process; process.CRASHES = 1000; "
    "runpy.run_module('sandbox.stack', run_name='__main__', alter_sys=True)"
)
"""The supervisor ends everything when a process crashes five times in a minute; here that is what is wanted."""
SECONDS = 900.0


def faults(outcome: Outcome) -> list[str]:
    """Return what went wrong, empty when nothing did."""
    checks = {
        f"{outcome.decisions} decisions": outcome.decisions == outcome.messages,
        f"{outcome.cases} cases and {outcome.refused} refusals": outcome.cases + outcome.refused
        == outcome.messages,
        f"{outcome.strikes} strikes": outcome.strikes == outcome.cases,
        f"{outcome.unfinished} unfinished cases": outcome.unfinished == 0,
        f"{len(outcome.still_there)} messages still there": not outcome.still_there,
        f"{len(outcome.doubled_timeouts)} cases punished twice": not outcome.doubled_timeouts,
        f"{len(outcome.doubled_notices)} cases told twice": not outcome.doubled_notices,
        f"audit: {outcome.audit.strip()}": "the chain holds" in outcome.audit,
    }
    return [text for text, holds in checks.items() if not holds]


def run(messages: int, kills: int, arguments: argparse.Namespace) -> bool:
    """Run one flood in a system of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        system = start_system(Path(folder), program=("-c", PATIENT))
        try:
            system.admin("PUT", "/limits", scale=arguments.scale, global_per_second=arguments.global_limit)
            outcome = flood(
                system, messages=messages, per_second=arguments.per_second, kills=kills, seconds=SECONDS
            )
        finally:
            stop_system(system)
    wrong = faults(outcome)
    print(
        f"{messages} flagged messages, {outcome.kills} kills: {outcome.cases} deleted, {outcome.timeouts} timeouts, "
        f"{outcome.strikes} strikes, {outcome.seconds:.0f} s ({messages / outcome.seconds:.0f}/s)"
    )
    for text in wrong:
        print(f"  WRONG: {text}")
    return not wrong and outcome.kills == kills


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=200.0)
    parser.add_argument("--scale", type=float, default=0.0, help="of the routes' limits; 0: none")
    parser.add_argument("--global-limit", type=int, default=0, help="calls a second; 0: no limit")
    arguments = parser.parse_args()
    wanted = FULL if arguments.messages is None else ((arguments.messages, arguments.kills),)
    held = [run(messages, kills, arguments) for messages, kills in wanted]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
