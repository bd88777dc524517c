"""A real worker process with the test's feature: `python -m tests.acceptance.worker.process`."""

from __future__ import annotations

import asyncio
import os

from app.observability.logging import configure_logging
from app.settings import Settings
from app.streams.leases import LEASE_SECONDS
from app.workers.main import run_worker
from tests.acceptance.worker.feature import FEATURE


def main() -> None:
    settings = Settings.from_environment()
    configure_logging(settings, "worker")
    seconds = float(os.environ.get("LEASE_SECONDS", str(LEASE_SECONDS)))
    asyncio.run(run_worker(settings, features=(FEATURE,), lease_seconds=seconds))


if __name__ == "__main__":
    main()
