"""Settings, commands, metrics and errors that nobody can look up do not exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from app import errors
from app.cli import SUBCOMMANDS, gatehouse
from app.cli.docs import TABLES
from app.observability.metrics import REGISTRY
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTATION = "\n".join(p.read_text() for p in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])


@pytest.mark.parametrize("name", TABLES)
def test_the_reference_tables_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == TABLES[name](), "run `gatehouse docs --write`"


def test_every_setting_has_a_sentence() -> None:
    fields = list(Settings.model_fields.values())
    names = [field.json_schema_extra["variable"] for field in fields]
    assert len(names) == len(set(names))
    assert all(field.description and field.description.endswith(".") for field in fields)


def test_every_subcommand_exists_and_is_documented() -> None:
    for name in SUBCOMMANDS:
        command = gatehouse.get_command(click.Context(gatehouse), name)
        assert command is not None
        assert command.help, name
        assert f"gatehouse {name}" in DOCUMENTATION


def test_every_metric_has_a_sentence() -> None:
    assert all(
        metric.documentation.endswith(".")
        for metric in REGISTRY.collect()
        if "python" not in metric.name and "process" not in metric.name
    )


def test_every_error_code_is_there() -> None:
    codes = {
        kind.code for kind in vars(errors).values() if isinstance(kind, type) and getattr(kind, "code", None)
    }
    assert codes == {f"E{number:03}" for number in range(1, 11)}


def test_decisions_are_numbered_once() -> None:
    names = sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md"))
    numbers = [re.match(r"(\d{4})-[a-z0-9-]+\.md$", name) for name in names]
    assert all(numbers), names
    assert len({n[1] for n in numbers if n}) == len(names)
