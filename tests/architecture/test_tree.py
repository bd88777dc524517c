"""Rules about the tree that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for top in ("app", "ingester", "sandbox") for path in (ROOT / top).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "base"}


def test_files_stay_short() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in [*SOURCES, *TESTS]
        if (n := len(p.read_text().splitlines())) > 425
    }
    assert not long


def test_names_say_something() -> None:
    found = [
        p
        for p in [*SOURCES, *TESTS]
        for part in p.relative_to(ROOT).with_suffix("").parts
        if part in SAY_NOTHING
    ]
    assert not found


def test_migrations_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (ROOT / "sql/migrations").glob("*.sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1)), names


def _executes_sql(path: Path) -> bool:
    statement = re.compile(
        r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|TRUNCATE)\s", re.IGNORECASE
    )
    keyword = re.compile(r"\b(FROM|INTO|SET|TABLE|VALUES|DATABASE)\b")
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and statement.match(node.value)
        and keyword.search(node.value)
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_sql_stands_only_in_stores() -> None:
    """One statement per method, in `store.py` or a `store` folder of its feature, and in the PostgreSQL adapter."""
    allowed = ("app/adapters/postgres/", "app/adapters/embedded/", "sandbox/")
    found = [
        relative
        for path in SOURCES
        if not (relative := str(path.relative_to(ROOT))).startswith(allowed)
        and path.name != "store.py"
        and "store" not in path.parts
        and _executes_sql(path)
    ]
    assert not found


def test_nobody_swallows_exceptions_silently() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and [type(s) for s in node.body] == [ast.Pass]:
                lines = path.read_text().splitlines()[node.lineno - 1 : node.body[0].lineno]
                broad = node.type is None or (
                    isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                )
                if broad or not any("#" in line for line in lines):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found, "say in a comment why nothing is to be done"


@pytest.mark.parametrize(
    ("path", "least"),
    [("requirements.lock", 30), ("requirements-dev.lock", 60), ("requirements-pip.lock", 1)],
)
def test_locks_name_no_host_and_hash_everything(path: str, least: int) -> None:
    text = (ROOT / path).read_text()
    assert "://" not in text
    assert "index-url" not in text
    requirements = re.findall(r"^([a-z0-9][^=\s]*)==", text, re.MULTILINE)
    assert len(requirements) >= least
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())
