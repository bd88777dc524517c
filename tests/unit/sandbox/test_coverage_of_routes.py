"""Every operation that the platform calls is one that the sandbox answers."""

from __future__ import annotations

import pytest

from app.adapters.discord.routes import ROUTES as CALLED
from app.adapters.discord.routes import Route
from sandbox.instance import Sandbox
from sandbox.interactions.routes import ROUTES as INTERACTION_ROUTES
from sandbox.rest.api import RestApi
from sandbox.rest.routes import ROUTES


@pytest.mark.parametrize("called", CALLED, ids=lambda called: called.name)
async def test_the_sandbox_serves(called: Route, sandbox: Sandbox) -> None:
    api = RestApi(sandbox, (*ROUTES, *INTERACTION_ROUTES))
    ids = {name: "👍" if name == "emoji" else "123456789012345678" for name in called.placeholders}
    route, found = api.find(called.method, called.at(**ids).path)
    assert set(found.values()) >= {value for value in ids.values() if value.isdigit()}
    assert route.token_in_path == called.has_token


def test_no_route_is_declared_twice(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        RestApi(sandbox, (*ROUTES, ROUTES[0]))
