"""Stages 2 and 3: scores that mislead, texts that the provider refuses, messages that wait for it."""

from __future__ import annotations

import pytest

from app.adapters.openai import client as client_module
from app.features.moderation.models import Severity
from app.streams.retry import TryLater
from tests.integration.moderation.test_stages import Bench, bench, message, unscanned

__all__ = ["bench"]


async def test_the_worst_category_decides_not_the_one_furthest_over_its_threshold(bench: Bench) -> None:
    bench.server.scores = lambda _text: {"sexual": 0.99, "sexual/minors": 0.95}
    verdict = await bench.scan("vile")
    assert verdict is not None and (verdict.severity, verdict.review) == (Severity.BAN, True)


async def test_scores_out_of_bounds_are_not_remembered_as_clean(bench: Bench) -> None:
    bench.server.scores = lambda _text: {"hate": 97.0}
    before = unscanned("malformed")
    assert await bench.scan("vile") is None
    assert unscanned("malformed") == before + 1
    bench.server.scores = lambda _text: {"hate": 0.97}
    assert await bench.scan("vile") is not None


@pytest.mark.parametrize("status", ["400", "422"])
async def test_a_text_that_the_provider_refuses_is_no_outage(bench: Bench, status: str) -> None:
    bench.server.trouble = status
    before = unscanned("malformed")
    for number in range(client_module.BREAK_AFTER + 1):
        assert await bench.scan(f"too long {number}") is None
    assert unscanned("malformed") == before + client_module.BREAK_AFTER + 1
    bench.server.trouble = ""
    bench.server.scores = lambda _text: {"hate": 0.99}
    assert await bench.scan("vile") is not None


async def test_a_message_that_is_looked_at_again_stays_one_in_the_context(bench: Bench) -> None:
    for number in range(5):
        await bench.scan(f"message {number}")
    waiting = message("waiting")
    bench.server.trouble = "500"
    for _ in range(client_module.BREAK_AFTER):
        with pytest.raises(TryLater):
            await bench.scanner.scan(waiting, 0)
    found = await bench.scanner._context.before(message("next"))
    assert found.earlier == ["message 1", "message 2", "message 3", "message 4", "waiting"]
