"""kill -9 of the worker while flagged messages flow: every one is handled, and once."""

from __future__ import annotations

import pytest

from .conftest import System
from .flood import flood

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


def test_every_message_is_handled_once_although_the_worker_is_killed(system: System) -> None:
    outcome = flood(system, messages=100, per_second=60, kills=3, seconds=120)
    assert outcome.kills == 3
    assert outcome.decisions == outcome.messages
    assert (
        outcome.cases >= outcome.messages - 3
    )  # the owner, an administrator and a moderator may be among them
    assert outcome.unfinished == 0
    assert outcome.still_there == []
    assert outcome.doubled_timeouts == []
    assert outcome.doubled_notices == []
    assert "the chain holds" in outcome.audit
