"""The ingester forwards what features consume, no more and no less."""

from __future__ import annotations

from app import catalog
from app.events.wanted import WANTED
from app.streams.discovery import find_declarations


def test_what_is_forwarded_is_what_is_consumed() -> None:
    assert find_declarations(catalog.packages()).gateway_events() == WANTED
