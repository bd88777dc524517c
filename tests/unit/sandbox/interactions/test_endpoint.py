"""Saving and keeping the endpoint URL, badly signed checks, webhook events."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.interactions.rules.form import InvalidForm
from sandbox.interactions.service import Interactions
from sandbox.world import Guild, World
from tests.fixtures.scripted_app import ScriptedApp, scripted_app


async def test_an_endpoint_that_accepts_bad_signatures_is_refused(interactions: Interactions) -> None:
    async with scripted_app(interactions.signer.public_key) as careless:
        careless.check_signatures = False
        with pytest.raises(InvalidForm) as refusal:
            await interactions.endpoint.save_interactions_url(careless.url)
        assert "interactions_endpoint_url" in refusal.value.errors
        assert interactions.world.application.interactions_endpoint_url is None


async def test_a_failed_probe_removes_the_url(
    app: ScriptedApp, interactions: Interactions, world: World
) -> None:
    assert await interactions.endpoint.probe()
    assert world.application.interactions_endpoint_url == app.url
    app.check_signatures = False
    assert not await interactions.endpoint.probe()
    assert world.application.interactions_endpoint_url is None
    assert interactions.endpoint.notices


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://127.0.0.1:9/none"])
async def test_unreachable_endpoints_are_refused(interactions: Interactions, url: str) -> None:
    with pytest.raises(InvalidForm):
        await interactions.endpoint.save_interactions_url(url)


async def test_webhook_events_are_signed_and_repeated_until_taken(
    app: ScriptedApp, interactions: Interactions, world: World, ordinary: int, guild: Guild, wait_until: Any
) -> None:
    await interactions.endpoint.save_webhooks_url(app.url.replace("interactions", "webhook-events"))
    assert not interactions.webhook_events.authorized(ordinary, guild_id=guild.id, scopes=["bot"])
    world.application.event_webhooks_status = 2
    world.application.event_webhooks_types = ["APPLICATION_AUTHORIZED"]
    assert interactions.webhook_events.authorized(ordinary, guild_id=guild.id, scopes=["bot"])
    await wait_until(lambda: app.events)
    assert app.events[0]["data"]["guild"]["id"] == str(guild.id)
    interactions.webhook_events.first_pause_seconds = 0.01
    world.application.event_webhooks_url = app.url
    interactions.webhook_events.authorized(ordinary, guild_id=None, scopes=[])
    await wait_until(lambda: any("attempt 3" in e.summary for e in interactions.exchanges))
