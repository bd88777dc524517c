"""The committed manifest: a change of what Discord is told must be seen in a review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from app.cli.commands import current_manifest

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "commands.json"


def test_the_committed_manifest_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == current_manifest().to_json(), (
        "the commands or their translations changed; if that is meant, run "
        "`gatehouse commands manifest --output docs/commands.json` and commit the file"
    )


def test_the_committed_manifest_is_valid(assert_discord_valid: Callable[[str, Any], None]) -> None:
    committed = orjson.loads(COMMITTED.read_bytes())
    assert_discord_valid("bulk_set_application_commands", committed["commands"])
