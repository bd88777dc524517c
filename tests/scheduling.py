"""The order of the tests and their distribution over workers: `pytest -n 4 --dist loadscope --no-loadscope-reorder`.

What takes longest begins, so that no worker is left alone with it at the end; then one test at a time goes to
whoever is free. Tests that share a running system or a browser stay together.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SYSTEM, PAGE = "tests/acceptance/system/", "tests/acceptance/page/"


class LongestFirst(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types here
    """Scopes are single tests, but for those that share what is slow to start."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(PAGE):
            return PAGE
        return nodeid.split("::")[0] if nodeid.startswith(SYSTEM) else nodeid


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst | None:
    """Take over `--dist loadscope`."""
    return LongestFirst(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by what is started for a test; pytest-randomly has shuffled before."""

    def weight(item: pytest.Item) -> int:
        if item.nodeid.startswith((SYSTEM, PAGE)):
            return 0
        return 1 if item.get_closest_marker("process") else 2

    items.sort(key=weight)
