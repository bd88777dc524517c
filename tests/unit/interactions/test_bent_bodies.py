"""Bodies that were cut, spliced and bent, in a dispatcher with the product's commands: answered, or no interaction.

The bench `signature_fuzz` sends 100,000 of them, signed, to the whole web app.
"""

from __future__ import annotations

import orjson
import pytest

from app.features.core.commands.about import about
from app.features.core.commands.help import show_help, turn_page
from app.features.core.commands.ping import ping
from app.interactions.errors import InvalidInteraction
from app.interactions.interaction import parse_interaction
from tests.bench.signature_fuzz import Mutations
from tests.fixtures.interactions import Bot


async def test_a_bent_body_is_answered_or_invalid_and_never_a_fault_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mutations, bot = Mutations(seed=7), Bot(ping, about, show_help, turn_page)
    answered = 0
    for _ in range(1500):
        body = mutations.random.choice(mutations.bodies)(mutations.interaction())
        try:
            interaction = parse_interaction(body)
            response = await bot.dispatcher.handle(bot.dispatcher.route(interaction), interaction)
        except InvalidInteraction:
            continue
        answered += 1
        assert orjson.loads(response.body)["type"] in (1, 4, 7, 8)
    assert answered > 100
    assert caplog.records == []
