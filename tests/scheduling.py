"""The order of the tests and their distribution over workers: `pytest -n 5 --dist loadscope --no-loadscope-reorder`.

What takes longest begins early, so that no worker is left alone with it at the end; one test at a time goes to
whoever is free. Tests that share a running system, a browser or a cache stay together.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SYSTEM, PAGE, UNIT = "tests/acceptance/system/", "tests/acceptance/page/", "tests/unit/"
FIRST_PART = 0.92
"""Part of the short tests that the long ones are spread over."""


def scope_of(nodeid: str) -> str:
    """Return what a test has to run together with: itself, but for those that share what is slow to make."""
    if nodeid.startswith(PAGE):
        return PAGE
    return nodeid.split("::")[0] if nodeid.startswith((SYSTEM, UNIT)) else nodeid


class WhoeverIsFree(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types here
    """Scopes are what `scope_of` says, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WhoeverIsFree | None:
    """Take over `--dist loadscope`."""
    return WhoeverIsFree(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread what starts processes over the run; pytest-randomly has shuffled before.

    Together from the start they would only wait for each other's turn on the processor.
    """
    long: dict[str, list[pytest.Item]] = {}
    short: list[pytest.Item] = []
    for item in items:
        if item.get_closest_marker("process") or item.nodeid.startswith(PAGE):
            long.setdefault(scope_of(item.nodeid), []).append(item)
        else:
            short.append(item)
    between = int(len(short) * FIRST_PART / max(len(long), 1))
    items.clear()
    for scope in sorted(long, key=lambda scope: not scope.startswith(SYSTEM)):
        items += long[scope]
        items += short[:between]
        del short[:between]
    items += short
