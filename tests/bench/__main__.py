"""`python -m tests.bench [NAME …]`: run benchmarks one after the other; each prints its own table.

A benchmark is a module here with `main() -> int`; it exits non-zero when a bar is missed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
DEFAULT = (
    "signature_fuzz",
    "custom_id_fuzz",
    "interactions",
    "gateway",
    "rest",
    "streams",
    "moderation_rules",
    "moderation_chain",
)


def main(names: list[str]) -> int:
    """Run the named benchmarks, or the default ones; return 1 if any missed its bar."""
    unknown = [name for name in names if importlib.util.find_spec(f"tests.bench.{name}") is None]
    if unknown:
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("[a-z]*.py")))
        print(f"no benchmark named {', '.join(unknown)}; there are: {known}", file=sys.stderr)
        return 2
    missed = []
    for name in names or DEFAULT:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False).returncode:
            missed.append(name)
    print(f"\n{'missed: ' + ', '.join(missed) if missed else 'all bars met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
