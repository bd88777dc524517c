"""kill -9 of the worker while flagged messages flow: every one is handled, and once."""

from __future__ import annotations

import pytest

from .conftest import System
from .flood import flood

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


def test_every_message_is_handled_once_although_the_worker_is_killed(system: System) -> None:
    # Routes let more calls through than Discord's; the limit for all calls stays: the test is about kills.
    system.admin("PUT", "/limits", scale=10)
    outcome = flood(system, messages=100, per_second=60, kills=3, seconds=150)
    assert outcome.kills == 3
    assert outcome.decisions == outcome.messages
    assert outcome.cases + outcome.refused == outcome.messages
    assert outcome.strikes == outcome.cases
    assert outcome.unfinished == 0
    assert outcome.still_there == []
    assert outcome.doubled_timeouts == []
    assert outcome.doubled_notices == []
    assert "the chain holds" in outcome.audit
