"""Find the declared jobs by walking the features' packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.interactions.discovery import modules
from app.jobs.declare import InteractionJob, WrongJob


def find_jobs(packages: Iterable[str]) -> Mapping[str, InteractionJob]:
    """Return all jobs by name. Raises WrongJob when two have the same."""
    found: dict[str, InteractionJob] = {}
    for package in packages:
        for module in modules(package):
            for value in vars(module).values():
                if isinstance(value, InteractionJob) and found.setdefault(value.name, value) is not value:
                    raise WrongJob(f"two jobs are called {value.name!r}")
    return found
