"""A seeded fuzz of every route: whatever comes, no 5xx, and no bad signature is accepted."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.fixtures.sample_feature import option
from tests.fixtures.web import OpenWeb

SEED = 20261124
ROUNDS = 400
PATHS = (
    "/interactions",
    "/webhook-events",
    "/health",
    "/ready",
    "/live",
    "/metrics",
    "/api/x",
    "/verify",
    "/nope",
    "/",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 2**70, 1e308, "", "x", "\0", "\ud7ff", "9" * 30, [], {}, [{}], {"id": "1"}, [[[[]]]],
)  # fmt: skip


def mutate(payload: Any, rng: random.Random) -> Any:
    """Replace, remove or add something somewhere."""
    if isinstance(payload, dict) and payload and rng.random() < 0.85:
        key = rng.choice(sorted(payload))
        changed = dict(payload)
        match rng.randrange(4):
            case 0:
                del changed[key]
            case 1:
                changed[key] = rng.choice(VALUES)
            case 2:
                changed[rng.choice(["type", "id", "data", "options", "values", "resolved"])] = rng.choice(
                    VALUES
                )
            case _:
                changed[key] = mutate(payload[key], rng)
        return changed
    if isinstance(payload, list) and payload and rng.random() < 0.85:
        at = rng.randrange(len(payload))
        return [mutate(each, rng) if n == at else each for n, each in enumerate(payload)]
    return rng.choice(VALUES)


async def test_nothing_gets_a_5xx(open_web: OpenWeb) -> None:
    rng = random.Random(SEED)
    async with open_web(LIMIT_USER="off", LIMIT_USER_COMMAND="off", LIMIT_GUILD="off") as web:
        caller = web.caller
        guild = {"id": "7", "name": "x"}
        templates = [
            caller.command("echo", option("text", "x")),
            caller.command("pick", option("name", "x")),
            caller.command("panel"),
            caller.command("pick", option("name", "x", focused=True)) | {"type": 4},
            caller.requests.interaction(3, {"custom_id": "vote:yes", "component_type": 2}),
            caller.requests.interaction(5, {"custom_id": "form", "components": [{"type": 1, "components": []}]}),
            {"type": 1, "event": {"type": "APPLICATION_AUTHORIZED", "timestamp": "2026-01-01T00:00:00",
                                  "data": {"user": {"id": "5"}, "scopes": ["bot"], "guild": guild}}},
            {"type": 1, "event": {"type": "APPLICATION_DEAUTHORIZED", "timestamp": "2026-01-01T00:00:00",
                                  "data": {"user": {"id": "5"}}}},
        ]  # fmt: skip
        for number in range(ROUNDS):
            payload = rng.choice(templates)
            if isinstance(payload, dict) and "token" in payload:
                payload = payload | {"id": str(caller.requests.snowflake())}
            for _ in range(rng.randrange(1, 4)):
                payload = mutate(payload, rng)
            body = json.dumps(payload).encode() if rng.random() < 0.95 else rng.randbytes(rng.randrange(300))
            headers = caller.headers(body)
            signed = rng.random() < 0.8
            if not signed:
                headers["X-Signature-Ed25519"] = "".join(rng.sample(headers["X-Signature-Ed25519"], 128))
            method = "POST" if rng.random() < 0.8 else rng.choice(METHODS)
            path = rng.choice(PATHS[:2]) if rng.random() < 0.8 else rng.choice(PATHS)
            url = f"{web.url}{path}{'?' + rng.randbytes(4).hex() if rng.random() < 0.2 else ''}"
            response = await caller.client.request(method, url, content=body, headers=headers)
            assert response.status_code < 500, (number, method, path, payload, response.text)
            if not signed and method == "POST" and path in PATHS[:2]:
                assert response.status_code == 401, (number, path, payload)
